"""Running checks: side by side, in order, whatever one of them does; and revisions of a checkout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from dulwich import porcelain

from ledger.clock import SystemClock
from ledger.domain.errors import BadInput
from ledger.preflight.finding import Finding
from ledger.preflight.runner import run_checks
from tests.support.preflight import (
    alive,
    checks,
    context_in,
    find,
    plan,
    put,
    results,
    wait_for_none,
)

SLEEPS = "kind: command, command: [sleep, '300'], timeout: 300ms"


def test_findings_come_in_the_order_of_the_plan(tmp_path: Path) -> None:
    put(tmp_path / "a", "")
    findings = run_checks(
        checks(
            "name: slow, kind: command, command: [sleep, '0.2'], priority: P1, category: system",
            "name: hangs, " + SLEEPS,
            "name: quick, kind: file, path: a, priority: P3",
            "name: absent, kind: file, path: b",
        ),
        context_in(tmp_path),
    )
    assert results(findings) == {
        "slow": "PASS",
        "hangs": "ERROR",
        "quick": "PASS",
        "absent": "FAIL",
    }
    first = findings[0]
    assert (first.kind, first.priority, first.category) == ("command", "P1", "system")
    assert first.took_ms >= 200


def test_checks_run_side_by_side_and_not_all_at_once(tmp_path: Path) -> None:
    """Two that wait for each other both end; of four, never more than two are under way."""
    os.mkfifo(tmp_path / "pipe")
    meeting = checks(
        "name: writes, kind: command, command: [sh, -c, 'echo met > pipe']",
        "name: reads, kind: command, command: [cat, pipe]",
    )
    assert set(results(run_checks(meeting, context_in(tmp_path))).values()) == {"PASS"}

    under_way, most = 0, 0

    def report(_name: str, finding: Finding | None) -> None:
        nonlocal under_way, most
        under_way += 1 if finding is None else -1
        most = max(most, under_way)

    four = checks(*(f"name: c{i}, kind: command, command: ['true']" for i in range(4)))
    run_checks(four, context_in(tmp_path), report=report, at_a_time=2)
    assert (under_way, most) == (0, 2)


def test_progress_is_told_by_the_thread_that_asked(tmp_path: Path) -> None:
    """Whoever shows it needs no lock."""
    told: list[tuple[str, str | None]] = []
    threads: set[int] = set()

    def report(name: str, finding: Finding | None) -> None:
        told.append((name, finding and str(finding.result)))
        threads.add(threading.get_ident())

    two = checks("name: left-out, kind: ledger", "name: done, kind: disk_space, min_free: 1B")
    run_checks(two, context_in(tmp_path), skips={"left-out": "no ledger here"}, report=report)
    assert told == [("left-out", "SKIP"), ("done", None), ("done", "PASS")]
    assert threads == {threading.get_ident()}


def test_what_is_skipped_is_shown_with_its_reason_and_needs_no_parameter(tmp_path: Path) -> None:
    """I8, I11: a skip is no pass, and says why."""
    given = plan('params: {url: null}\nchecks: [{name: admin, kind: http, url: "${url}"}]').checks
    (finding,) = run_checks(given, context_in(tmp_path), skips={"admin": "runs without it"})
    assert (finding.result, finding.detail) == ("SKIP", "runs without it")
    assert (finding.measured, finding.took_ms) == ("", 0)
    with pytest.raises(BadInput, match="check admin, url"):
        run_checks(given, context_in(tmp_path))


def test_a_skip_of_no_check_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    given = checks(f"name: touch, kind: command, command: [touch, '{tmp_path}/ran']")
    with pytest.raises(BadInput, match="no check 'tuoch' to skip; did you mean 'touch'"):
        run_checks(given, context_in(tmp_path), skips={"tuoch": "because"})
    assert not (tmp_path / "ran").exists()


def test_one_that_throws_is_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    """I8, I6: it counts as ERROR, and a secret in the exception stays out of it."""

    def broken() -> int:
        raise RuntimeError("api_secret=hunter2-Secret was not taken")

    two = checks("name: throws, kind: ledger", "name: holds, kind: disk_space, min_free: 1B")
    findings = run_checks(two, context_in(tmp_path, ledger_head=broken))
    assert results(findings) == {"throws": "ERROR", "holds": "PASS"}
    assert findings[0].detail.startswith("the check broke off: RuntimeError: ")
    assert "hunter2" not in repr(findings)


def test_no_check_at_all_finds_nothing(tmp_path: Path) -> None:
    """I8: what that is worth, the verdict says."""
    assert run_checks((), context_in(tmp_path)) == ()


PROGRAM = """
import sys, threading
from pathlib import Path
from ledger.preflight.runner import run_checks
from tests.support.preflight import checks, context_in
def stuck():
    print("stuck", flush=True)
    threading.Event().wait()
