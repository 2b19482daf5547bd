ALTER SCHEMA ledger OWNER TO ledger_owner;
ALTER TABLE ledger.event OWNER TO ledger_owner;
ALTER TABLE ledger.blob OWNER TO ledger_owner;
ALTER FUNCTION ledger.refuse_mutation() OWNER TO ledger_owner;
ALTER FUNCTION ledger.leaf(smallint, bigint, bigint, integer, uuid, timestamptz, timestamptz, bytea, text, text)
    OWNER TO ledger_owner;
ALTER FUNCTION ledger.decided(uuid[], text[], bigint[], text[], integer[], timestamptz[], bytea[], boolean, bigint, timestamptz)
    OWNER TO ledger_owner;
ALTER FUNCTION ledger.append(uuid[], text[], bigint[], text[], integer[], timestamptz[], bytea[], boolean)
    OWNER TO ledger_owner;
ALTER FUNCTION ledger.append(uuid, text, bigint, text, integer, timestamptz, bytea) OWNER TO ledger_owner;
ALTER FUNCTION ledger.put_blob(bytea) OWNER TO ledger_owner;
ALTER FUNCTION ledger.first_bad_position(bigint, bigint, bytea) OWNER TO ledger_owner;

-- Functions are executable by everybody unless told otherwise.
REVOKE ALL ON FUNCTION ledger.append(uuid[], text[], bigint[], text[], integer[], timestamptz[], bytea[], boolean)
    FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.decided(uuid[], text[], bigint[], text[], integer[], timestamptz[], bytea[], boolean, bigint, timestamptz)
    FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.append(uuid, text, bigint, text, integer, timestamptz, bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.put_blob(bytea) FROM PUBLIC;

GRANT USAGE ON SCHEMA ledger TO ledger_writer, ledger_auditor, ledger_projector;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO ledger_writer, ledger_auditor, ledger_projector;
GRANT EXECUTE ON FUNCTION ledger.append(uuid[], text[], bigint[], text[], integer[], timestamptz[], bytea[], boolean)
    TO ledger_writer;
GRANT EXECUTE ON FUNCTION ledger.append(uuid, text, bigint, text, integer, timestamptz, bytea) TO ledger_writer;
GRANT EXECUTE ON FUNCTION ledger.put_blob(bytea) TO ledger_writer;

-- Read models live in a schema of their own, which its role may drop and build again at will; the right to
-- build the next one beside it is granted on the database, by ledger/store/migrate.py.
CREATE SCHEMA readmodel AUTHORIZATION ledger_projector;
GRANT USAGE ON SCHEMA readmodel TO ledger_writer, ledger_auditor;
ALTER DEFAULT PRIVILEGES FOR ROLE ledger_projector GRANT SELECT ON TABLES TO ledger_writer, ledger_auditor;
ALTER DEFAULT PRIVILEGES FOR ROLE ledger_projector GRANT USAGE ON SCHEMAS TO ledger_writer, ledger_auditor;
