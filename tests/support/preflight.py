"""Checks as a plan holds them, put to a context that a test makes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from ledger.clock import SystemClock
from ledger.configuration.strict import Strict, read_model
from ledger.preflight.context import CheckContext
from ledger.preflight.finding import Finding
from ledger.preflight.runner import run_checks
from ledger.preflight.specs import Check, Checks
from tests.support.fakes import START, FrozenClock

PROGRAMS = {"PATH": os.environ["PATH"]}


class Plan(Strict):
    """The part of a plan that is about checks."""

    params: dict[str, bool | int | float | str | None] = {}
    checks: Checks


def plan(text: str) -> Plan:
    """Return the plan that ``text`` (YAML) is."""
    return read_model(text.encode(), "plan.yaml", Plan)


def checks(*items: str) -> tuple[Check, ...]:
    """Return checks, each written as a YAML mapping in one line, without braces."""
    return plan("checks:\n" + "".join(f"  - {{{item}}}\n" for item in items)).checks


def context_in(base: Path, **facts: Any) -> CheckContext:
    """Return a context at `START`, with a PATH and no more."""
    given: dict[str, Any] = {
        "system": "polyarb-x",
        "clock": FrozenClock(),
        "base": base,
        "environment": PROGRAMS,
    }
    return CheckContext(**(given | facts))


def find(base: Path, item: str, **facts: Any) -> Finding:
    """Return what one check finds."""
    (finding,) = run_checks(checks(f"name: it, {item}"), context_in(base, **facts))
    return finding


def put(
    path: Path, content: str | bytes, *, age_seconds: float = 0, mode: int | None = None
) -> Path:
    """Write a file of that age, counted to `START`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if mode is not None:
        path.chmod(mode)
    moment = START.timestamp() - age_seconds
    os.utime(path, (moment, moment))
    return path


def results(findings: tuple[Finding, ...]) -> Mapping[str, str]:
    """Return name -> result."""
    return {finding.name: str(finding.result) for finding in findings}


def alive(mark: str) -> list[int]:
    """Return the processes that carry ``mark`` in their command line."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if mark in " ".join(process.info["cmdline"] or [])
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def wait_for_none(mark: str) -> list[int]:
    """Wait a moment for killed processes to be gone, and return those that are not."""
    clock = SystemClock()
    deadline = clock.monotonic() + 5
    while (left := alive(mark)) and clock.monotonic() < deadline:
        clock.sleep(0.02)
    return left
