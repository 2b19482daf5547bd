-- Keep bytes under their SHA-256; the same bytes again are the same row. Answers the hash.
CREATE FUNCTION ledger.put_blob(content bytea) RETURNS bytea
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO ledger.blob (sha256, bytes) VALUES (sha256(content), content) ON CONFLICT (sha256) DO NOTHING;
    SELECT sha256(content);
$$;
