-- id: blame
-- title: The present value of every configuration key, and who set it
-- why: The same as rollout config blame, derived a second way, from the changes alone.
-- parameter system: the system (required)
SELECT key, last(new ORDER BY occurred_at, position) AS value,
       last(actor ORDER BY occurred_at, position) AS actor,
       max(occurred_at) AS set_at,
       last(reason ORDER BY occurred_at, position) AS reason,
       last(left(fingerprint, 19) ORDER BY occurred_at, position) AS fingerprint,
       count(*) AS changes
    FROM config_changes WHERE system = $system
    GROUP BY key
    HAVING arg_max(new IS NOT NULL, (occurred_at, position))
    ORDER BY key;
