-- At most one row: the restore that is under way, and the end that it has to come to. See begin_restore.sql.
CREATE TABLE ledger.restoring (
    one          boolean  NOT NULL DEFAULT true,
    position     bigint   NOT NULL,
    chain        bytea    NOT NULL,
    transaction  bigint,
    CONSTRAINT restoring_pk PRIMARY KEY (one),
    CONSTRAINT restoring_is_one CHECK (one)
);
COMMENT ON TABLE ledger.restoring IS 'The end that a restore under way has to come to; empty as a rule.';
