-- Four roles, none of which can log in; people's own logins are made members of them.
--   ledger_owner      owns the schema; used by migrations only
--   ledger_writer     may call ledger.append and ledger.put_blob, and read
--   ledger_auditor    may read
--   ledger_projector  may read, and owns the disposable read models
DO $$
DECLARE
    wanted text;
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the ledger needs a database in UTF8, and this one is in %',
            pg_catalog.current_setting('server_encoding');
    END IF;
    FOREACH wanted IN ARRAY ARRAY['ledger_owner', 'ledger_writer', 'ledger_auditor', 'ledger_projector'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this cluster was being migrated at the same moment
            END;
        END IF;
        -- USAGE, not MEMBER: from PostgreSQL 16 on, who makes a role may only hand it out, not act as it.
        IF NOT pg_catalog.pg_has_role(current_user, wanted, 'USAGE') THEN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        END IF;
    END LOOP;
END
$$;
