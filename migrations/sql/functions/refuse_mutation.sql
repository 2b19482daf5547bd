CREATE FUNCTION ledger.refuse_mutation() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the ledger is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'LR001',
              HINT = 'Record a correction as a new event (EventCorrected); nothing that was recorded is ever changed.';
END
$$;
