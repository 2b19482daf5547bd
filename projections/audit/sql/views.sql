-- What people ask. Every view has a comment; docs/audit.md lists the columns.

CREATE VIEW events AS
SELECT position, system, type, actor, actor_kind, channel, reason, occurred_at, recorded_at, backfilled,
       operation, stream, revision, event_id, try(json_extract(decode(body, 'replace'), '$.data')) AS data,
       actor_id, cause, spooled, schema_version
    FROM log.event;
COMMENT ON VIEW events IS 'Every event: who, when, what, why';

CREATE VIEW config_changes AS
SELECT system, key, old, new, actor, reason, occurred_at,
       'sha256:' || lower(hex(fingerprint)) AS fingerprint, cause, position,
       actor_kind, recorded_at, 'sha256:' || lower(hex(previous)) AS previous, late AS backfilled
    FROM facts.config_change;
COMMENT ON VIEW config_changes IS 'Every change of every configuration key';

-- Late history (imported, or spooled while Postgres was down) lies where its own time puts it. What was
-- recorded live stands in the order in which it was decided: if a clock was set back in between, a stay begins
-- no earlier than the one before it, and occurred_at has what the clock said.
CREATE VIEW mode_intervals AS
SELECT system, mode, kind, since, until, epoch(until) - epoch(since) AS seconds,
       actor, reason, actor_kind, carried_by, position, occurred_at
    FROM (
        SELECT system, to_mode AS mode, to_kind AS kind, ordered_at AS since,
               lead(ordered_at) OVER (PARTITION BY system ORDER BY ordered_at, position) AS until,
               actor, reason, actor_kind, carried_by, position, occurred_at
            FROM (
                SELECT *, CASE WHEN late THEN occurred_at ELSE max(occurred_at) OVER (
                              PARTITION BY system ORDER BY position) END AS ordered_at
                    FROM facts.mode WHERE type = 'ModeSwitched'
            )
    );
COMMENT ON VIEW mode_intervals IS 'In which mode each system was, from when until when; the last one is open';

-- An end before its beginning is what a clock that was set back has left: how long it took can't be told.
CREATE MACRO lasted(since, until) AS CASE WHEN until >= since THEN epoch(until) - epoch(since) END;

CREATE VIEW alerts AS
SELECT system, alert, first(severity ORDER BY position) AS severity,
       first(message ORDER BY position) AS message, first(occurred_at ORDER BY position) AS fired_at,
       min(occurred_at) FILTER (type = 'AlertAcknowledged') AS acknowledged_at,
       min_by(actor, position) FILTER (type = 'AlertAcknowledged') AS acknowledged_by,
       min(occurred_at) FILTER (type = 'AlertResolved') AS resolved_at,
       min_by(actor, position) FILTER (type = 'AlertResolved') AS resolved_by,
       min(how) FILTER (type = 'AlertResolved') AS how,
       lasted(first(occurred_at ORDER BY position), min(occurred_at) FILTER (type = 'AlertResolved')) AS seconds,
       CASE WHEN count(*) FILTER (type = 'AlertResolved') > 0 THEN 'resolved'
            WHEN episode < max(episode) OVER (PARTITION BY system, alert) THEN 'fired again'
            ELSE 'firing' END AS status,
       min(position) AS position
    FROM (
        SELECT *, count(*) FILTER (type = 'AlertFired') OVER (
                      PARTITION BY system, alert ORDER BY position) AS episode
            FROM facts.alert
    )
    WHERE episode > 0
    GROUP BY system, alert, episode;
COMMENT ON VIEW alerts IS 'Every time an alert fired, until it was resolved';

CREATE VIEW rollbacks AS
SELECT any_value(system) AS system,
       any_value(from_fingerprint) AS from_fingerprint, any_value(to_fingerprint) AS to_fingerprint,
       first(actor ORDER BY position) AS actor, first(reason ORDER BY position) AS reason,
       first(occurred_at ORDER BY position) AS requested_at,
       max(occurred_at) FILTER (type IN ('RollbackCompleted', 'RollbackAbandoned')) AS ended_at,
       lasted(first(occurred_at ORDER BY position),
              max(occurred_at) FILTER (type IN ('RollbackCompleted', 'RollbackAbandoned'))) AS seconds,
       CASE WHEN count(*) FILTER (type = 'RollbackCompleted') > 0 THEN 'completed'
            WHEN count(*) FILTER (type = 'RollbackAbandoned') > 0 THEN 'abandoned'
            WHEN count(*) FILTER (type = 'RollbackFailed') > 0 THEN 'failed'
            ELSE 'open' END AS status,
       count(*) FILTER (type = 'RollbackStepCompleted') AS steps,
       any_value(selector) AS selector, last(explanation ORDER BY position) AS explanation,
       any_value(operation) AS operation, min(position) AS position, first(actor_kind ORDER BY position) AS actor_kind
    FROM facts.rollback
    GROUP BY coalesce(operation, position::VARCHAR);
