"""What every test stands on: a clean environment, fixed profiles, and real servers."""

from __future__ import annotations

import os
import signal

import hypothesis
import pytest

from tests.support import postgres, programs
from tests.support.postgres import (
    dsn,
    embedded_dsn,
    embedded_server,
    empty_dsn,
    home,
    postgres_server,
)

__all__ = ["dsn", "embedded_dsn", "embedded_server", "empty_dsn", "home", "postgres_server"]

# What the developer has set for the real thing must reach no test, nor a program that it starts.
for name in list(os.environ):
    if name.startswith("ROLLOUT_") and not name.startswith("ROLLOUT_TEST_"):
        del os.environ[name]
    if name.startswith("PG"):
        del os.environ[name]

# What a user's machine does not set: with it a stream that can't be written fails at another place.
os.environ.pop("PYTHONUNBUFFERED", None)

# A run that was started in the background ignores Ctrl-C, one by nohup SIGHUP: so would each program of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

hypothesis.settings.register_profile("dev", max_examples=50, deadline=None, database=None)
hypothesis.settings.register_profile(
    "ci", max_examples=400, deadline=None, database=None, derandomize=True, print_blob=True
)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev")
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's folder; the workers of pytest-xdist share it."""
    if not hasattr(config, "workerinput"):
        postgres.open_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what the run has started."""
    if not hasattr(config, "workerinput"):
        postgres.close_run()


def pytest_report_header() -> list[str]:
    """Say what the run covers."""
    return [f"PostgreSQL: {', '.join(programs.postgres_servers())}"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a program that is not here; the end of the run tells of it."""
    kept = programs.without_what_is_missing(items)
    left_out = [item for item in items if item not in set(kept)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where CI insists, what is missing fails."""
    for program in programs.missing_for(item):
        pytest.fail(f"{program} is missing: {programs.HOW_TO_GET_THEM[program]}", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end, also under -q, what was not proved."""
    lines = programs.not_proved()
    if lines:
        terminalreporter.section("NOT PROVED BY THIS RUN", sep="!", red=True, bold=True)
    for line in lines:
        terminalreporter.write_line(f"NOT PROVED: {line}", red=True, bold=True)
