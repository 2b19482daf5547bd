-- id: switches-to-real
-- title: Every switch to real money: who, when, why, and what carried it
-- why: These raise exposure; each should have a person and a reason.
-- parameter system: only this system
SELECT occurred_at, system, from_mode, actor, actor_kind, reason, carried_by, took_ms, position
    FROM mode_switches
    WHERE type = 'ModeSwitched' AND to_mode = 'real' AND ($system IS NULL OR system = $system)
    ORDER BY occurred_at DESC, position DESC;
