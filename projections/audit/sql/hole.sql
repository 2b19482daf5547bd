-- The first position that is missing from `staging.fresh`, which follows position $after, and the one found instead.
SELECT expected, position
    FROM (SELECT position, $after + row_number() OVER (ORDER BY position) AS expected FROM staging.fresh)
    WHERE position <> expected
    ORDER BY expected LIMIT 1;
