-- The only way into the log: a batch, one round trip, one answer per item.
--
--   outcome     appended | duplicate (same id, same content: the position it already has)
--               | id_reused (same id, other content) | conflict (expected revision does not hold)
--   "position"  of the event; NULL for id_reused and conflict
--   revision    of the event in its stream; for a conflict, the stream's actual revision
--
-- An expected revision is NULL (any), 0 (the stream must not exist yet) or n (the stream stands at n).
-- Items see the ones before them in the same batch. Unless all_or_nothing, a bad item never stops a good one.
--
-- Why it is written as it is:
--   * The advisory lock is a statement of its own under READ COMMITTED. A snapshot taken before the lock was
--     granted would not see the row that its previous holder committed, and positions would repeat.
--   * The lock is held until the commit is flushed and visible: position order is commit order, without gaps,
--     so a reader that has seen N has seen all before it.
--   * The common case (nothing is a duplicate, every expectation holds) is set-based. Only the chain itself,
--     which is sequential by nature, is a loop. The item-by-item path is for batches in which something is off.
CREATE FUNCTION ledger.append(
    ids uuid[], streams text[], expected bigint[], types text[], schema_versions integer[],
    occurred timestamptz[], bodies bytea[], all_or_nothing boolean DEFAULT false
) RETURNS TABLE (outcome text, "position" bigint, revision bigint, recorded_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_column
DECLARE
    count_      constant integer := cardinality(ids);
    head_       bigint;
    chain_      bytea;
    now_        timestamptz;
    revision_   bigint;
    hash_       bytea;
    known_      record;
    leaves_     bytea[];
    hashes_     bytea[];
    revisions_  bigint[];
    chains_     bytea[];
    item_       integer;
    fits_       boolean;
    outcomes_   text[];
    positions_  bigint[];
    times_      timestamptz[];
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'ledger.append needs READ COMMITTED, not %', current_setting('transaction_isolation')
            USING ERRCODE = 'LR002', HINT = 'An older snapshot does not see the last event, and positions would repeat.';
    END IF;
    IF count_ = 0 THEN
        RETURN;
    END IF;
    IF count_ IS DISTINCT FROM cardinality(streams) OR count_ IS DISTINCT FROM cardinality(expected)
        OR count_ IS DISTINCT FROM cardinality(types) OR count_ IS DISTINCT FROM cardinality(schema_versions)
        OR count_ IS DISTINCT FROM cardinality(occurred) OR count_ IS DISTINCT FROM cardinality(bodies) THEN
        RAISE EXCEPTION 'ledger.append needs arrays of one length' USING ERRCODE = 'LR003';
    END IF;

    PERFORM pg_advisory_xact_lock(7811887409951363436);  -- 'lledger,' as a number; held through the commit

    SELECT e.position, e.chain, e.recorded_at INTO head_, chain_, now_
        FROM ledger.event AS e ORDER BY e.position DESC LIMIT 1;
    IF head_ IS NULL THEN
        head_ := 0;
        chain_ := decode(repeat('00', 32), 'hex');
        now_ := clock_timestamp();
    ELSE
        now_ := greatest(clock_timestamp(), now_);  -- a clock set back must not unsort the log
    END IF;

    IF count_ = 1 THEN  -- the lone append, without the array machinery
        SELECT e.position, e.revision, e.recorded_at INTO known_
            FROM ledger.event AS e WHERE e.event_id = ids[1];
        IF NOT FOUND THEN
            SELECT e.revision INTO revision_
                FROM ledger.event AS e WHERE e.stream = streams[1] ORDER BY e.revision DESC LIMIT 1;
            revision_ := coalesce(revision_, 0);
            IF expected[1] IS NULL OR expected[1] = revision_ THEN
                hash_ := sha256(bodies[1]);
                head_ := head_ + 1;
                revision_ := revision_ + 1;
                INSERT INTO ledger.event VALUES (
                    1, head_, revision_, schema_versions[1], ids[1], occurred[1], now_, hash_, streams[1], types[1],
                    sha256('\x02'::bytea || chain_ || ledger.leaf(1::smallint, head_, revision_, schema_versions[1],
                        ids[1], occurred[1], now_, hash_, streams[1], types[1])),
                    bodies[1]);
                RETURN QUERY SELECT 'appended', head_, revision_, now_;
            ELSE
                RETURN QUERY SELECT 'conflict', NULL::bigint, revision_, NULL::timestamptz;
            END IF;
            RETURN;
        END IF;
    ELSE
        WITH item AS (
            SELECT i.*, row_number() OVER (PARTITION BY i.stream ORDER BY i.ord) AS nth
                FROM unnest(ids, streams, expected, types, schema_versions, occurred, bodies) WITH ORDINALITY
                    AS i (id, stream, expected, type, schema_version, occurred, body, ord)
        ), base AS MATERIALIZED (
            SELECT s.stream, coalesce((
                SELECT e.revision FROM ledger.event AS e
                    WHERE e.stream = s.stream ORDER BY e.revision DESC LIMIT 1), 0) AS revision
                FROM (SELECT DISTINCT item.stream FROM item) AS s
        ), placed AS (
            SELECT item.*, base.revision + item.nth AS new_revision, sha256(item.body) AS body_hash
                FROM item JOIN base ON base.stream = item.stream
        )
        SELECT array_agg(p.new_revision ORDER BY p.ord), array_agg(p.body_hash ORDER BY p.ord),
               array_agg(ledger.leaf(1::smallint, head_ + p.ord, p.new_revision, p.schema_version, p.id,
                                     p.occurred, now_, p.body_hash, p.stream, p.type) ORDER BY p.ord),
               bool_and(p.expected IS NULL OR p.expected = p.new_revision - 1) AND count(DISTINCT p.id) = count_
            INTO revisions_, hashes_, leaves_, fits_
            FROM placed AS p;
        IF fits_ AND NOT EXISTS (SELECT FROM ledger.event AS e WHERE e.event_id = ANY (ids)) THEN
            FOR item_ IN 1 .. count_ LOOP
                chain_ := sha256('\x02'::bytea || chain_ || leaves_[item_]);
                chains_[item_] := chain_;
            END LOOP;
            INSERT INTO ledger.event
                SELECT 1, head_ + i.ord, i.revision, i.schema_version, i.id, i.occurred, now_, i.body_hash,
                       i.stream, i.type, i.chain, i.body
                    FROM unnest(ids, streams, types, schema_versions, occurred, bodies, revisions_, hashes_, chains_)
                        WITH ORDINALITY AS i (id, stream, type, schema_version, occurred, body, revision, body_hash,
                                              chain, ord);
            RETURN QUERY SELECT 'appended', head_ + i.ord, i.revision, now_
                FROM unnest(revisions_) WITH ORDINALITY AS i (revision, ord);
            RETURN;
        END IF;
    END IF;

    -- Item by item, in a subtransaction so that all_or_nothing can take it back.
    BEGIN
        FOR item_ IN 1 .. count_ LOOP
            hash_ := sha256(bodies[item_]);
            SELECT e.position, e.revision, e.recorded_at, e.stream = streams[item_] AND e.type = types[item_]
                   AND e.schema_version = schema_versions[item_] AND e.occurred_at = occurred[item_]
                   AND e.body_hash = hash_ AS same
                INTO known_ FROM ledger.event AS e WHERE e.event_id = ids[item_];
            IF FOUND THEN
                outcomes_[item_] := CASE WHEN known_.same THEN 'duplicate' ELSE 'id_reused' END;
                positions_[item_] := CASE WHEN known_.same THEN known_.position END;
                revisions_[item_] := CASE WHEN known_.same THEN known_.revision END;
                times_[item_] := CASE WHEN known_.same THEN known_.recorded_at END;
                CONTINUE;
            END IF;
            SELECT e.revision INTO revision_
                FROM ledger.event AS e WHERE e.stream = streams[item_] ORDER BY e.revision DESC LIMIT 1;
            revision_ := coalesce(revision_, 0);
            IF expected[item_] IS NOT NULL AND expected[item_] <> revision_ THEN
                outcomes_[item_] := 'conflict';
                positions_[item_] := NULL;
                revisions_[item_] := revision_;
                times_[item_] := NULL;
                CONTINUE;
            END IF;
            head_ := head_ + 1;
            revision_ := revision_ + 1;
            chain_ := sha256('\x02'::bytea || chain_ || ledger.leaf(1::smallint, head_, revision_,
                schema_versions[item_], ids[item_], occurred[item_], now_, hash_, streams[item_], types[item_]));
            INSERT INTO ledger.event VALUES (1, head_, revision_, schema_versions[item_], ids[item_], occurred[item_],
                now_, hash_, streams[item_], types[item_], chain_, bodies[item_]);
            outcomes_[item_] := 'appended';
            positions_[item_] := head_;
            revisions_[item_] := revision_;
            times_[item_] := now_;
        END LOOP;
        IF all_or_nothing AND outcomes_ && ARRAY['conflict', 'id_reused'] THEN
            RAISE EXCEPTION 'taken back' USING ERRCODE = 'LR004';
        END IF;
    EXCEPTION WHEN SQLSTATE 'LR004' THEN
        -- What was inserted above is gone again; plpgsql variables keep the answers, which now say so.
        FOR item_ IN 1 .. count_ LOOP
            IF outcomes_[item_] = 'appended' THEN
                outcomes_[item_] := 'not_appended';
                positions_[item_] := NULL;
                revisions_[item_] := NULL;
                times_[item_] := NULL;
            END IF;
        END LOOP;
    END;
    RETURN QUERY SELECT o.outcome, o.position, o.revision, o.recorded_at
        FROM unnest(outcomes_, positions_, revisions_, times_) WITH ORDINALITY
            AS o (outcome, position, revision, recorded_at, ord)
        ORDER BY o.ord;
END
$$;
