-- id: drift-found
-- title: Where the world was found to differ from the ledger
-- why: Each is a change by hand, or a write that was lost; the ledger never knew who did it.
-- parameter system: only this system
SELECT occurred_at, system, type, subject, regexp_replace(expected, 'sha256:([0-9a-f]{12})[0-9a-f]{52}', '\1') AS expected,
       regexp_replace(found, 'sha256:([0-9a-f]{12})[0-9a-f]{52}', '\1') AS found, actor, position
    FROM drifts WHERE $system IS NULL OR system = $system
    ORDER BY occurred_at DESC, position DESC;
