-- id: values-that-came-back
-- title: Configuration keys that were set back to a value they had before
-- why: A key that flaps is a disagreement between people, or between a person and a script.
-- parameter system: only this system
-- parameter times: at least how often = 2
SELECT system, key, new AS value, count(*) AS times_set, list(DISTINCT actor ORDER BY actor) AS actors,
       min(occurred_at) AS first, max(occurred_at) AS last
    FROM config_changes
    WHERE new IS NOT NULL AND ($system IS NULL OR system = $system)
    GROUP BY ALL
    HAVING count(*) >= CAST($times AS INTEGER)
    ORDER BY times_set DESC, system, key;
