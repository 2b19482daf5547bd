"""The mode rules: exposure is a strict order, and `real` is only ever reached from `mock`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from ledger.domain.errors import BadInput
from ledger.domain.values.modes import (
    Mode,
    PauseKind,
    Transition,
    exposure,
    full_kind,
    raises_exposure,
    transition,
)

Setting = tuple[Mode, PauseKind | None]

SETTINGS: list[Setting] = [
    (Mode.MOCK, None),
    (Mode.REAL, None),
    *((Mode.PAUSED, kind) for kind in PauseKind),
]
settings = st.sampled_from(SETTINGS)
present = st.one_of(st.none(), settings)


def judge(current: Setting | None, target: Setting) -> Transition:
    before, before_kind = current if current is not None else (None, None)
    return transition(before, target[0], current_kind=before_kind, target_kind=target[1])


def test_every_setting_has_its_own_rank_and_paused_is_below_mock_below_real() -> None:
    """Two sources that disagree are told apart by rank, and the safer one wins."""
    ranked = sorted(SETTINGS, key=lambda setting: exposure(*setting))
    assert ranked == [
        (Mode.PAUSED, PauseKind.DRAIN),
        (Mode.PAUSED, PauseKind.HALT),
        (Mode.PAUSED, PauseKind.REDUCE_ONLY),
        (Mode.MOCK, None),
        (Mode.REAL, None),
    ]
    assert len({exposure(*setting) for setting in SETTINGS}) == len(SETTINGS)


def test_a_pause_that_names_no_kind_is_a_halt() -> None:
    """A bot that knows of no kinds rejects all orders, which is what halt means."""
    assert full_kind(Mode.PAUSED) is PauseKind.HALT
    assert exposure(Mode.PAUSED) == exposure(Mode.PAUSED, PauseKind.HALT)
    assert transition(Mode.PAUSED, Mode.PAUSED, target_kind=PauseKind.HALT) is Transition.NO_OP


@given(mode=st.sampled_from([Mode.MOCK, Mode.REAL]), kind=st.sampled_from(PauseKind))
def test_a_kind_goes_only_with_a_pause(mode: Mode, kind: PauseKind) -> None:
    with pytest.raises(BadInput, match="is no pause"):
        full_kind(mode, kind)
    with pytest.raises(BadInput, match="is no pause"):
        exposure(mode, kind)


@given(current=present, target=settings)
def test_the_same_setting_is_a_no_op_and_nothing_else_is(
    current: Setting | None, target: Setting
) -> None:
    """I16: a switch to where it already is says so."""
    assert (judge(current, target) is Transition.NO_OP) == (current == target)


@given(current=present, target=st.sampled_from(PauseKind))
def test_anything_may_be_paused(current: Setting | None, target: PauseKind) -> None:
    """I9: what only reduces exposure is never in the way of a rule or a person."""
    assert judge(current, (Mode.PAUSED, target)) is not Transition.REFUSED


@given(current=present)
def test_real_is_reached_only_from_mock(current: Setting | None) -> None:
    """Seed 001: start in mock; after a pause, mock first and then real."""
    verdict = judge(current, (Mode.REAL, None))
    if current is None or current[0] is Mode.PAUSED:
        assert verdict is Transition.REFUSED
    else:
        assert verdict is not Transition.REFUSED


@given(path=st.lists(settings, max_size=12))
def test_no_path_of_allowed_switches_enters_real_but_from_mock(path: Sequence[Setting]) -> None:
    current: Setting | None = None
    for target in path:
        if judge(current, target) is Transition.ALLOWED:
            if target[0] is Mode.REAL:
                assert current == (Mode.MOCK, None)
            current = target


@given(current=settings, target=settings)
def test_raising_is_the_opposite_of_lowering(current: Setting, target: Setting) -> None:
    def raises(before: Setting, after: Setting) -> bool:
        return raises_exposure(before[0], after[0], current_kind=before[1], target_kind=after[1])

    assert not (raises(current, target) and raises(target, current))
    assert (raises(current, target) or raises(target, current)) == (current != target)


@pytest.mark.parametrize(("mode", "adds_risk"), [("mock", True), ("real", True), ("paused", False)])
def test_from_an_unknown_present_only_a_pause_is_free(mode: str, adds_risk: bool) -> None:
    """I5: what may raise exposure is not done without the ledger."""
    assert raises_exposure(None, Mode(mode)) is adds_risk
