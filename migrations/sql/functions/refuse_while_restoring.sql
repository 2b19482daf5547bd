-- An event that got in between two batches of a restore would take the place of one that was recorded.
-- The batches themselves are told by their transaction.
CREATE FUNCTION ledger.refuse_while_restoring() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM ledger.restoring AS r WHERE r.transaction = pg_current_xact_id()::text::bigint
    ) THEN
        RAISE EXCEPTION 'a restore into this ledger is under way'
            USING ERRCODE = 'LR006', HINT = 'Repeat the restore: it goes on where it was.';
    END IF;
    RETURN NULL;
END
$$;
