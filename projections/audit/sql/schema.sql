-- The replica: the log verbatim, and what is asked for most as plain columns, so that no question has
-- to parse JSON. Times are UTC. A change of any file in this folder makes the next sync build it anew.
CREATE SCHEMA log;
CREATE SCHEMA facts;
CREATE TABLE log.layout (sha256 VARCHAR NOT NULL);

-- The first twelve columns are the log's own, byte for byte; the others are read out of the body.
-- Hashes don't compress, and looking for a way to costs more than writing them.
CREATE TABLE log.event (
    format          SMALLINT   NOT NULL,
    position        BIGINT     NOT NULL,
    revision        BIGINT     NOT NULL,
    schema_version  INTEGER    NOT NULL,
    event_id        UUID       NOT NULL,
    occurred_at     TIMESTAMP  NOT NULL,
    recorded_at     TIMESTAMP  NOT NULL,
    body_hash       BLOB       NOT NULL USING COMPRESSION uncompressed,
    stream          VARCHAR    NOT NULL,
    type            VARCHAR    NOT NULL,
    chain           BLOB       NOT NULL USING COMPRESSION uncompressed,
    body            BLOB       NOT NULL USING COMPRESSION zstd,
    system          VARCHAR,
    actor_id        VARCHAR,
    actor           VARCHAR,
    actor_kind      VARCHAR,
    channel         VARCHAR,
    reason          VARCHAR,
    operation       VARCHAR,
    cause           VARCHAR,
    backfilled      BOOLEAN    NOT NULL,
    spooled         BOOLEAN    NOT NULL
);

-- Who, when and why stand in each fact too: a question joins nothing.
-- Fingerprints here are bytes, without their "sha256:": each stands in as many rows as keys changed.
CREATE TABLE facts.config_change (
    position BIGINT, system VARCHAR, key VARCHAR, old VARCHAR, new VARCHAR,
    fingerprint BLOB USING COMPRESSION uncompressed, previous BLOB USING COMPRESSION uncompressed, cause VARCHAR,
    actor VARCHAR, actor_kind VARCHAR, reason VARCHAR, occurred_at TIMESTAMP, recorded_at TIMESTAMP, late BOOLEAN
);
CREATE TABLE facts.config (
    position BIGINT, type VARCHAR, system VARCHAR, fingerprint VARCHAR, previous VARCHAR, cause VARCHAR,
    tag VARCHAR, changes BIGINT,
    actor VARCHAR, actor_kind VARCHAR, reason VARCHAR, occurred_at TIMESTAMP, recorded_at TIMESTAMP, late BOOLEAN
);
CREATE TABLE facts.mode (
    position BIGINT, type VARCHAR, system VARCHAR, operation VARCHAR,
    from_mode VARCHAR, from_kind VARCHAR, to_mode VARCHAR, to_kind VARCHAR,
    carried_by VARCHAR, took_ms BIGINT, explanation VARCHAR,
    actor VARCHAR, actor_kind VARCHAR, reason VARCHAR, occurred_at TIMESTAMP, recorded_at TIMESTAMP, late BOOLEAN
);
CREATE TABLE facts.alert (
    position BIGINT, type VARCHAR, system VARCHAR, alert VARCHAR, severity VARCHAR, message VARCHAR,
    labels JSON, how VARCHAR,
    actor VARCHAR, actor_kind VARCHAR, reason VARCHAR, occurred_at TIMESTAMP, recorded_at TIMESTAMP, late BOOLEAN
);
CREATE TABLE facts.incident (
    position BIGINT, type VARCHAR, system VARCHAR, incident VARCHAR, title VARCHAR, severity VARCHAR,
    alert VARCHAR, detail VARCHAR,
    actor VARCHAR, actor_kind VARCHAR, reason VARCHAR, occurred_at TIMESTAMP, recorded_at TIMESTAMP, late BOOLEAN
);
CREATE TABLE facts.rollback (
    position BIGINT, type VARCHAR, system VARCHAR, operation VARCHAR,
    from_fingerprint VARCHAR, to_fingerprint VARCHAR, selector VARCHAR, explanation VARCHAR,
    actor VARCHAR, actor_kind VARCHAR, reason VARCHAR, occurred_at TIMESTAMP, recorded_at TIMESTAMP, late BOOLEAN
);
CREATE TABLE facts.drift (
    position BIGINT, type VARCHAR, system VARCHAR, subject VARCHAR, expected VARCHAR, found VARCHAR,
    actor VARCHAR, actor_kind VARCHAR, reason VARCHAR, occurred_at TIMESTAMP, recorded_at TIMESTAMP, late BOOLEAN
);
CREATE TABLE facts.metric (
    position BIGINT, system VARCHAR, metric VARCHAR, labels JSON, value DOUBLE, occurred_at TIMESTAMP, late BOOLEAN
);
CREATE TABLE facts.order_activity (
    position BIGINT, system VARCHAR, kind VARCHAR, fields JSON, occurred_at TIMESTAMP, recorded_at TIMESTAMP, late BOOLEAN
);
