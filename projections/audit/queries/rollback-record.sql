-- id: rollback-record
-- title: Every rollback: who, from what to what, how long it took, how it ended
-- why: The rehearsal record; a rollback that is open or failed wants a person.
-- parameter system: only this system
SELECT requested_at, system, status, left(from_fingerprint, 19) AS left_behind,
       left(to_fingerprint, 19) AS gone_back_to, round(seconds, 3) AS seconds, steps, actor, reason,
       explanation, position
    FROM rollbacks WHERE $system IS NULL OR system = $system
    ORDER BY requested_at DESC, position DESC;
