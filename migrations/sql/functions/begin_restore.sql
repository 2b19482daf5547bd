-- Begin to restore an empty ledger up to the event last_, whose chain value is chain_; or go on with a restore
-- to that very end that was begun before. Answers the position that it has come to.
--
-- SECURITY INVOKER, as ledger.restore() is: only the owner of the tables has the rights that they use, so
-- whoever else is granted EXECUTE has gained nothing.
CREATE FUNCTION ledger.begin_restore(last_ bigint, chain_ bytea) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    goal_  record;
    head_  bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'ledger.begin_restore needs READ COMMITTED' USING ERRCODE = 'LR002';
    END IF;
    IF last_ < 1 OR octet_length(chain_) IS DISTINCT FROM 32 THEN
        RAISE EXCEPTION 'a restore needs a last position and a chain value' USING ERRCODE = 'LR003';
    END IF;
    PERFORM pg_advisory_xact_lock(7811887409951363436);  -- the append lock; see append.sql
    head_ := coalesce((SELECT max(e.position) FROM ledger.event AS e), 0);
    SELECT r.position, r.chain INTO goal_ FROM ledger.restoring AS r;
    IF FOUND THEN
        IF goal_.position <> last_ OR goal_.chain <> chain_ THEN
            RAISE EXCEPTION 'a restore of another log, up to position %, is under way', goal_.position
                USING ERRCODE = 'LR005';
        END IF;
        RETURN head_;
    END IF;
    IF head_ > 0 THEN
        RAISE EXCEPTION 'the ledger is not empty: it has % events', head_ USING ERRCODE = 'LR004';
    END IF;
    INSERT INTO ledger.restoring (position, chain) VALUES (last_, chain_);
    ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER event_restoring;
    RETURN 0;
END
$$;
