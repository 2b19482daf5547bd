-- id: unfinished
-- title: What was begun and never ended
-- why: After a crash, rollout recover ends everything; what is left here was missed.
SELECT min(occurred_at) AS begun_at, any_value(system) AS system, first(type ORDER BY position) AS began_as,
       last(type ORDER BY position) AS last_seen_as, any_value(actor) AS actor, any_value(reason) AS reason,
       operation, min(position) AS position
    FROM events WHERE operation IS NOT NULL
    GROUP BY operation
    HAVING began_as IN ('ModeSwitchRequested', 'ConfigApplyRequested', 'RollbackRequested')
       AND NOT bool_or(type IN ('ModeSwitched', 'ModeSwitchUnconfirmed', 'ModeSwitchAbandoned', 'ConfigApplied',
                                'ConfigApplyFailed', 'RollbackCompleted', 'RollbackAbandoned'))
    ORDER BY position;
