-- id: metrics-around-changes
-- title: What each configuration change did to the metrics
-- why: Compares every metric's mean before a configuration took effect with its mean after.
-- parameter system: the system (required)
-- parameter minutes: how long before and after = 30
-- parameter metric: only this metric
WITH applied AS (
    SELECT position, occurred_at, actor, reason, left(fingerprint, 19) AS fingerprint
        FROM facts.config WHERE type = 'ConfigApplied' AND system = $system
), measured AS (
    SELECT metric, value, occurred_at FROM metrics
        WHERE system = $system AND ($metric IS NULL OR metric = $metric) AND isfinite(value)
)
SELECT applied.occurred_at, applied.fingerprint, measured.metric,
       avg(value) FILTER (measured.occurred_at < applied.occurred_at) AS before,
       avg(value) FILTER (measured.occurred_at >= applied.occurred_at) AS after,
       round(100 * (after - before) / nullif(abs(before), 0), 1) AS percent,
       count(*) AS samples, any_value(applied.actor) AS actor, any_value(applied.reason) AS reason
    FROM applied
    JOIN measured
        ON measured.occurred_at >= applied.occurred_at - to_minutes(CAST($minutes AS INTEGER))
       AND measured.occurred_at < applied.occurred_at + to_minutes(CAST($minutes AS INTEGER))
    GROUP BY ALL
    ORDER BY applied.occurred_at DESC, measured.metric;
