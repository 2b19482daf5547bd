"""`rollout run` at three in the morning: two at once, signals at every moment, a terminal that is gone."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import Rollout, read_until
from tests.support.outages import NOWHERE, give_back, take_away
from tests.support.running import python, run_words, running

ENDS = ("RunStopped", "CrashDetected")
SHOWS_MODE = "import os; print('mode:', os.environ['EXEC_MODE'])"


def ends(bot: Rollout) -> list[tuple[str, str]]:
    return [(row["type"], row["sentence"]) for row in bot.log("bot", *ENDS)]


def test_two_at_once(bot: Rollout, tmp_path: Path) -> None:
    """The second is told who runs: on this machine by its lock, on another one by the ledger's."""
    elsewhere = Rollout(tmp_path / "elsewhere", bot.dsn)
    with running(bot, tmp_path) as (_, program):
        here = bot(*run_words(tmp_path, *python("pass")), exits=5)
        assert f"process {program}" in here.err
        there = elsewhere(*run_words(tmp_path, *python("pass")), exits=5)
        assert "runs already, on " in there.err
    assert len(bot.log("bot", "RunStarted")) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_are_passed_on(bot: Rollout, tmp_path: Path, number: signal.Signals) -> None:
    """Whoever stops the supervisor stops the program: no crash, and the signal is in the exit code."""
    with running(bot, tmp_path) as (supervisor, _):
        supervisor.send_signal(number)
        # Python makes an exception of SIGINT, tells it, and dies of it.
        assert supervisor.wait(20) == 128 + number
    ((type_, sentence),) = ends(bot)
    assert type_ == "RunStopped"
    assert number.name in sentence


def test_a_program_that_does_not_end(bot: Rollout, tmp_path: Path) -> None:
    """Ctrl-C again and again changes nothing; it says whom it waits for, and tells how that ended."""
    deaf = (
        "import os, signal, time; signal.signal(15, signal.SIG_IGN); signal.signal(2, signal.SIG_IGN);"
        "print('ready', os.getpid(), flush=True); time.sleep(60)"
    )
    with running(bot, tmp_path, deaf) as (supervisor, program):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            supervisor.send_signal(number)
            assert f"waiting for process {program}" in read_until(supervisor, "passed on")
        os.kill(program, signal.SIGKILL)
        assert supervisor.wait(20) == 128 + signal.SIGKILL
    assert [type_ for type_, _ in ends(bot)] == ["RunStopped"]


def test_a_hangup_may_mean_read_your_files_again(bot: Rollout, tmp_path: Path) -> None:
    """A program that lives on after SIGHUP, and dies of something else later, crashed."""
    # Written without a buffer: the signal may come while `print` still holds it.
    rereads = (
        "import os, signal, sys, time\n"
        "def again(*_): os.write(1, b'again\\n'); sys.exit(3)\n"
        "signal.signal(1, again)\n"
        "os.write(1, b'ready %d\\n' % os.getpid()); time.sleep(60)"
    )
    with running(bot, tmp_path, rereads) as (supervisor, _):
        supervisor.send_signal(signal.SIGHUP)
        assert supervisor.wait(20) == 3
    assert [type_ for type_, _ in ends(bot)] == ["CrashDetected"]


