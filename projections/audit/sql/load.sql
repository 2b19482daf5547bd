-- One file of COPY's text format into `staging.incoming`, the bytes as they are.
-- The variables `file` and `longest` (bytes of its longest line) are set before.
CREATE OR REPLACE TABLE staging.incoming AS
SELECT format, position, revision, schema_version, event_id, occurred_at, recorded_at,
       unhex(substr(body_hash, 4)) AS body_hash, unescaped(stream) AS stream, unescaped(type) AS type,
       unhex(substr(chain, 4)) AS chain, unhex(substr(body, 4)) AS body
    FROM read_csv(getvariable('file'),
        auto_detect = false, header = false, delim = chr(9), quote = '', escape = '', nullstr = '\N',
        max_line_size = getvariable('longest'),
        columns = {
            'format': 'SMALLINT', 'position': 'BIGINT', 'revision': 'BIGINT', 'schema_version': 'INTEGER',
            'event_id': 'UUID', 'occurred_at': 'TIMESTAMP', 'recorded_at': 'TIMESTAMP',
            'body_hash': 'VARCHAR', 'stream': 'VARCHAR', 'type': 'VARCHAR', 'chain': 'VARCHAR',
            'body': 'VARCHAR'
        });
