-- id: slow-acknowledgements
-- title: Alerts that nobody looked after in time
-- why: Critical alerts without an acknowledgement, or with a late one, mean that the paging is broken.
-- parameter minutes: how soon is in time = 15
-- parameter severity: only this severity
SELECT fired_at, system, alert, severity, acknowledged_at, acknowledged_by,
       round(lasted(fired_at, acknowledged_at) / 60, 1) AS minutes, status, resolved_at, how
    FROM alerts
    WHERE (acknowledged_at IS NULL OR acknowledged_at - fired_at > to_minutes(CAST($minutes AS INTEGER)))
      AND ($severity IS NULL OR severity = $severity)
    ORDER BY fired_at DESC;
