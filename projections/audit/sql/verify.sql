-- Recompute the chain over positions $first .. $last and answer the first bad one, or nothing.
-- $before is the chain value of position $first - 1 (32 zero bytes before position 1).
-- Each row against the stored value of the row before: if every link holds, so does the whole chain.
-- A whole number as a BIT, as a BLOB, is its bytes in big-endian order; docs/hash-layout.md has the layout.
WITH stored AS (
    SELECT *, coalesce(lag(chain) OVER in_order, $before::BLOB) AS previous,
           $first::BIGINT - 1 + row_number() OVER in_order AS expected,
           epoch_us(occurred_at) - 946684800000000 AS occurred_us,
           epoch_us(recorded_at) - 946684800000000 AS recorded_us
        FROM log.event WHERE position BETWEEN $first AND $last
        WINDOW in_order AS (ORDER BY position)
), hashed AS (
    SELECT position, expected, chain, previous, body_hash, unhex(sha256(body)) AS body_hash_now,
           unhex(sha256(
               '\x00\x00\x00\x00\x02'::BLOB || format::BIT::BLOB
               || '\x00\x00\x00\x08'::BLOB || position::BIT::BLOB
               || '\x00\x00\x00\x08'::BLOB || revision::BIT::BLOB
               || '\x00\x00\x00\x04'::BLOB || schema_version::BIT::BLOB
               || '\x00\x00\x00\x10'::BLOB || event_id::BLOB
               || '\x00\x00\x00\x08'::BLOB || occurred_us::BIT::BLOB
               || '\x00\x00\x00\x08'::BLOB || recorded_us::BIT::BLOB
               || '\x00\x00\x00\x20'::BLOB || body_hash
               || octet_length(encode(stream))::INTEGER::BIT::BLOB || encode(stream)
               || octet_length(encode(type))::INTEGER::BIT::BLOB || encode(type)
           )) AS leaf
        FROM stored
)
SELECT expected AS position,
       CASE WHEN position <> expected THEN 'a row is missing'
            WHEN body_hash <> body_hash_now THEN 'the body is not the one that was recorded'
            ELSE 'the hash does not follow from the row before' END AS problem
    FROM hashed
    WHERE position <> expected
       OR body_hash <> body_hash_now
       OR chain <> unhex(sha256('\x02'::BLOB || previous || leaf))
    ORDER BY expected LIMIT 1;
