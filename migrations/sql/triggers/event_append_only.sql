-- A statement trigger fires even when no row matches, costs an INSERT nothing, and covers TRUNCATE.
-- ALWAYS: session_replication_role = replica must not switch it off.
CREATE TRIGGER event_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.event
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_mutation();
ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER event_append_only;
