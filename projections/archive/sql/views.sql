-- What the archive is verified with. `log.event` shows one range at a time.
CREATE SCHEMA log;
CREATE TABLE stream (stream VARCHAR PRIMARY KEY, revision BIGINT NOT NULL);
CREATE TABLE blob (sha256 VARCHAR PRIMARY KEY);
-- Bytes that the ledger itself did not have any more when the range that names them was sealed.
CREATE TABLE absent (sha256 VARCHAR PRIMARY KEY);
