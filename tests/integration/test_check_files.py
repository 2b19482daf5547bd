"""Checks of files, folders and disks, on real ones."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from tests.support.preflight import find, put

MINUTE, HOUR = 60, 3600
BACKTEST = (
    '{"sharpe": 0.45, "winrate": 0.5, "risk": {"max_drawdown": 0.045}, "text": "0.9", "nan": NaN}'
)
KEY = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


def test_an_env_file_that_is_private_and_set_passes(tmp_path: Path) -> None:
    """I6: that a key is set is told, what it is set to is not."""
    put(tmp_path / ".env", f"export PRIVATE_KEY={KEY}\nRPC_URL='https://rpc'  # main\n", mode=0o600)
    found = find(
        tmp_path,
        f"kind: file, path: .env, mode: '0600', owner: {getpass.getuser()}, "
        "contains_keys: [PRIVATE_KEY, RPC_URL]",
    )
    assert found.result == "PASS"
    assert found.measured == f"there, mode 0600, owner {getpass.getuser()}, 2 of 2 keys set"
    assert found.threshold == (
        f"there, mode at most 0600, owner {getpass.getuser()}, sets PRIVATE_KEY, RPC_URL"
    )
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("mode", "allowed", "result"),
    [(0o600, "0600", "PASS"), (0o400, "0600", "PASS"), (0o644, "0600", "FAIL"),
     (0o700, "0600", "FAIL"), (0o755, "755", "PASS"), (0o4755, "0755", "FAIL")],
)  # fmt: skip
def test_a_mode_may_permit_less_and_never_more(
    tmp_path: Path, mode: int, allowed: str, result: str
) -> None:
    put(tmp_path / "key.pem", "x").chmod(mode)
    found = find(tmp_path, f"kind: file, path: key.pem, mode: '{allowed}'")
    assert found.result == result
    assert f"mode {mode:04o}" in found.measured


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("PRIVATE_KEY=\n", "not PRIVATE_KEY"),
        ("PRIVATE_KEY=<your key>\n", "not PRIVATE_KEY"),
        ("#PRIVATE_KEY=0xabc\n", "not PRIVATE_KEY"),
        ("PRIVATE_KEY=your_private_key_here\n", "not PRIVATE_KEY"),
        ("OLD_PRIVATE_KEY=0xabc\n", "not PRIVATE_KEY"),
    ],
)
def test_a_key_without_a_value_is_not_set(tmp_path: Path, content: str, told: str) -> None:
    put(tmp_path / ".env", content)
    found = find(tmp_path, "kind: file, path: .env, contains_keys: [PRIVATE_KEY]")
    assert (found.result, told in found.measured) == ("FAIL", True)


def test_keys_of_a_configuration_are_key_paths(tmp_path: Path) -> None:
    put(tmp_path / "c.yaml", "risk: {max: 5, per_day: null}\n")
    assert find(tmp_path, "kind: file, path: c.yaml, contains_keys: [risk.max]").result == "PASS"
    assert (
        find(tmp_path, "kind: file, path: c.yaml, contains_keys: [risk.per_day]").result == "FAIL"
    )


def test_a_file_may_have_to_be_there_or_not(tmp_path: Path) -> None:
    put(tmp_path / "STOP", "")
    assert find(tmp_path, "kind: file, path: STOP, exists: false").result == "FAIL"
    assert find(tmp_path, "kind: file, path: GO, exists: false").result == "PASS"
    absent = find(tmp_path, "kind: file, path: GO")
    assert (absent.result, absent.measured, absent.threshold) == ("FAIL", "not there", "there")
    assert (
        find(tmp_path, "kind: file, path: STOP, executable: true").measured
        == "there, not executable"
    )
    assert find(tmp_path, f"kind: file, path: STOP, owner: '{os.geteuid()}'").result == "PASS"
    assert find(tmp_path, "kind: file, path: STOP, owner: nobody-at-all").result == "FAIL"


@pytest.mark.parametrize(
    ("age", "result", "measured"),
    [
        (10, "PASS", "there, 10s old"),
        (HOUR, "PASS", "there, 1h old"),
        (HOUR + 1, "WARN", "there, 1h1s old"),
        (24 * HOUR, "WARN", "there, 1d old"),
        (24 * HOUR + 1, "FAIL", "there, 1d1s old"),
        (-10 * MINUTE, "PASS", "there, 10m in the future"),
        (-48 * HOUR, "FAIL", "there, 2d in the future"),
    ],
)
def test_ages_have_a_band_that_warns(
    tmp_path: Path, age: float, result: str, measured: str
) -> None:
    """What lies further in the future than it may lie in the past is no fresh file: a clock is wrong."""
    put(tmp_path / "f", "", age_seconds=age)
    found = find(tmp_path, "kind: file, path: f, max_age: 24h, warn_age: 1h")
    assert (found.result, found.measured) == (result, measured)
    assert found.threshold == "there, at most 24h old, warn above 1h"


@pytest.mark.parametrize(
    ("values", "result", "measured"),
    [
        ("sharpe: {min: 0.2}, winrate: {min: 0.5}", "PASS", "sharpe 0.45; winrate 0.5"),
        ("risk.max_drawdown: {max: 0.05, warn_max: 0.04}", "WARN", "risk.max_drawdown 0.045"),
        ("sharpe: {min: 0.5}", "FAIL", "sharpe 0.45"),
        ("sharpe: {min: 0.2, warn_min: 0.4}", "PASS", "sharpe 0.45"),
        ("sharp: {min: 0.2}", "FAIL", "sharp is not there"),
        ("text: {min: 0.2}", "FAIL", "text is no number"),
        ("nan: {min: 0.2}", "FAIL", "nan is no number"),
        ("risk: {min: 0.2}", "FAIL", "risk is no number"),
    ],
)
def test_a_backtest_is_held_against_its_thresholds(
    tmp_path: Path, values: str, result: str, measured: str
) -> None:
    """I8: a value that is not there, or no number, does not pass."""
    put(tmp_path / "backtest_summary.json", BACKTEST, age_seconds=HOUR)
    item = f"kind: json_thresholds, path: backtest_summary.json, values: {{{values}}}"
    found = find(tmp_path, item)
    assert (found.result, found.measured) == (result, measured)
    late = find(tmp_path, f"{item}, max_age: 30m")
    assert (late.result, late.measured) == ("FAIL", f"{measured}; 1h old")
    assert late.threshold.endswith("; at most 30m old")


@pytest.mark.parametrize(("content", "result"), [(None, "FAIL"), ("{", "ERROR"), ("", "ERROR")])
def test_a_backtest_that_can_not_be_read_does_not_pass(
    tmp_path: Path, content: str | None, result: str
) -> None:
    """I8: no file, half a file."""
    if content is not None:
        put(tmp_path / "b.json", content)
    found = find(tmp_path, "kind: json_thresholds, path: b.json, values: {sharpe: {min: 0.2}}")
    assert found.result == result
    assert found.detail


def test_configurations_parse_or_the_place_is_told(tmp_path: Path) -> None:
    put(tmp_path / "configs" / "a.yaml", "a: 1\n")
    put(tmp_path / "configs" / "deep" / "b.yaml", "b: [1, 2]\n")
    put(tmp_path / "configs" / "c.toml", "c = 1\n")
    good = find(tmp_path, "kind: yaml_parses, paths: ['configs/**/*.yaml', configs/c.toml]")
    assert (good.result, good.measured) == ("PASS", "3 files parse")
    put(tmp_path / "configs" / "bad.yaml", "a: 1\na: 2\n")
    bad = find(tmp_path, "kind: yaml_parses, paths: ['configs/*.yaml', absent.yaml]")
    assert (bad.result, bad.measured) == ("FAIL", "2 files, 2 problems")
    assert "bad.yaml" in bad.detail
    assert "line 2" in bad.detail
    assert "absent.yaml: no such file" in bad.detail


def test_a_pattern_that_fits_nothing_is_no_pass(tmp_path: Path) -> None:
    """I8: zero files were read."""
    assert find(tmp_path, "kind: yaml_parses, paths: ['config/*.yaml']").result == "FAIL"


def test_room_on_the_disk(tmp_path: Path) -> None:
    assert find(tmp_path, "kind: disk_space, min_free: 1KB").result == "PASS"
    assert find(tmp_path, "kind: disk_space, min_free: 0%").result == "PASS"
    assert find(tmp_path, "kind: disk_space, min_free: 1KB, warn_free: 9000TiB").result == "WARN"
    full = find(tmp_path, "kind: disk_space, min_free: 9000TiB")
    assert full.result == "FAIL"
    assert "free (" in full.measured
    assert full.threshold == "at least 9000TiB free"
    assert find(tmp_path, "kind: disk_space, path: nowhere, min_free: 1KB").result == "ERROR"


def test_writable_means_that_something_was_written(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    put(tmp_path / "log", "kept")
    good = find(tmp_path, "kind: writable, paths: [data, log]")
    assert (good.result, good.measured) == ("PASS", "2 of 2 writable")
    assert list((tmp_path / "data").iterdir()) == []
    assert (tmp_path / "log").read_text() == "kept"
    # /proc takes no file, whoever asks: tests may run as root, whom no mode holds up.
    bad = find(tmp_path, "kind: writable, paths: [data, absent, /proc]")
    assert (bad.result, bad.measured) == ("FAIL", "1 of 3 writable")
    assert bad.detail.startswith("absent: no such file or directory\n/proc: ")


def test_a_pipe_holds_nothing_up(tmp_path: Path) -> None:
    """Opening a pipe waits for the other end; a check does not."""
    os.mkfifo(tmp_path / "pipe")
    assert find(tmp_path, "kind: writable, paths: [pipe]").result == "FAIL"
    assert find(tmp_path, "kind: file, path: pipe, contains_keys: [K]").result == "ERROR"
    assert find(tmp_path, "kind: secret_scan, path: .").measured == "0 in 0 files"


@pytest.mark.parametrize(
    ("content", "result"),
    [
        ("J= # paste the key here\n", "FAIL"),  # more/06: an empty value, and a comment
        ("J=# paste the key here\n", "PASS"),  # to a shell, python-dotenv and Compose it is a text
        ("J='' # paste\n", "FAIL"),
        ("J\n", "FAIL"),
        ("export J=x # note\n", "PASS"),
        ('J="two\nlines"\n', "PASS"),
        ("what is this?\nJ=x\n", "PASS"),
    ],
)
def test_a_variable_is_set_if_a_program_finds_it_set(
    tmp_path: Path, content: str, result: str
) -> None:
    """I31: a program that starts without its key is not ready, whatever the comment behind it says."""
    put(tmp_path / ".env", content)
    assert find(tmp_path, "kind: file, path: .env, contains_keys: [J]").result == result


def test_keys_of_other_formats(tmp_path: Path) -> None:
    put(tmp_path / "c.ini", "[risk]\nmax = 5\nmin =\n")
    put(tmp_path / "c.properties", "risk.max=5\n")
    put(tmp_path / "c.json", '{"risk": {"max": 5,}, // x\n}')
    for name in ("c.ini", "c.properties", "c.json"):
        item = f"kind: file, path: {name}, contains_keys: [risk.max]"
        assert find(tmp_path, item).result == "PASS"
    assert find(tmp_path, "kind: file, path: c.ini, contains_keys: [risk.min]").result == "FAIL"


def test_a_pattern_means_the_file_of_the_day(tmp_path: Path) -> None:
    """How old, the newest says; what is permitted, all of them: one open file is one too many."""
    put(tmp_path / "audit/2026-01-30.jsonl", "x", age_seconds=26 * HOUR, mode=0o600)
    put(tmp_path / "audit/2026-01-31.jsonl", "x", age_seconds=5 * MINUTE, mode=0o640)
    fresh = find(tmp_path, "kind: file, path: 'audit/*.jsonl', max_age: 1h")
    assert (fresh.result, fresh.measured) == (
        "PASS",
        "2 there, the newest 2026-01-31.jsonl, 5m old",
    )
    stale = find(tmp_path, "kind: file, path: 'audit/*.jsonl', max_age: 1m")
    assert stale.result == "FAIL"
    open_ = find(tmp_path, "kind: file, path: 'audit/*.jsonl', mode: '0600'")
    assert open_.result == "FAIL"
    assert "2026-01-31.jsonl: mode 0640" in open_.measured
    assert find(tmp_path, "kind: file, path: 'audit/*.csv'").result == "FAIL"
    assert find(tmp_path, "kind: file, path: 'audit/*.csv', exists: false").result == "PASS"
    assert find(tmp_path, "kind: file, path: '**/*.jsonl', exists: false").result == "FAIL"
    put(tmp_path / "odd[1].txt", "x")
    assert find(tmp_path, "kind: file, path: 'odd[1].txt'").result == "PASS"
