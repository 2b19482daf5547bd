-- id: incident-record
-- title: Every incident, how long until it was mitigated and resolved
-- why: The raw figures behind the time to mitigate and the time to resolve.
-- parameter system: only this system
SELECT opened_at, system, incident, title, severity, status, round(seconds_to_mitigate) AS seconds_to_mitigate,
       round(lasted(opened_at, resolved_at)) AS seconds_to_resolve, opened_by, notes
    FROM incidents WHERE $system IS NULL OR system = $system
    ORDER BY opened_at DESC;
