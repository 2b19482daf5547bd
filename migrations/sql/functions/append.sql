-- The only way into the log: a batch, one round trip, one answer per item, in arrays of the batch's order.
-- (append_one.sql is the same for one event.)
--
--   outcomes     appended | duplicate (same id, same content: the position it already has)
--                | id_reused (same id, other content) | conflict (expected revision does not hold)
--                | not_appended (all_or_nothing, and another item is against it)
--   positions    of the events; NULL unless appended or duplicate
--   revisions    of the events in their streams; for a conflict, where the stream stands
--   recorded_at  of the events; NULL unless appended or duplicate
--
-- An expected revision is NULL (any), 0 (the stream must not exist yet) or n (the stream stands at n).
-- Items see the ones before them in the same batch. Unless all_or_nothing, a bad item never stops a good one.
--
-- Why it is written as it is:
--   * pg_temp stands last in the search path: left out it would come first, and a caller's temporary type named
--     "bytea" would be run with the owner's rights.
--   * The advisory lock is a statement of its own under READ COMMITTED. A snapshot taken before the lock was
--     granted would not see the row that its previous holder committed, and positions would repeat.
--   * The lock is held until the commit is flushed and visible: position order is commit order, without gaps,
--     so a reader that has seen N has seen all before it.
--   * The usual case (nothing is a duplicate, every expectation holds) is set-based. Only the chain itself,
--     which is sequential by nature, is a loop. That an id is new is found out by inserting it: the unique
--     index looks anyway. Only when something is off is each item decided by itself, before anything is inserted.
--   * Arrays are unnested in select lists, where they go in step and in order; in FROM each would be copied first.
CREATE FUNCTION ledger.append(
    ids uuid[], streams text[], expected bigint[], types text[], schema_versions integer[],
    occurred timestamptz[], bodies bytea[], all_or_nothing boolean,
    OUT outcomes text[], OUT positions bigint[], OUT revisions bigint[], OUT recorded_at timestamptz[]
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    count_      constant integer := cardinality(ids);
    head_       bigint;    -- the last position
    genesis_    bytea;     -- the chain value there
    chain_      bytea;
    now_        timestamptz;
    fits_       boolean;   -- nothing is off, as far as we know
    hashes_     bytea[];
    leaves_     bytea[];
    chains_     bytea[];
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'ledger.append needs READ COMMITTED, not %', current_setting('transaction_isolation')
            USING ERRCODE = 'LR002', HINT = 'An older snapshot does not see the last event, and positions would repeat.';
    END IF;
    IF count_ = 0 THEN
        RETURN;
    END IF;
    IF count_ IS NULL
        OR count_ IS DISTINCT FROM cardinality(streams) OR count_ IS DISTINCT FROM cardinality(expected)
        OR count_ IS DISTINCT FROM cardinality(types) OR count_ IS DISTINCT FROM cardinality(schema_versions)
        OR count_ IS DISTINCT FROM cardinality(occurred) OR count_ IS DISTINCT FROM cardinality(bodies) THEN
        RAISE EXCEPTION 'ledger.append needs arrays of one length' USING ERRCODE = 'LR003';
    END IF;

    -- 'lledger,' as a number; held through the commit. As a condition it is evaluated without a query's start.
    IF pg_advisory_xact_lock(7811887409951363436) IS NULL THEN
        NULL;
    END IF;

    SELECT e.position, e.chain, e.recorded_at INTO head_, genesis_, now_
        FROM ledger.event AS e ORDER BY e.position DESC LIMIT 1;
    IF head_ IS NULL THEN
        head_ := 0;
        genesis_ := decode(repeat('00', 32), 'hex');
    END IF;
    now_ := greatest(clock_timestamp(), now_);  -- a clock set back must not unsort the log

    WITH item AS (
        SELECT i.*, row_number() OVER (PARTITION BY i.stream ORDER BY i.ord) AS nth
            FROM (SELECT unnest(streams) AS stream, unnest(expected) AS expected,
                         generate_series(1, count_) AS ord) AS i
    ), standing AS MATERIALIZED (
        SELECT s.stream, coalesce((
            SELECT e.revision FROM ledger.event AS e
                WHERE e.stream = s.stream ORDER BY e.revision DESC LIMIT 1), 0) AS revision
            FROM (SELECT DISTINCT item.stream FROM item) AS s
    )
    SELECT array_agg(head_ + item.ord ORDER BY item.ord), array_agg(standing.revision + item.nth ORDER BY item.ord),
           bool_and(item.expected IS NULL OR item.expected = standing.revision + item.nth - 1)
        INTO positions, revisions, fits_
        FROM item JOIN standing ON standing.stream = item.stream;

    LOOP
        IF NOT fits_ THEN
            SELECT d.outcomes, d.positions, d.revisions, d.times INTO outcomes, positions, revisions, recorded_at
                FROM ledger.decided(ids, streams, expected, types, schema_versions, occurred, bodies, all_or_nothing,
                                    head_, now_) AS d;
        END IF;
        SELECT array_agg(i.body_hash),
               array_agg(ledger.leaf(1::smallint, i.position, i.revision, i.schema_version, i.id, i.occurred, now_,
                                     i.body_hash, i.stream, i.type))
            INTO hashes_, leaves_
            FROM (SELECT u.*, sha256(u.body) AS body_hash
                FROM (SELECT unnest(ids) AS id, unnest(streams) AS stream, unnest(types) AS type,
                             unnest(schema_versions) AS schema_version, unnest(occurred) AS occurred,
                             unnest(bodies) AS body, unnest(positions) AS position,
                             unnest(revisions) AS revision) AS u
                OFFSET 0
            ) AS i;
        chain_ := genesis_;
        FOR item_ IN 1 .. count_ LOOP
            IF fits_ OR outcomes[item_] = 'appended' THEN
                chain_ := sha256('\x02'::bytea || chain_ || leaves_[item_]);
                chains_[item_] := chain_;
            ELSE
                chains_[item_] := NULL;
            END IF;
        END LOOP;
        BEGIN
            INSERT INTO ledger.event
                SELECT 1, i.position, i.revision, i.schema_version, i.id, i.occurred, now_, i.body_hash,
                       i.stream, i.type, i.chain, i.body
                    FROM (SELECT unnest(positions) AS position, unnest(revisions) AS revision,
                                 unnest(schema_versions) AS schema_version, unnest(ids) AS id,
                                 unnest(occurred) AS occurred, unnest(hashes_) AS body_hash,
                                 unnest(streams) AS stream, unnest(types) AS type, unnest(chains_) AS chain,
                                 unnest(bodies) AS body) AS i
                    WHERE i.chain IS NOT NULL;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            IF NOT fits_ THEN
                RAISE;  -- decided item by item, and still not unique: somebody writes without the lock
            END IF;
            fits_ := false;  -- an id is used already, in the log or in this batch
        END;
    END LOOP;

    IF fits_ THEN
        outcomes := array_fill('appended'::text, ARRAY[count_]);
        recorded_at := array_fill(now_, ARRAY[count_]);
    END IF;
END
$$;
