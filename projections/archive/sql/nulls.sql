-- How many rows `log.event` has, and the first position of a row that lacks a field: a NULL would compare
-- as neither equal nor different to what was recorded.
SELECT count(*), min(position) FILTER (
        format IS NULL OR revision IS NULL OR schema_version IS NULL OR event_id IS NULL
        OR occurred_at IS NULL OR recorded_at IS NULL OR body_hash IS NULL OR stream IS NULL
        OR type IS NULL OR chain IS NULL OR body IS NULL
    ), count(*) FILTER (position IS NULL)
    FROM log.event;
