-- The events of `log.event` that name bytes which no range has so far, with their hashes.
WITH said AS (
    SELECT position, type, try(json_transform(decode(body, 'replace'),
            '{"data": {"fingerprint": "VARCHAR", "files": [{"sha256": "VARCHAR"}]}}')).data AS data
        FROM log.event WHERE type IN ('ConfigRegistered', 'ProfileAdopted')
), named AS (
    SELECT position, substr(data.fingerprint, 8) AS sha256 FROM said
    UNION ALL
    SELECT position, unnest(list_transform(data.files, lambda file: file.sha256))
        FROM said WHERE type = 'ConfigRegistered'
)
SELECT min(position), sha256 FROM named ANTI JOIN blob USING (sha256) ANTI JOIN absent USING (sha256)
    WHERE sha256 IS NOT NULL GROUP BY sha256 ORDER BY ALL;
