-- Configuration bytes by their SHA-256: files with their secrets replaced, and canonical forms.
-- Events name blobs by hash, so the chain vouches for these bytes too.
CREATE TABLE ledger.blob (
    sha256  bytea  NOT NULL,
    bytes   bytea  NOT NULL,
    CONSTRAINT blob_pk PRIMARY KEY (sha256),
    CONSTRAINT blob_is_its_hash CHECK (sha256 = pg_catalog.sha256(bytes))
);
ALTER TABLE ledger.blob ALTER COLUMN bytes SET COMPRESSION pglz;
COMMENT ON TABLE ledger.blob IS 'Append-only bytes by content hash. ledger.put_blob() is the only way in.';
