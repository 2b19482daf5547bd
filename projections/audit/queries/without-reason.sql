-- id: without-reason
-- title: Decisions that people made without saying why
-- why: A decision without a reason can't be reviewed; observations and automation are left out.
-- parameter since: only from this time on
SELECT occurred_at, system, type, actor, channel, position
    FROM events
    WHERE actor_kind = 'human' AND coalesce(trim(reason), '') = '' AND NOT backfilled
      AND type IN ('ModeSwitchRequested', 'ConfigApplyRequested', 'RollbackRequested', 'FingerprintMarkedStable',
                   'FingerprintQuarantined', 'EventCorrected')
      AND ($since IS NULL OR occurred_at >= CAST($since AS TIMESTAMP))
    ORDER BY position DESC;
