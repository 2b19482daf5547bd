"""The simulation can fail: each of these mutants breaks a promise, and the auditor sees it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from ledger.alerts import judge
from ledger.domain import events
from ledger.domain.errors import LedgerUnreachable
from ledger.domain.modes import decide as modes
from ledger.domain.rollbacks import decide as rollbacks
from ledger.domain.state import SystemState
from ledger.service import offline, recovery
from ledger.service.alerts import actions
from ledger.service.core.session import Finished
from tests.simulation.stories import play

SEEDS: Final = 60
"""By then each of them has shown; most have by the third."""
Mutate = Callable[[pytest.MonkeyPatch], object]


def real_needs_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(modes, "_require_guard", lambda *_: None)


def a_rule_raises_exposure(patch: pytest.MonkeyPatch) -> None:
    def to_real(_ledger: object, state: SystemState, *_: object) -> tuple[str, str]:
        path = str(state.actuators.control_file)
        Path(path).write_text('{"mode": "real"}')
        return "done", "better so"

    patch.setattr(actions, "_pause", to_real)


def a_rule_overrides_a_person(patch: pytest.MonkeyPatch) -> None:
    act = actions.act

    def stubborn(
        ledger: Any, plan: Any, rules: Any, state: SystemState, *rest: Any, **named: Any
    ) -> Any:
        return act(ledger, plan, rules, replace(state, human_position=0), *rest, **named)

    patch.setattr(actions, "act", stubborn)


def a_crash_is_never_finished(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recovery, "finish_dead_operations", lambda *_: Finished([], [], []))


def the_clock_runs_while_nobody_looks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judge.Look, "unseen", timedelta(0))


def no_data_is_good_news(patch: pytest.MonkeyPatch) -> None:
    def vanished(judged: Any, key: str) -> None:
        judged.events.append(events.AlertResolved(alert=key, how="condition_cleared"))

    patch.setattr(judge._Judged, "vanished", vanished)


def any_stable_one_will_do(patch: pytest.MonkeyPatch) -> None:
    def oldest(state: SystemState, _in_place: str | None) -> str | None:
        return next((name for name, one in state.configs.items() if one.stable), None)

    patch.setattr(rollbacks, "last_stable", oldest)


def a_pause_waits_for_the_ledger(patch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object) -> None:
        raise LedgerUnreachable("Not now.")

    patch.setattr(offline, "_pause_without_ledger", give_up)


def what_was_done_alone_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(offline, "spool_prepared", lambda *_: None)


@pytest.mark.parametrize(
    ("mutate", "seen_as"),
    [
        (real_needs_nothing, "I8"),
        (a_rule_raises_exposure, "I9"),
        (a_rule_overrides_a_person, "I9"),
        (a_crash_is_never_finished, "I12"),
        (the_clock_runs_while_nobody_looks, "was pending for"),
        (no_data_is_good_news, "saw None"),
        (any_stable_one_will_do, "I10"),
        (a_pause_waits_for_the_ledger, "I5"),
        (what_was_done_alone_is_forgotten, ""),
    ],
)
def test_a_broken_promise_is_seen(
    mutate: Mutate, seen_as: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I5, I8, I9, I10, I12, I14: a check that can't fail is worth nothing."""
    mutate(monkeypatch)
    with pytest.raises(AssertionError) as broken:  # noqa: PT012 -- any of the stories may tell
        for seed in range(SEEDS):
            (tmp_path / str(seed)).mkdir()
            play(seed, tmp_path / str(seed))
    assert seen_as in str(broken.value)
