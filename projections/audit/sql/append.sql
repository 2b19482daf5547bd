-- What `staging.fresh` holds, into the replica. One transaction with whatever else the sync does for the file.
INSERT INTO log.event
SELECT format, position, revision, schema_version, event_id, occurred_at, recorded_at, body_hash, stream,
       type, chain, body,
       said.system, said.actor.id, said.actor.name, said.actor.kind, said.channel, said.reason,
       said.operation, said.cause, coalesce(said.backfilled, false), coalesce(said.spooled, false)
    FROM (SELECT *, envelope(body) AS said FROM staging.fresh);

INSERT INTO facts.metric
SELECT position, system, sample.metric, sample.labels, sample.value, occurred_at, late
    FROM (
        SELECT position, occurred_at, said.system AS system, unnest(said.data.samples) AS sample,
               coalesce(said.backfilled, false) OR coalesce(said.spooled, false) AS late
            FROM (SELECT *, observation(body) AS said FROM staging.fresh WHERE type = 'MetricsRecorded')
    );

INSERT INTO facts.order_activity
SELECT position, said.system, said.data.kind, said.data.fields, occurred_at, recorded_at,
       coalesce(said.backfilled, false) OR coalesce(said.spooled, false)
    FROM (SELECT *, observation(body) AS said FROM staging.fresh WHERE type = 'OrderActivityRecorded');

CREATE OR REPLACE TEMP TABLE decided AS
SELECT position, type, said.system AS system, said.operation AS operation, said.data AS data,
       said.actor.name AS actor, said.actor.kind AS actor_kind, said.reason AS reason,
       occurred_at, recorded_at,
       coalesce(said.backfilled, false) OR coalesce(said.spooled, false) AS late
    FROM (
        SELECT *, decision(body) AS said
            FROM staging.fresh WHERE type NOT IN ('MetricsRecorded', 'OrderActivityRecorded')
    );

INSERT INTO facts.config_change
SELECT position, system, change.key, change.old, change.new,
       try(unhex(substr(data.fingerprint, 8))), try(unhex(substr(data.previous, 8))), data.cause,
       actor, actor_kind, reason, occurred_at, recorded_at, late
    FROM (SELECT *, unnest(data.changes) AS change FROM decided WHERE type = 'ConfigApplied');

INSERT INTO facts.config
SELECT position, type, system, data.fingerprint, data.previous, data.cause, data.tag, len(data.changes),
       actor, actor_kind, reason, occurred_at, recorded_at, late
    FROM decided
    WHERE type IN ('ConfigRegistered', 'ConfigApplyRequested', 'ConfigApplied', 'ConfigApplyFailed',
        'FingerprintTagged', 'FingerprintMarkedStable', 'FingerprintQuarantined');

INSERT INTO facts.mode
SELECT position, type, system, operation, data.from_mode, data.from_kind, data.to_mode, data.to_kind,
       data.carried_by, coalesce(data.took_ms, data.waited_ms), data.explanation,
       actor, actor_kind, reason, occurred_at, recorded_at, late
    FROM decided WHERE starts_with(type, 'ModeSwitch');

INSERT INTO facts.alert
SELECT position, type, system, data.alert, data.severity, data.message, data.labels, data.how,
       actor, actor_kind, reason, occurred_at, recorded_at, late
    FROM decided WHERE type IN ('AlertFired', 'AlertAcknowledged', 'AlertResolved');

INSERT INTO facts.incident
SELECT position, type, system, data.incident, data.title, data.severity, data.alert,
       coalesce(data.note, data.action, data.resolution),
       actor, actor_kind, reason, occurred_at, recorded_at, late
    FROM decided WHERE starts_with(type, 'Incident');

INSERT INTO facts.rollback
SELECT position, type, system, operation, data.from_fingerprint, data.to_fingerprint, data.selector,
       data.explanation,
       actor, actor_kind, reason, occurred_at, recorded_at, late
    FROM decided WHERE starts_with(type, 'Rollback');

INSERT INTO facts.drift
SELECT position, type, system, data.subject, data.expected, data.found,
       actor, actor_kind, reason, occurred_at, recorded_at, late
    FROM decided WHERE starts_with(type, 'Drift');
