-- Decide a batch item by item, and change nothing: what ledger.append answers when something is off.
-- Items see the ones before them. Only of use under the append lock; head_ is the last position.
CREATE FUNCTION ledger.decided(
    ids uuid[], streams text[], expected bigint[], types text[], schema_versions integer[],
    occurred timestamptz[], bodies bytea[], all_or_nothing boolean, head_ bigint, now_ timestamptz,
    OUT outcomes text[], OUT positions bigint[], OUT revisions bigint[], OUT times timestamptz[]
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    item_      record;
    last_      bigint := head_;
    bad_       boolean := false;
    holder_    integer;      -- the item of this batch that has taken the id
    holders_   integer[];    -- ... by id
    standing_  bigint[];     -- by stream: its revision, this batch so far counted in
    logged_    bigint[];     -- by item: its stream's revision in the log
BEGIN
    FOR item_ IN
        SELECT u.*, u.ord::integer AS at, (u.stream, u.type, u.schema_version, u.occurred, sha256(u.body)) AS content,
               dense_rank() OVER (ORDER BY u.stream) AS nth_stream, dense_rank() OVER (ORDER BY u.id) AS nth_id,
               coalesce((SELECT s.revision FROM ledger.event AS s
                   WHERE s.stream = u.stream ORDER BY s.revision DESC LIMIT 1), 0) AS logged,
               e.position, e.revision, e.recorded_at,
               e.stream = u.stream AND e.type = u.type AND e.schema_version = u.schema_version
                   AND e.occurred_at = u.occurred AND e.body_hash = sha256(u.body) AS same
            FROM unnest(ids, streams, expected, types, schema_versions, occurred, bodies) WITH ORDINALITY
                AS u (id, stream, expected, type, schema_version, occurred, body, ord)
            LEFT JOIN LATERAL (SELECT k.* FROM ledger.event AS k WHERE k.event_id = u.id LIMIT 1) AS e ON true
            ORDER BY u.ord
    LOOP
        logged_[item_.at] := item_.logged;
        standing_[item_.nth_stream] := coalesce(standing_[item_.nth_stream], item_.logged);
        holder_ := holders_[item_.nth_id];
        positions[item_.at] := NULL;
        revisions[item_.at] := NULL;
        times[item_.at] := NULL;
        IF item_.position IS NOT NULL THEN
            IF item_.same THEN
                outcomes[item_.at] := 'duplicate';
                positions[item_.at] := item_.position;
                revisions[item_.at] := item_.revision;
                times[item_.at] := item_.recorded_at;
            ELSE
                outcomes[item_.at] := 'id_reused';
                bad_ := true;
            END IF;
        ELSIF holder_ IS NOT NULL THEN
            IF item_.content = (streams[holder_], types[holder_], schema_versions[holder_], occurred[holder_],
                                sha256(bodies[holder_])) THEN
                outcomes[item_.at] := 'duplicate';
                positions[item_.at] := positions[holder_];
                revisions[item_.at] := revisions[holder_];
                times[item_.at] := now_;
            ELSE
                outcomes[item_.at] := 'id_reused';
                bad_ := true;
            END IF;
        ELSIF item_.expected <> standing_[item_.nth_stream] THEN
            outcomes[item_.at] := 'conflict';
            revisions[item_.at] := standing_[item_.nth_stream];
            bad_ := true;
        ELSE
            last_ := last_ + 1;
            standing_[item_.nth_stream] := standing_[item_.nth_stream] + 1;
            holders_[item_.nth_id] := item_.at;
            outcomes[item_.at] := 'appended';
            positions[item_.at] := last_;
            revisions[item_.at] := standing_[item_.nth_stream];
            times[item_.at] := now_;
        END IF;
    END LOOP;
    IF NOT (all_or_nothing AND bad_) THEN
        RETURN;
    END IF;
    -- Nothing of this batch will be in the log: say so, and where the streams stand without it.
    FOR at_ IN 1 .. cardinality(outcomes) LOOP
        IF positions[at_] > head_ THEN
            outcomes[at_] := 'not_appended';
            positions[at_] := NULL;
            revisions[at_] := NULL;
            times[at_] := NULL;
        ELSIF outcomes[at_] = 'conflict' THEN
            revisions[at_] := logged_[at_];
        END IF;
    END LOOP;
END
$$;
