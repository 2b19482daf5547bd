-- Put a batch of events back as they were recorded: with their own positions, times, bytes and chain values.
-- It has to go on where the restore under way has come to. Everything is recomputed here: a body that is not
-- what was recorded, an event more or less, another order, another time: the chain value is another one then.
-- Answers the new end of the log. The last batch has to end with the chain value that was announced.
CREATE FUNCTION ledger.restore(
    positions bigint[], revisions bigint[], schema_versions integer[], ids uuid[], occurred timestamptz[],
    recorded timestamptz[], streams text[], types text[], chains bytea[], bodies bytea[]
) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    count_   constant integer := cardinality(positions);
    goal_    record;
    head_    bigint;
    chain_   bytea;
    before_  timestamptz;
    leaves_  bytea[];
    bad_     bigint;     -- the first item whose place or time does not follow
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'ledger.restore needs READ COMMITTED' USING ERRCODE = 'LR002';
    END IF;
    IF count_ IS NULL OR count_ = 0
        OR count_ IS DISTINCT FROM cardinality(revisions) OR count_ IS DISTINCT FROM cardinality(schema_versions)
        OR count_ IS DISTINCT FROM cardinality(ids) OR count_ IS DISTINCT FROM cardinality(occurred)
        OR count_ IS DISTINCT FROM cardinality(recorded) OR count_ IS DISTINCT FROM cardinality(streams)
        OR count_ IS DISTINCT FROM cardinality(types) OR count_ IS DISTINCT FROM cardinality(chains)
        OR count_ IS DISTINCT FROM cardinality(bodies) THEN
        RAISE EXCEPTION 'ledger.restore needs arrays of one length' USING ERRCODE = 'LR003';
    END IF;
    PERFORM pg_advisory_xact_lock(7811887409951363436);  -- the append lock; see append.sql
    SELECT r.position, r.chain INTO goal_ FROM ledger.restoring AS r;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no restore is under way' USING ERRCODE = 'LR005';
    END IF;
    SELECT e.position, e.chain, e.recorded_at INTO head_, chain_, before_
        FROM ledger.event AS e ORDER BY e.position DESC LIMIT 1;
    IF head_ IS NULL THEN
        head_ := 0;
        chain_ := decode(repeat('00', 32), 'hex');
    END IF;
    IF head_ + count_ > goal_.position THEN
        RAISE EXCEPTION 'the restore under way ends at position %', goal_.position USING ERRCODE = 'LR005';
    END IF;

    WITH item AS (
        SELECT i.*, row_number() OVER (PARTITION BY i.stream ORDER BY i.ord) AS nth,
               lag(i.recorded, 1, before_) OVER (ORDER BY i.ord) AS before
            FROM (SELECT unnest(positions) AS "position", unnest(revisions) AS revision,
                         unnest(schema_versions) AS schema_version, unnest(ids) AS id,
                         unnest(occurred) AS occurred, unnest(recorded) AS recorded, unnest(streams) AS stream,
                         unnest(types) AS type, unnest(bodies) AS body, generate_series(1, count_) AS ord) AS i
    ), standing AS MATERIALIZED (
        SELECT s.stream, coalesce((
            SELECT e.revision FROM ledger.event AS e
                WHERE e.stream = s.stream ORDER BY e.revision DESC LIMIT 1), 0) AS revision
            FROM (SELECT DISTINCT item.stream FROM item) AS s
    )
    SELECT array_agg(ledger.leaf(1::smallint, item.position, item.revision, item.schema_version, item.id,
                                 item.occurred, item.recorded, sha256(item.body), item.stream, item.type)
                     ORDER BY item.ord),
           min(item.ord) FILTER (WHERE item.position IS DISTINCT FROM head_ + item.ord
               OR item.revision IS DISTINCT FROM standing.revision + item.nth OR item.recorded < item.before)
        INTO leaves_, bad_
        FROM item JOIN standing ON standing.stream = item.stream;
    IF bad_ IS NOT NULL THEN
        RAISE EXCEPTION 'position % does not go on where the log ends', head_ + bad_ USING ERRCODE = 'LR007';
    END IF;
    FOR item_ IN 1 .. count_ LOOP
        chain_ := sha256('\x02'::bytea || chain_ || leaves_[item_]);
        IF chain_ IS DISTINCT FROM chains[item_] THEN
            RAISE EXCEPTION 'position % is not what was recorded: its hash does not follow', head_ + item_
                USING ERRCODE = 'LR007';
        END IF;
    END LOOP;
    IF head_ + count_ = goal_.position AND chain_ <> goal_.chain THEN
        RAISE EXCEPTION 'the log does not end with the chain value that was announced' USING ERRCODE = 'LR007';
    END IF;

    UPDATE ledger.restoring SET transaction = pg_current_xact_id()::text::bigint;
    INSERT INTO ledger.event
        SELECT 1, i.position, i.revision, i.schema_version, i.id, i.occurred, i.recorded, sha256(i.body),
               i.stream, i.type, i.chain, i.body
            FROM (SELECT unnest(positions) AS "position", unnest(revisions) AS revision,
                         unnest(schema_versions) AS schema_version, unnest(ids) AS id,
                         unnest(occurred) AS occurred, unnest(recorded) AS recorded, unnest(streams) AS stream,
                         unnest(types) AS type, unnest(chains) AS chain, unnest(bodies) AS body) AS i;
    IF head_ + count_ = goal_.position THEN
        DELETE FROM ledger.restoring;
        ALTER TABLE ledger.event DISABLE TRIGGER event_restoring;
    END IF;
    RETURN head_ + count_;
END
$$;
