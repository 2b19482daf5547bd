-- For the connection that synchronises; none of it stays in the replica.

-- A text as COPY's text format writes it, back to what it was. Backslashes are rare, so most rows cost
-- one look. Split at the doubled ones first: what is left of a backslash begins an escape.
CREATE OR REPLACE TEMP MACRO unescaped(written) AS CASE WHEN contains(written, '\') THEN
    array_to_string(list_transform(string_split(written, '\\'), lambda part:
        replace(replace(replace(replace(replace(replace(part,
            '\n', chr(10)), '\t', chr(9)), '\r', chr(13)), '\b', chr(8)), '\f', chr(12)), '\v', chr(11))
    ), '\')
ELSE written END;

-- What a body says, in three cuts: a field costs for every event that it is looked for in.
-- A body that is no JSON (somebody changed it) says nothing; its bytes are in the replica all the same.
CREATE OR REPLACE TEMP MACRO envelope(body) AS try(json_transform(decode(body, 'replace'), '{
    "system": "VARCHAR", "channel": "VARCHAR", "reason": "VARCHAR",
    "operation": "VARCHAR", "cause": "VARCHAR", "backfilled": "BOOLEAN", "spooled": "BOOLEAN",
    "actor": {"id": "VARCHAR", "name": "VARCHAR", "kind": "VARCHAR"}
}'));

CREATE OR REPLACE TEMP MACRO observation(body) AS try(json_transform(decode(body, 'replace'), '{
    "system": "VARCHAR", "backfilled": "BOOLEAN", "spooled": "BOOLEAN",
    "data": {
        "samples": [{"metric": "VARCHAR", "value": "DOUBLE", "labels": "JSON"}],
        "kind": "VARCHAR", "fields": "JSON"
    }
}'));

CREATE OR REPLACE TEMP MACRO decision(body) AS try(json_transform(decode(body, 'replace'), '{
    "system": "VARCHAR", "reason": "VARCHAR", "operation": "VARCHAR",
    "backfilled": "BOOLEAN", "spooled": "BOOLEAN",
    "actor": {"name": "VARCHAR", "kind": "VARCHAR"},
    "data": {
        "fingerprint": "VARCHAR", "previous": "VARCHAR", "cause": "VARCHAR", "tag": "VARCHAR",
        "changes": [{"key": "VARCHAR", "old": "VARCHAR", "new": "VARCHAR"}],
        "from_mode": "VARCHAR", "from_kind": "VARCHAR", "to_mode": "VARCHAR", "to_kind": "VARCHAR",
        "carried_by": "VARCHAR", "took_ms": "BIGINT", "waited_ms": "BIGINT", "explanation": "VARCHAR",
        "alert": "VARCHAR", "severity": "VARCHAR", "message": "VARCHAR", "labels": "JSON", "how": "VARCHAR",
        "incident": "VARCHAR", "title": "VARCHAR", "note": "VARCHAR", "action": "VARCHAR",
        "resolution": "VARCHAR",
        "from_fingerprint": "VARCHAR", "to_fingerprint": "VARCHAR", "selector": "VARCHAR",
        "subject": "VARCHAR", "expected": "VARCHAR", "found": "VARCHAR"
    }
}'));
