-- id: key-history
-- title: Every value that one configuration key has had, and for how long
-- why: Shows whether a value is new, old, or comes and goes.
-- parameter key: the key, as config blame prints it (required)
-- parameter system: only this system
SELECT system, new AS value, occurred_at AS since,
       lead(occurred_at) OVER following AS until,
       lead(occurred_at) OVER following - occurred_at AS held, actor, reason, cause, position
    FROM config_changes
    WHERE key = $key AND ($system IS NULL OR system = $system)
    WINDOW following AS (PARTITION BY system ORDER BY occurred_at, position)
    ORDER BY system, since, position;
