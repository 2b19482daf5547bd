"""The hash layout is frozen: these values were written once and are never written again (I3)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ledger.domain.log import canonical
from ledger.domain.log.envelope import Recorded
from ledger.store.base import chain_after

ROOT = Path(__file__).parents[2]
VECTORS: list[dict[str, Any]] = json.loads((ROOT / "tests/vectors/chain.json").read_bytes())
FROZEN = "36501e3774d2ae99"


def recorded(vector: dict[str, Any]) -> Recorded:
    """Return a vector as the event that it stands for."""
    return Recorded(
        position=vector["position"],
        revision=vector["revision"],
        schema_version=vector["schema_version"],
        event_id=UUID(vector["event_id"]),
        occurred_at=datetime.fromisoformat(vector["occurred_at"]),
        recorded_at=datetime.fromisoformat(vector["recorded_at"]),
        stream=vector["stream"],
        type=vector["type"],
        body=vector["body"].encode(),
        body_hash=bytes.fromhex(vector["body_hash"]),
        chain=bytes.fromhex(vector["chain"]),
    )


def test_the_vectors_themselves_are_frozen() -> None:
    """I3: whoever edits the file to make a test pass has broken every ledger there is."""
    content = (ROOT / "tests/vectors/chain.json").read_bytes()
    assert hashlib.sha256(content).hexdigest().startswith(FROZEN)


def test_python_agrees_with_the_vectors() -> None:
    """I3: body hash and chain value of each event."""
    chain = canonical.GENESIS
    for vector in VECTORS:
        event = recorded(vector)
        assert canonical.body_hash(event.body) == event.body_hash
        chain = chain_after(chain, event)
        assert chain == event.chain, f"position {event.position}"


def test_the_vectors_cover_what_is_hard() -> None:
    """Unicode, an empty body, big numbers, times before 2000 and far ahead, long names."""
    events = [recorded(vector) for vector in VECTORS]
    assert {event.body for event in events} >= {b"", b"{}"}
    assert any(not event.stream.isascii() for event in events)
    assert any(not event.type.isascii() for event in events)
    assert any("🚀" in event.body.decode() for event in events)
    assert any(b"9007199254740991" in event.body for event in events)
    assert max(len(event.stream) for event in events) >= 300
    assert min(event.occurred_at.year for event in events) == 1
    assert max(event.occurred_at.year for event in events) == 9999
    assert max(event.schema_version for event in events) == 2**31 - 1
    assert max(event.revision for event in events) > 2


@pytest.mark.parametrize("field", [*VECTORS[0]])
def test_every_field_counts(field: str) -> None:
    """I3: a change of any field of any event changes its chain value."""
    chain = canonical.GENESIS
    for vector in VECTORS:
        event = recorded(vector)
        if field != "chain":
            changed = replace(event, **{field: _other(getattr(event, field))})
            if field == "body_hash":  # recomputed from the body, and compared on its own
                assert canonical.body_hash(changed.body) != changed.body_hash
            else:
                assert chain_after(chain, changed) != event.chain
        else:
            assert chain_after(_other(chain), event) != event.chain
        chain = event.chain


def _other(value: Any) -> Any:
    """Return something of the same type that differs as little as can be."""
    match value:
        case bytes() if value:
            return value[:-1] + bytes([value[-1] ^ 1])
        case bytes():
            return b"\x00"
        case str():
            return value[:-1]
        case int():
            return value - 1
        case datetime():
            step = timedelta(microseconds=1)
            return value - step if value.year == 9999 else value + step
        case UUID():
            return UUID(int=value.int ^ 1)
        case _:
            raise TypeError(value)


def test_moving_a_byte_between_two_fields_changes_the_leaf() -> None:
    """I3: fields are framed, so that no other split of the same bytes has the same leaf."""
    event = recorded(VECTORS[1])
    one = replace(event, stream="ab", type="c")
    two = replace(event, stream="a", type="bc")
    assert chain_after(bytes(32), one) != chain_after(bytes(32), two)


def test_the_page_is_executable(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/hash-layout.md: its verifier, run as it stands there, says what the page says it does."""
    page = (ROOT / "docs/hash-layout.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (said,) = re.findall(r"```text verifier\n(.*?)```", page, re.DOTALL)
    exec(compile(program, "hash-layout.md", "exec"), {"PATH": ROOT / "tests/vectors/chain.json"})
    assert capsys.readouterr().out == said


def test_the_worked_example_is_the_second_vector() -> None:
    """docs/hash-layout.md: each line of hex stands where the page says, and hashes to what it says."""
    page = (ROOT / "docs/hash-layout.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```text preimage\n(.*?)```", page, re.DOTALL)
    preimage = bytes.fromhex("".join(line.partition("  ")[0] for line in example.splitlines()))
    leaf = hashlib.sha256(preimage)
    assert f"leaf      {leaf.hexdigest()}" in page
    first, second = VECTORS[:2]
    chain = hashlib.sha256(b"\x02" + bytes.fromhex(first["chain"]) + leaf.digest())
    assert chain.hexdigest() == second["chain"]
    for value in (first["chain"], second["chain"], second["body_hash"], second["body"]):
        assert value in page
