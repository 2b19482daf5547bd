-- id: time-in-mode
-- title: How long each system has been in each mode
-- why: Tells how much of its life a system was live, and how much of it paused.
-- parameter system: only this system
SELECT system, mode, kind, count(*) AS times,
       round(sum(epoch(coalesce(until, greatest(since, now()::TIMESTAMP)) - since)) / 3600, 2) AS hours,
       min(since) AS first, bool_or(until IS NULL) AS present
    FROM mode_intervals WHERE $system IS NULL OR system = $system
    GROUP BY ALL
    ORDER BY system, hours DESC;
