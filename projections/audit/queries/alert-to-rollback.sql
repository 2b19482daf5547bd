-- id: alert-to-rollback
-- title: How long from an alert to the rollback that followed it
-- why: The time that harm went on for: alert fired, rollback requested, rollback done.
-- parameter within_minutes: the longest time between the two = 120
SELECT rollbacks.system, alert, severity, fired_at, requested_at, rollbacks.status,
       round(lasted(fired_at, requested_at)) AS seconds_to_decide,
       round(lasted(fired_at, ended_at)) AS seconds_to_done, rollbacks.actor
    FROM rollbacks
    ASOF JOIN alerts ON alerts.system = rollbacks.system AND alerts.fired_at <= rollbacks.requested_at
    WHERE requested_at - fired_at <= to_minutes(CAST($within_minutes AS INTEGER))
    ORDER BY requested_at DESC;
