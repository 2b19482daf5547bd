ALTER TABLE ledger.restoring OWNER TO ledger_owner;
ALTER FUNCTION ledger.refuse_while_restoring() OWNER TO ledger_owner;
ALTER FUNCTION ledger.begin_restore(bigint, bytea) OWNER TO ledger_owner;
ALTER FUNCTION ledger.restore(bigint[], bigint[], integer[], uuid[], timestamptz[], timestamptz[], text[], text[],
    bytea[], bytea[]) OWNER TO ledger_owner;

-- The owner's alone, and written so that a grant of EXECUTE gives nobody anything (begin_restore.sql).
REVOKE ALL ON FUNCTION ledger.begin_restore(bigint, bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.restore(bigint[], bigint[], integer[], uuid[], timestamptz[], timestamptz[], text[], text[],
    bytea[], bytea[]) FROM PUBLIC;
GRANT SELECT ON ledger.restoring TO ledger_writer, ledger_auditor, ledger_projector;
