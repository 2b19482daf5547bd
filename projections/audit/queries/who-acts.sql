-- id: who-acts
-- title: Who has acted: people, services, rules, agents, importers
-- why: A name that nobody expects, or one that still acts after it left, shows here.
SELECT actor, actor_kind, actor_id, count(*) AS events,
       count(*) FILTER (type NOT IN ('MetricsRecorded', 'OrderActivityRecorded')) AS decisions,
       count(DISTINCT system) AS systems, min(occurred_at) AS first, max(occurred_at) AS last
    FROM events
    GROUP BY ALL
    ORDER BY decisions DESC, events DESC;
