-- The log. Columns stand in the order in which they are hashed (docs/hash-layout.md), so that one
-- COPY BINARY row holds the bytes of its own leaf, and a verifier need not frame anything anew.
-- No sequence and no head row: the position is the last one plus one, under the append lock.
-- COLLATE "C": an index that outlives the operating system must not depend on its idea of an alphabet.
CREATE TABLE ledger.event (
    format          smallint     NOT NULL,
    position        bigint       NOT NULL,
    revision        bigint       NOT NULL,
    schema_version  integer      NOT NULL,
    event_id        uuid         NOT NULL,
    occurred_at     timestamptz  NOT NULL,
    recorded_at     timestamptz  NOT NULL,
    body_hash       bytea        NOT NULL,
    stream          text         COLLATE "C" NOT NULL,
    type            text         COLLATE "C" NOT NULL,
    chain           bytea        NOT NULL,
    body            bytea        NOT NULL,
    CONSTRAINT event_pk PRIMARY KEY (position),
    CONSTRAINT event_stream_revision_uq UNIQUE (stream, revision),
    CONSTRAINT event_id_uq UNIQUE (event_id)
);
COMMENT ON TABLE ledger.event IS 'Append-only, hash-chained log of everything that was decided and seen. '
    'ledger.append() is the only way in.';
