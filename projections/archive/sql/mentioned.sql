-- Whatever in the bodies looks like the hash of bytes that no range has so far.
SELECT DISTINCT sha256 FROM (
    SELECT unnest(regexp_extract_all(decode(body, 'replace'), '[0-9a-f]{64}')) AS sha256
        FROM staging.fresh WHERE type NOT IN ('MetricsRecorded', 'OrderActivityRecorded')
) ANTI JOIN blob USING (sha256) ORDER BY sha256;
