"""Checks that start programs: how they end, and that nothing of them is left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ledger.preflight.clean import DETAIL_MAX
from tests.support.preflight import PROGRAMS, find, put, wait_for_none

SECRET = "a1B2c3D4e5F6g7H8i9J0"


@pytest.mark.parametrize(
    ("item", "result", "measured"),
    [
        ("command: [true]", "PASS", "exit 0"),
        ("command: [false]", "FAIL", "exit 1"),
        ("command: [sh, -c, exit 3], exit_codes: [0, 3]", "PASS", "exit 3"),
        ("command: [sh, -c, exit 5], warn_codes: [5]", "WARN", "exit 5"),
        ("command: [sh, -c, 'kill -TERM $$$$']", "FAIL", "ended by SIGTERM"),
        ("command: [no-such-program]", "FAIL", "no-such-program can't be started: no such file or directory"),
        ("command: [pwd], cwd: absent", "FAIL", "pwd can't be started: no such file or directory"),
    ],
)  # fmt: skip
def test_a_program_passes_by_its_exit_code(
    tmp_path: Path, item: str, result: str, measured: str
) -> None:
    item = item.replace("[true]", "['true']").replace("[false]", "['false']")
    found = find(tmp_path, f"kind: command, {item}")
    assert (found.result, found.measured) == (result, measured)
    assert found.threshold.startswith("exit 0")


def test_a_program_gets_its_folder_and_variables_and_no_input(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    found = find(
        tmp_path,
        "kind: command, command: [sh, -c, 'pwd; echo $$MODE $$BASE; cat'], cwd: src, env: {MODE: dry}",
        environment={**PROGRAMS, "BASE": "given"},
    )
    assert (found.result, found.detail) == ("PASS", f"{tmp_path}/src\ndry given")


def test_that_a_program_was_ours_and_not_the_bots_is_said(tmp_path: Path) -> None:
    """Whoever has activated our environment finds our `python` first, without the bot's packages."""
    ours = Path(sys.executable).parent
    path = {"PATH": f"{ours}{os.pathsep}/usr/bin{os.pathsep}/bin"}
    item = "kind: command, command: [python, -c, 'import {}']"
    found = find(tmp_path, item.format("no_such_module"), environment=path)
    assert found.detail.endswith(
        f"\npython was {ours / 'python'}, of the environment that rollout runs in"
    )
    assert "No module named" in found.detail
    assert find(tmp_path, item.format("sys"), environment=path).detail == ""
    theirs = find(tmp_path, "kind: command, command: [sh, -c, 'exit 1']", environment=path)
    assert (theirs.result, theirs.detail) == ("FAIL", "")


def test_what_a_program_says_is_kept_without_secrets(tmp_path: Path) -> None:
    """I6: neither what looks like a secret nor what the environment holds as one."""
    found = find(
        tmp_path,
        "kind: command, command: [sh, -c, 'echo api_secret=$$API_SECRET; echo \"got $$ODD\"; exit 1']",
        environment={
            **PROGRAMS,
            "API_SECRET": SECRET,
            "ODD": "x-" + SECRET,
            "DB_PASSWORD": "tiny#1",
        },
    )
    assert found.result == "FAIL"
    assert found.detail == "[secret removed]\ngot [secret removed]"
    assert SECRET not in repr(found)


def test_of_much_output_the_end_is_kept_and_shown_plainly(tmp_path: Path) -> None:
    program = put(
        tmp_path / "talk.py", "print('line\\n' * 500_000 + '\\x1b[31mlast\\x07 words\\x1b[0m')"
    )
    found = find(tmp_path, f"kind: command, command: ['{sys.executable}', {program.name}]")
    assert found.result == "PASS"
    assert found.detail.endswith("last\N{REPLACEMENT CHARACTER} words")
    assert len(found.detail) <= DETAIL_MAX + 1
    assert "\x1b" not in found.detail


def test_a_program_that_hangs_is_an_error_and_is_gone_with_its_children(tmp_path: Path) -> None:
    """I12: nothing goes on behind the back of the person who reads the verdict."""
    mark = f"{tmp_path.name}-hangs"
    script = (
        f"trap '' TERM INT HUP; sleep 300 {mark} & (sleep 300 {mark} & sleep 300 {mark}) & wait"
    )
    # `sleep` takes no name, so a copy of it carries the mark in its path.
    script = script.replace(f"sleep 300 {mark}", f"./{mark} 300")
    (tmp_path / mark).symlink_to("/bin/sleep")
    found = find(tmp_path, f'kind: command, command: [sh, -c, "{script}"], timeout: 300ms')
    assert (found.result, found.detail) == ("ERROR", "no answer within 300ms")
    assert found.took_ms == 300
    assert wait_for_none(mark) == []


def test_what_a_program_leaves_in_the_background_is_ended_with_it(tmp_path: Path) -> None:
    """It ends well, and a child of it holds its output open."""
    mark = f"{tmp_path.name}-stays"
    (tmp_path / mark).symlink_to("/bin/sleep")
    found = find(tmp_path, f"kind: command, command: [sh, -c, './{mark} 300 & echo done']")
    assert (found.result, found.detail) == ("PASS", "done")
    assert wait_for_none(mark) == []


@pytest.mark.parametrize(
    ("says", "bounds", "result", "measured"),
    [
        ("Python 3.11.2", "min: '3.11'", "PASS", "3.11.2"),
        ("Python 3.9.18", "min: '3.11'", "FAIL", "3.9.18"),
        ("v3.13.0rc1 (main)", "min: '3.13'", "FAIL", "3.13.0rc1"),
        ("nginx/1.18.0 (Ubuntu)", "min: '1.10', max: '1.20'", "PASS", "1.18.0"),
        ("tool 2.5", "max: '2.4'", "FAIL", "2.5"),
        ("tool 2.5", "min: '2', warn_min: '3'", "WARN", "2.5"),
        ("build 77", "min: '70', pattern: 'build (\\d+)'", "PASS", "77"),
    ],
)
def test_versions_compare_as_versions(
    tmp_path: Path, says: str, bounds: str, result: str, measured: str
) -> None:
    found = find(tmp_path, f"kind: program_version, command: [echo, '{says}'], {bounds}")
    assert (found.result, found.measured) == (result, measured)


def test_a_program_without_a_version_is_no_pass(tmp_path: Path) -> None:
    """I8."""
    silent = find(tmp_path, "kind: program_version, command: [echo, hello], min: '1'")
    assert (silent.result, "no version in what echo says" in silent.detail) == ("ERROR", True)
    absent = find(tmp_path, "kind: program_version, command: [no-such-program], min: '1'")
    assert (absent.result, "can't be started" in absent.measured) == ("FAIL", True)
