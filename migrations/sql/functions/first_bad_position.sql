-- Recompute the chain over positions first_ .. last_ and answer the first bad one, or nothing.
-- before_ is the chain value of position first_ - 1 (32 zero bytes before position 1).
-- Row by row against the stored value of the row before: if every link holds, so does the whole chain.
-- IS DISTINCT FROM: a column that was made NULL, its constraint dropped, is a change like any other.
CREATE FUNCTION ledger.first_bad_position(first_ bigint, last_ bigint, before_ bytea)
RETURNS TABLE ("position" bigint, problem text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.expected_position,
           CASE WHEN c.position <> c.expected_position THEN 'a row is missing'
                WHEN c.format IS DISTINCT FROM 1 THEN 'the format is not one that is known'
                WHEN c.body_hash IS DISTINCT FROM sha256(c.body) THEN 'the body is not the one that was recorded'
                ELSE 'the hash does not follow from the row before' END
        FROM (
            SELECT e.*, lag(e.chain, 1, before_) OVER (ORDER BY e.position) AS previous,
                   first_ - 1 + row_number() OVER (ORDER BY e.position) AS expected_position
                FROM ledger.event AS e WHERE e.position BETWEEN first_ AND last_
        ) AS c
        WHERE c.position <> c.expected_position
           OR c.format IS DISTINCT FROM 1
           OR c.body_hash IS DISTINCT FROM sha256(c.body)
           OR c.chain IS DISTINCT FROM sha256('\x02'::bytea || c.previous || ledger.leaf(c.format, c.position,
                  c.revision, c.schema_version, c.event_id, c.occurred_at, c.recorded_at, c.body_hash, c.stream,
                  c.type))
        ORDER BY c.expected_position LIMIT 1
$$;
