"""The control file: what a bot reads, and whatever may be found in its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.actuators.control_file import ControlFile
from ledger.domain.values.actuation import NotCarried, Outcome
from ledger.domain.values.modes import Mode, PauseKind
from tests.support.switching import outcomes, switch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mode.json"


def test_the_control_file_is_what_the_seeds_bot_reads(path: Path) -> None:
    """Seed 001: `{"mode": …, "message": …}`; I11: the message says who, why, in which operation."""
    switch(ControlFile(path), Mode.REAL)
    assert json.loads(path.read_bytes()) == {
        "mode": "real",
        "message": "alice: drawdown [operation op-1]",
    }
    switch(ControlFile(path), Mode.PAUSED, PauseKind.REDUCE_ONLY)
    assert json.loads(path.read_bytes())["pause_kind"] == "reduce_only"


def test_keys_of_the_systems_own_are_kept(path: Path) -> None:
    own = '{"limits": {"b": 1.50, "a": 99999999999999999999}, "mode": "mock", "笔记": "留"}'
    path.write_text(own, encoding="utf-8")
    carried = switch(ControlFile(path), Mode.PAUSED)
    assert carried.warnings == ()
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["limits"] == {"b": 1.5, "a": 99999999999999999999}
    assert content["笔记"] == "留"
    assert content["mode"] == "paused"
    assert "留" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "found",
    [b"", b"{", b"\xff\xfe", b"[1]", b"[" * 60_000, b"1" * 5000, b"x" * 100_000],
    ids=["empty", "half", "binary", "list", "deep", "long number", "large"],
)
def test_a_control_file_that_makes_no_sense_does_not_stop_a_pause(path: Path, found: bytes) -> None:
    path.write_bytes(found)
    reading = ControlFile(path).observe().readings[0]
    assert reading.mode is None
    assert str(path) in (reading.problem or "")
    carried = switch(ControlFile(path), Mode.PAUSED)
    assert carried.confirmed
    assert "replaced as a whole" in carried.warnings[0]


def test_a_control_file_as_windows_writes_it_is_read(path: Path) -> None:
    """Seed 001 runs in PowerShell, which puts a byte order mark first."""
    path.write_bytes('\ufeff{"mode": "paused", "own": 1}'.encode())
    assert ControlFile(path).observe().readings[0].mode is Mode.PAUSED
    switch(ControlFile(path), Mode.MOCK)
    assert json.loads(path.read_bytes())["own"] == 1


@pytest.mark.parametrize("told", ["live", "PAUSED", "", None, 1, ["real"], {"mode": "real"}])
def test_a_word_that_is_no_mode_is_named_and_cut_short(path: Path, told: object) -> None:
    """I6: whatever stands there is quoted by its first characters only."""
    path.write_text(json.dumps({"mode": told}), encoding="utf-8")
    reading = ControlFile(path).observe().readings[0]
    assert reading.mode is None
    assert "expected one of mock | real | paused" in (reading.problem or "")
    path.write_text(json.dumps({"mode": "sk_live_" + "x" * 300}), encoding="utf-8")
    assert len(ControlFile(path).observe().readings[0].problem or "") < len(str(path)) + 120


def test_a_pause_of_a_kind_nobody_knows_is_still_a_pause(path: Path) -> None:
    path.write_text('{"mode": "paused", "pause_kind": "nap"}', encoding="utf-8")
    observed = ControlFile(path).observe()
    assert observed.safe is not None
    assert observed.safe.mode is Mode.PAUSED
    assert "nap" in (observed.safe.problem or "")


def test_a_reason_in_a_foreign_encoding_is_written_as_json_all_the_same(path: Path) -> None:
    ControlFile(path).switch(
        mode=Mode.PAUSED, pause_kind=None, message="caf\udce9", operation_id="op-1"
    )
    assert json.loads(path.read_bytes())["mode"] == "paused"


def test_a_control_file_that_cannot_be_written_says_where_and_what_next(path: Path) -> None:
    path.mkdir()
    with pytest.raises(NotCarried, match=r"mode\.json can't be written") as refusal:
        switch(ControlFile(path), Mode.PAUSED)
    assert outcomes(refusal.value) == [("control_file", Outcome.FAILED)]
    assert refusal.value.hint
    assert refusal.value.exit_code == 9