COMMENT ON VIEW rollbacks IS 'Every rollback, from the intent to what came of it';

CREATE VIEW incidents AS
SELECT system, incident, any_value(title) AS title, any_value(severity) AS severity,
       CASE last(type ORDER BY position) FILTER (type <> 'IncidentNoted')
            WHEN 'IncidentOpened' THEN 'open'
            ELSE lower(substr(last(type ORDER BY position) FILTER (type <> 'IncidentNoted'), 9)) END AS status,
       min(occurred_at) FILTER (type = 'IncidentOpened') AS opened_at,
       first(actor ORDER BY position) AS opened_by,
       min(occurred_at) FILTER (type = 'IncidentAcknowledged') AS acknowledged_at,
       min(occurred_at) FILTER (type = 'IncidentMitigated') AS mitigated_at,
       min(occurred_at) FILTER (type = 'IncidentResolved') AS resolved_at,
       min(occurred_at) FILTER (type = 'IncidentClosed') AS closed_at,
       lasted(min(occurred_at) FILTER (type = 'IncidentOpened'),
              min(occurred_at) FILTER (type = 'IncidentMitigated')) AS seconds_to_mitigate,
       any_value(alert) AS alert,
       list(detail ORDER BY position) FILTER (detail IS NOT NULL) AS notes, min(position) AS position
    FROM facts.incident
    GROUP BY system, incident;
COMMENT ON VIEW incidents IS 'Every incident, with its times and notes';

CREATE VIEW metrics AS
SELECT system, metric, labels, value, occurred_at, position, late AS backfilled
    FROM facts.metric;
COMMENT ON VIEW metrics IS 'Every measured value';

-- A field's value is canonical JSON text, as the audit line had it: fields ->> 'size', field(fields, 'market').
CREATE VIEW orders AS
SELECT system, kind, fields, occurred_at, recorded_at, position, late AS backfilled
    FROM facts.order_activity;
COMMENT ON VIEW orders IS 'Order activity from the bots'' own audit files';

CREATE MACRO field(fields, name) AS try(json_extract_string(json_extract_string(fields, '$."' || name || '"'), '$'));

CREATE VIEW mode_switches AS
SELECT position, system, type, from_mode, from_kind, to_mode, to_kind, actor, reason, occurred_at, recorded_at,
       carried_by, took_ms, explanation, actor_kind, operation, late AS backfilled
    FROM facts.mode;
COMMENT ON VIEW mode_switches IS 'Every step of every mode switch: asked, done, refused, unconfirmed';

CREATE VIEW fingerprints AS
SELECT system, fingerprint,
       min(occurred_at) FILTER (type = 'ConfigRegistered') AS registered_at,
       min(occurred_at) FILTER (type = 'ConfigApplied') AS first_applied_at,
       max(occurred_at) FILTER (type = 'ConfigApplied') AS last_applied_at,
       count(*) FILTER (type = 'ConfigApplied') AS times_applied,
       CASE last(type ORDER BY position) FILTER (type IN ('FingerprintMarkedStable', 'FingerprintQuarantined'))
            WHEN 'FingerprintMarkedStable' THEN 'stable' WHEN 'FingerprintQuarantined' THEN 'quarantined'
            END AS verdict,
       list(tag ORDER BY position) FILTER (tag IS NOT NULL) AS tags
    FROM facts.config WHERE fingerprint IS NOT NULL
    GROUP BY system, fingerprint;
COMMENT ON VIEW fingerprints IS 'Every configuration by its fingerprint';

CREATE VIEW drifts AS
SELECT position, system, type, subject, expected, found, actor, occurred_at, recorded_at
    FROM facts.drift;
COMMENT ON VIEW drifts IS 'Where the world and the ledger were found to disagree, and to agree again';
