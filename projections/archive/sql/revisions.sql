-- The first position of `log.event` whose revision is not the one after its stream's last; or NULL.
SELECT min(position) FROM (
    SELECT e.position, e.revision, coalesce(
            lag(e.revision) OVER (PARTITION BY e.stream ORDER BY e.position), s.revision, 0) AS before
        FROM log.event AS e LEFT JOIN stream AS s USING (stream)
) WHERE revision <> before + 1;
