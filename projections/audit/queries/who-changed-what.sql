-- id: who-changed-what
-- title: Who changed which configuration key, to what, and why
-- why: The first question after a bad night; narrow it down by system, key, person or time.
-- parameter system: only this system
-- parameter key: only this key and those below it
-- parameter actor: only this person or service
-- parameter since: only from this time on (2025-11-20, or with a time, UTC)
SELECT occurred_at, system, key, old, new, actor, reason, cause, left(fingerprint, 19) AS fingerprint, position
    FROM config_changes
    WHERE ($system IS NULL OR system = $system)
      AND ($key IS NULL OR key = $key OR starts_with(key, $key || '.') OR starts_with(key, $key || '['))
      AND ($actor IS NULL OR actor = $actor)
      AND ($since IS NULL OR occurred_at >= CAST($since AS TIMESTAMP))
    ORDER BY occurred_at DESC, position DESC, key;
