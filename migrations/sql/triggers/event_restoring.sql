-- Switched on by ledger.begin_restore() and off by the last batch: otherwise it would cost every append.
CREATE TRIGGER event_restoring
    BEFORE INSERT ON ledger.event
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_while_restoring();
ALTER TABLE ledger.event DISABLE TRIGGER event_restoring;
