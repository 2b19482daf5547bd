-- STABLE, as convert_to() is: declared IMMUTABLE it would not be inlined, and cost three times as much.
-- The database is in UTF8 (roles.sql insists), so octet_length() of a text is that of its UTF-8 bytes.
-- leaf = SHA-256(0x00 || framed fields); every field is be32(length) || bytes. See docs/hash-layout.md.
CREATE FUNCTION ledger.leaf(
    format smallint, "position" bigint, revision bigint, schema_version integer, event_id uuid,
    occurred_at timestamptz, recorded_at timestamptz, body_hash bytea, stream text, type text
) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(
    '\x0000000002'::bytea || int2send(format)
    || '\x00000008'::bytea || int8send("position")
    || '\x00000008'::bytea || int8send(revision)
    || '\x00000004'::bytea || int4send(schema_version)
    || '\x00000010'::bytea || uuid_send(event_id)
    || '\x00000008'::bytea || timestamptz_send(occurred_at)
    || '\x00000008'::bytea || timestamptz_send(recorded_at)
    || '\x00000020'::bytea || body_hash
    || int4send(octet_length(stream)) || convert_to(stream, 'UTF8')
    || int4send(octet_length(type)) || convert_to(type, 'UTF8')
);