def test_nohup_means_it(bot: Rollout, tmp_path: Path) -> None:
    """Started under nohup, neither the supervisor nor the program dies at logout."""
    words = [sys.executable, "-m", "cli.main", *run_words(tmp_path, *python(WAITS_FOR_INPUT))]
    environment = os.environ | {"ROLLOUT_HOME": str(bot.home), "ROLLOUT_DSN": str(bot.dsn)}
    process = subprocess.Popen(
        ["nohup", *words], env=environment, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    read_until(process, "ready")
    process.send_signal(signal.SIGHUP)
    process.communicate("go on\n", timeout=20)
    assert process.returncode == 0


WAITS_FOR_INPUT = "print('ready', flush=True); print(input())"


def test_asked_to_stop_before_it_began(tmp_path: Path) -> None:
    """A Ctrl-C between the record and the start: a program that trades is not started to be stopped."""
    code = (
        "import os, signal, sys; from ledger.clock import SystemClock\n"
        "from ledger.service.runs.supervisor import Program\n"
        "with Program(['touch', sys.argv[1]], SystemClock(), print, 0) as program:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    ended = program.run(os.environ)\n"
        "print(ended.told, ended.asked, ended.crashed)"
    )
    touched = tmp_path / "touched"
    told = subprocess.run(
        [*python(code), str(touched)], capture_output=True, text=True, check=True, timeout=20
    )
    assert told.stdout == "killed by SIGINT True False\n"
    assert not touched.exists()


def test_a_signal_while_another_one_is_told() -> None:
    """Ctrl-C twice in a hurry: a stream takes no message within a message, and it is waited for still."""
    code = (
        "import os, signal, sys; from ledger.clock import SystemClock\n"
        "from ledger.service.runs.supervisor import Program\n"
        "said, depth = [], [0]\n"
        "def say(text):\n"
        "    depth[0] += 1; assert depth[0] == 1, 'a message within a message'\n"
        "    said.append(text.split()[0])\n"
        "    if len(said) == 1: os.kill(os.getpid(), signal.SIGTERM)\n"
        "    else: os.kill(int(text.split()[-3]), signal.SIGKILL)\n"
        "    depth[0] -= 1\n"
        "deaf = ('import os, signal, time; signal.signal(15, signal.SIG_IGN); '\n"
        "    'signal.signal(2, signal.SIG_IGN); os.kill(os.getppid(), 2); time.sleep(60)')\n"
        "with Program([sys.executable, '-c', deaf], SystemClock(), say, 0) as program:\n"
        "    ended = program.run(os.environ)\n"
        "print(said, ended.told, ended.asked)"
    )
    told = subprocess.run(python(code), capture_output=True, text=True, check=False, timeout=40)
    assert told.stdout == "['SIGINT', 'SIGTERM'] killed by SIGKILL True\n", told.stderr


def test_a_program_that_asks_at_the_terminal(bot: Rollout, tmp_path: Path) -> None:
    """It would be stopped without a word, as a background job is; so there is nothing to read."""
    asks = "input('really? ')"
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"ROLLOUT_HOME": str(bot.home), "ROLLOUT_DSN": str(bot.dsn)}
        words = [sys.executable, "-m", "cli.main", *run_words(tmp_path, *python(asks))]
        os.execv(sys.executable, words)
    told = b""
    with contextlib.suppress(OSError):  # the other side is closed
        while chunk := os.read(terminal, 4096):
            told += chunk
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 1
    assert b"EOFError" in told
    assert [type_ for type_, _ in ends(bot)] == ["CrashDetected"]


def test_a_mode_that_can_not_be_put_in_place_starts_nothing(bot: Rollout, tmp_path: Path) -> None:
    """I9: the program would read another mode than the one that is recorded, with the ledger or without."""
    (tmp_path / "mode.json").unlink()
    (tmp_path / "mode.json").mkdir()
    told = bot(*run_words(tmp_path, *python(SHOWS_MODE)), exits=9)
    assert "would not find the mode mock" in told.err
    cut_off = Rollout(bot.home, NOWHERE)
    told = cut_off(*run_words(tmp_path, *python(SHOWS_MODE)), exits=9)
    assert "would not find the mode paused/halt" in told.err
    assert "mode:" not in told.out
    assert bot.log("bot", "RunStarted") == []


def test_a_system_that_is_told_over_http_alone(rollout: Rollout, tmp_path: Path) -> None:
    """It does not answer before it runs: its environment says the mode."""
    rollout("system", "add", "bot", "--http-admin", "http://127.0.0.1:9")
    told = rollout(*run_words(tmp_path, *python(SHOWS_MODE)))
    assert "mode: mock" in told.out.splitlines()
    assert "told by EXEC_MODE alone" in told.err
    told = Rollout(rollout.home, NOWHERE)(*run_words(tmp_path, *python(SHOWS_MODE)))
    assert "mode: paused" in told.out.splitlines()


def test_the_ledger_goes_away_in_the_countdown(bot: Rollout, tmp_path: Path) -> None:
    """I5: what is to run in mock or real is on record before it runs; next time it is halted."""
    words = [word if word != "0" else "2" for word in run_words(tmp_path, *python(SHOWS_MODE))]
    process = bot.start(*words)
    read_until(process, "starting in 2")
    take_away(str(bot.dsn))
    try:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 9, said
        assert "Nothing was started" in said
        assert "mode: paused" in bot(*words).out.splitlines()
    finally:
        give_back(str(bot.dsn))


def test_what_goes_wrong_after_the_end_does_not_change_how_it_ended(
    bot: Rollout, tmp_path: Path
) -> None:
    """The exit code is the program's, though the report can't be written."""
    (tmp_path / "out" / "stop_report.json").mkdir(parents=True)
    told = bot(*run_words(tmp_path, *python("import sys; sys.exit(7)")), exits=7)
    assert "stop_report.json" in told.err
    assert [type_ for type_, _ in ends(bot)] == ["CrashDetected"]
