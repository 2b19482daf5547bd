-- `staging.fresh` with the system and the UTC day by which it is parted. What could name no system
-- (ledger/domain/ids.py) could perhaps name no folder either, so it counts as no system.
CREATE OR REPLACE TABLE parted AS
SELECT *, CASE WHEN length(said) <= 100
               AND regexp_full_match(said, '[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*') THEN said
          END AS system,
       strftime(recorded_at, '%Y-%m-%d') AS day
    FROM (SELECT *, envelope(body).system AS said FROM staging.fresh);
