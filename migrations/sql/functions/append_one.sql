-- The same for one event, whose seven values need not be put into arrays and taken out of them: that cost as
-- much as the insert. Answers as the batch does, without the plural. The reasons for the rest are in append.sql.
CREATE FUNCTION ledger.append(
    id uuid, stream text, expected bigint, type text, schema_version integer, occurred timestamptz, body bytea,
    OUT outcome text, OUT "position" bigint, OUT revision bigint, OUT recorded_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    chain_   bytea;
    known_   boolean;
    hash_    constant bytea := sha256(body);
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'ledger.append needs READ COMMITTED, not %', current_setting('transaction_isolation')
            USING ERRCODE = 'LR002', HINT = 'An older snapshot does not see the last event, and positions would repeat.';
    END IF;
    IF pg_advisory_xact_lock(7811887409951363436) IS NULL THEN
        NULL;
    END IF;

    SELECT e.position, e.chain, e.recorded_at,
           EXISTS (SELECT FROM ledger.event AS k WHERE k.event_id = append.id),
           (SELECT s.revision FROM ledger.event AS s
               WHERE s.stream = append.stream ORDER BY s.revision DESC LIMIT 1)
        INTO "position", chain_, recorded_at, known_, revision
        FROM ledger.event AS e ORDER BY e.position DESC LIMIT 1;
    IF known_ OR expected <> coalesce(revision, 0) THEN
        SELECT a.outcomes[1], a.positions[1], a.revisions[1], a.recorded_at[1]
            INTO outcome, "position", revision, recorded_at
            FROM ledger.append(ARRAY[append.id], ARRAY[append.stream], ARRAY[append.expected], ARRAY[append.type],
                ARRAY[append.schema_version], ARRAY[append.occurred], ARRAY[append.body], false) AS a;
        RETURN;
    END IF;

    outcome := 'appended';
    "position" := coalesce("position", 0) + 1;
    revision := coalesce(revision, 0) + 1;
    recorded_at := greatest(clock_timestamp(), recorded_at);
    INSERT INTO ledger.event VALUES (
        1, append.position, append.revision, append.schema_version, append.id, append.occurred, append.recorded_at,
        hash_, append.stream, append.type,
        sha256('\x02'::bytea || coalesce(chain_, decode(repeat('00', 32), 'hex')) || ledger.leaf(
            1::smallint, append.position, append.revision, append.schema_version, append.id, append.occurred,
            append.recorded_at, hash_, append.stream, append.type)),
        append.body);
END
$$;