folder = Path(sys.argv[1])
found = run_checks(checks(*sys.argv[2:]), context_in(folder, ledger_head=stuck),
    report=lambda name, finding: print(name, finding and finding.result, flush=True))
print(*(finding.detail for finding in found))
"""


def _program(folder: Path, *items: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, folder, *items], stdout=subprocess.PIPE, text=True
    )


def test_a_check_that_hangs_in_our_own_code_does_not_keep_the_process(tmp_path: Path) -> None:
    """Nothing can end a thread, so the process must be able to go without it."""
    process = _program(tmp_path, "name: hangs, kind: ledger, timeout: 100ms")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.splitlines()[-1] == "no answer within 100ms"


def test_ctrl_c_ends_the_programs_too(tmp_path: Path) -> None:
    """They are in groups of their own, which the terminal's Ctrl-C does not reach."""
    mark = f"{tmp_path.name}-interrupted"
    (tmp_path / mark).symlink_to("/bin/sleep")
    item = f"name: long, kind: command, command: [sh, -c, './{mark} 300 & wait'], timeout: 5m"
    process = _program(tmp_path, item)
    assert process.stdout is not None
    clock = SystemClock()
    deadline = clock.monotonic() + 60
    while not alive(f"./{mark}") and clock.monotonic() < deadline:
        clock.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    process.stdout.close()
    assert process.returncode != 0
    assert wait_for_none(mark) == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout of two commits, the first of them tagged v2.0.0."""
    porcelain.init(str(tmp_path))
    for version in ("2.0.0", "3.0.0"):
        put(tmp_path / "bot.py", f"version = '{version}'\n")
        put(tmp_path / ".gitignore", "*.log\n")
        porcelain.add(str(tmp_path), [str(tmp_path / "bot.py"), str(tmp_path / ".gitignore")])
        porcelain.commit(
            str(tmp_path), message=version.encode(), author=b"a <a@x>", committer=b"a <a@x>"
        )
        if version == "2.0.0":
            porcelain.tag_create(
                str(tmp_path), "v2.0.0", author=b"a <a@x>", message=b"m", annotated=True
            )
    return tmp_path


def test_a_checkout_is_clean_and_where_it_should_be(checkout: Path) -> None:
    put(checkout / "run.log", "ignored")
    clean = find(checkout, "kind: code_revision, at: master")
    assert (clean.result, clean.measured.endswith(", clean")) == ("PASS", True)
    short = clean.measured.removeprefix("at ")[:7]
    assert find(checkout, f"kind: code_revision, at: '{short}'").result == "PASS"
    (checkout / "sub").mkdir()
    assert find(checkout / "sub", "kind: code_revision, at: master").result == "PASS"


def test_a_checkout_elsewhere_or_changed_fails(checkout: Path) -> None:
    elsewhere = find(checkout, "kind: code_revision, at: v2.0.0")
    assert (elsewhere.result, "at v2.0.0 (" in elsewhere.threshold) == ("FAIL", True)
    unknown = find(checkout, "kind: code_revision, at: v9")
    assert (unknown.result, unknown.detail.strip()) == ("FAIL", "there is no revision v9")
    put(checkout / "new.py", "x")
    untracked = find(checkout, "kind: code_revision")
    assert (untracked.result, untracked.detail) == ("FAIL", "new.py")
    assert find(checkout, "kind: code_revision, untracked_ok: true").result == "PASS"
    put(checkout / "bot.py", "version = 'mine'\n")
    changed = find(checkout, "kind: code_revision, untracked_ok: true")
    assert (changed.result, changed.detail) == ("FAIL", "bot.py")
    assert find(checkout, "kind: code_revision, at: master, clean: false").result == "PASS"


def test_what_is_no_checkout_is_an_error(tmp_path: Path) -> None:
    assert find(tmp_path, "kind: code_revision").result == "ERROR"
    porcelain.init(str(tmp_path))
    empty = find(tmp_path, "kind: code_revision")
    assert (empty.result, "has no commit" in empty.detail) == ("ERROR", True)
