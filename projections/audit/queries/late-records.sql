-- id: late-records
-- title: What was recorded long after it happened
-- why: Imported history and what waited in the spool is marked; anything else that is late is worth a look.
-- parameter minutes: how late is late = 5
SELECT position, system, type, occurred_at, recorded_at,
       round(epoch(recorded_at - occurred_at) / 60, 1) AS minutes_late, backfilled, spooled, actor
    FROM events
    WHERE recorded_at - occurred_at > to_minutes(CAST($minutes AS INTEGER))
    ORDER BY position;
