"""Keeping, naming, vouching for and applying configurations, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest

from ledger.domain import events
from ledger.domain.configurations import decide as configurations
from ledger.domain.decision import Decision
from ledger.domain.errors import (
    AmbiguousName,
    LedgerError,
    NameTaken,
    Refused,
    UnknownName,
    UnknownSystem,
)
from ledger.domain.log.event import Event
from ledger.domain.operations import ApplyOperation
from ledger.domain.state import SystemState, operation_of
from tests.support.tables import (
    ONE,
    OPERATION,
    PLACE,
    REGISTERED,
    THREE,
    TWO,
    Case,
    Refuses,
    Skips,
    Told,
    When,
    applied,
    fold,
    kept,
    quarantined,
    snapshot_of,
    stable,
    table,
)

SIBLING = ONE[:-1] + "2"
"""A fingerprint that begins as `ONE` does."""
OTHER_BYTES = "d" * 64
"""Another snapshot of `ONE`: other comments."""


def put(fingerprint: str = ONE, snapshot: str | None = None) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        registered = kept(fingerprint, snapshot=snapshot)
        assert isinstance(registered, events.ConfigRegistered)
        return configurations.register(state, registered)

    return when


def apply(fingerprint: str = ONE, in_place: str | None = None, *, override: bool = False) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        return configurations.request_apply(
            state, fingerprint, in_place=in_place, override_quarantine=override
        )

    return when


def requested(
    fingerprint: str = ONE, previous: str | None = None, snapshot: str | None = None
) -> tuple[Event, ...]:
    return (
        events.ConfigApplyRequested(
            fingerprint=fingerprint,
            snapshot=snapshot or snapshot_of(fingerprint),
            previous=previous,
            files=(PLACE,),
        ),
    )


def tagged(fingerprint: str, name: str) -> Event:
    return events.FingerprintTagged(fingerprint=fingerprint, tag=name)


KEPT = (REGISTERED, kept(ONE), kept(TWO))
TAGGED = (*KEPT, tagged(ONE, "v1"))
RUNS = (*KEPT, applied(ONE))

KEEPING = [
    Case("an unknown system", (), put(), Refuses(UnknownSystem, "no system 'bot'")),
    Case("the first", (REGISTERED,), put(), (kept(ONE),)),
    Case("the same bytes", KEPT, put(), Skips("already registered as 111111111111, at 2025-11-20")),
    Case(
        "other bytes that say the same",
        KEPT,
        put(ONE, OTHER_BYTES),
        (kept(ONE, snapshot=OTHER_BYTES),),
    ),
    Case("known by an import alone", (REGISTERED, applied(ONE)), put(), (kept(ONE),)),
    Case("tagged", KEPT, lambda s, _: configurations.tag(s, ONE, "v1"), (tagged(ONE, "v1"),)),
    Case(
        "tagged so",
        TAGGED,
        lambda s, _: configurations.tag(s, ONE, "v1"),
        Skips("tagged v1 already"),
    ),
    Case(
        "a second name", TAGGED, lambda s, _: configurations.tag(s, ONE, "a"), (tagged(ONE, "a"),)
    ),
    Case(
        "a name that is taken",
        TAGGED,
        lambda s, _: configurations.tag(s, TWO, "v1"),
        Refuses(NameTaken, "names 111111111111 already, and a tag never moves"),
    ),
    Case("vouched for", KEPT, lambda s, _: configurations.mark_stable(s, ONE), (stable(ONE),)),
    Case(
        "vouched for twice",
        (*KEPT, stable(ONE)),
        lambda s, _: configurations.mark_stable(s, ONE),
        Skips("is marked stable already"),
    ),
    Case(
        "vouched for again after a quarantine",
        (*KEPT, stable(ONE), quarantined(ONE)),
        lambda s, _: configurations.mark_stable(s, ONE),
        (stable(ONE),),
    ),
    Case("kept away", KEPT, lambda s, _: configurations.quarantine(s, ONE), (quarantined(ONE),)),
    Case(
        "kept away twice",
        (*KEPT, quarantined(ONE)),
        lambda s, _: configurations.quarantine(s, ONE),
        Skips("is in quarantine already"),
    ),
]
APPLYING = [
    Case("the first", KEPT, apply(), requested()),
    Case("another one", RUNS, apply(TWO, ONE), requested(TWO, ONE)),
    Case("what runs and lies there", RUNS, apply(ONE, ONE), Skips("already running 111111111111")),
    Case("what runs, edited by hand", RUNS, apply(ONE, TWO), requested(ONE, ONE)),
    Case("what runs, and can't be read", RUNS, apply(ONE, None), requested(ONE, ONE)),
    Case("what lies there, and does not run", RUNS, apply(TWO, TWO), requested(TWO, ONE)),
    Case(
        "in quarantine", (*RUNS, quarantined(TWO)), apply(TWO), Refuses(Refused, "is in quarantine")
    ),
    Case(
        "what runs, in quarantine",
        (*RUNS, quarantined(ONE)),
        apply(ONE, ONE),
        Refuses(Refused, "in quarantine"),
    ),
    Case(
        "over the quarantine",
        (*RUNS, quarantined(TWO)),
        apply(TWO, override=True),
        requested(TWO, ONE),
    ),
    Case(
        "vouched for since", (*RUNS, quarantined(TWO), stable(TWO)), apply(TWO), requested(TWO, ONE)
    ),
    Case(
        "a file that has no place",
        (REGISTERED, kept(ONE, file="other.yaml")),
        apply(),
        Refuses(Refused, "bot has no place for other.yaml."),
    ),
    Case(
        "the bytes last in force",
        (
            REGISTERED,
            kept(ONE),
            kept(ONE, snapshot=OTHER_BYTES),
            applied(ONE, snapshot=OTHER_BYTES),
        ),
        apply(),
        requested(ONE, ONE, OTHER_BYTES),
    ),
    Case(
        "the newest bytes that have a place, where those last in force have none",
        (
            REGISTERED,
            kept(ONE, file="other.yaml", snapshot=OTHER_BYTES),
            kept(ONE),
            kept(ONE, snapshot="e" * 64),
            applied(ONE, snapshot=OTHER_BYTES),
        ),
        apply(),
        requested(ONE, ONE, "e" * 64),
    ),
]


@table(KEEPING)
def test_keeping_naming_and_vouching(case: Case) -> None:
    """I16: each once; a tag never moves; a quarantine is ended by somebody's word alone."""
    case.holds()


@table(APPLYING)
def test_applying(case: Case) -> None:
    """I10, I31: what lies in place counts, not only what the ledger says; nothing out of quarantine."""
    case.holds()


BEGUN = (*RUNS, Told(requested(TWO, ONE)[0], operation=OPERATION))
OVERTAKEN = (*BEGUN, applied(ONE, "declared"))


def left(
    *new: bool, problem: str | None = None, given: Sequence[Event | Told] = BEGUN
) -> configurations.LeftApply:
    """What becomes of `BEGUN`, where its one file has its new bytes or not."""
    state, _ = fold(given)
    begun = operation_of(state, OPERATION, ApplyOperation)
    in_place = dict(zip((PLACE.name,), new, strict=False))
    return configurations.finish_apply(state, begun, in_place, still_wanted=True, problem=problem)


def given_up(why: str) -> configurations.LeftApply:
    return configurations.LeftApply(is_completed=False, why=why)


def test_what_a_crash_left_of_an_apply_is_completed_or_given_up() -> None:
    """I12, I34: what was partly done is; not what was not begun, nor what was decided against since."""
    assert left(True).is_completed
    assert left(False) == given_up("begun, and nothing was written")
    assert left(problem="a secret is gone") == given_up(
        "begun, and can't be completed: a secret is gone"
    )
    overtaken, _ = fold(OVERTAKEN)
    assert operation_of(overtaken, OPERATION, ApplyOperation).overtaken
    assert left(True, given=OVERTAKEN) == given_up(
        "begun, and somebody has decided otherwise since"
    )


TWO_FILES = events.ConfigRegistered(
    fingerprint=THREE, snapshot=snapshot_of(THREE), canonical_form=1,
    files=tuple(
        events.SnapshotFile(name=name, sha256=digit * 64, size=1) for name, digit in (("a", "e"), ("b", "f"))
    ),
)  # fmt: skip
TWO_FILES_REQUESTED = events.ConfigApplyRequested(
    fingerprint=THREE, snapshot=snapshot_of(THREE), files=()
)


def finished(*new: bool, wanted: bool, given: Sequence[Event | Told]) -> configurations.LeftApply:
    """What becomes of an apply of `TWO_FILES`, of which a and b are in place or not."""
    state, _ = fold((*given, Told(TWO_FILES_REQUESTED, operation=OPERATION)))
    begun = operation_of(state, OPERATION, ApplyOperation)
    in_place = dict(zip("ab", new, strict=False))
    return configurations.finish_apply(state, begun, in_place, still_wanted=wanted)


def test_an_apply_whose_phase_was_decided_against_is_recorded_only_where_all_of_it_stands() -> None:
    """I34: the world has it then; a part of it is given up, and shows as drift."""
    given = (*KEPT, TWO_FILES)
    for a, b in ((True, True), (True, False), (False, False)):
        assert finished(a, b, wanted=False, given=given).is_completed is (a and b)
        assert finished(a, b, wanted=True, given=given).is_completed is (a or b)
    against = finished(True, False, wanted=False, given=given)
    assert against == given_up("begun, and its phase was decided against since")
    assert not finished(wanted=False, given=given).is_completed


def test_a_file_that_stays_as_it_is_does_not_tell_whether_an_apply_was_begun() -> None:
    """I12: unless none of them changes."""
    first = events.ConfigRegistered(
        fingerprint=TWO, snapshot="c" * 64, canonical_form=1, files=(TWO_FILES.files[0],)
    )
    given = (REGISTERED, first, TWO_FILES, applied(TWO, snapshot="c" * 64))
    assert finished(True, False, wanted=True, given=given) == given_up(
        "begun, and nothing was written"
    )
    assert finished(True, True, wanted=True, given=given).is_completed
    again = (REGISTERED, TWO_FILES, applied(THREE))
    assert finished(True, True, wanted=True, given=again).is_completed


def test_only_a_system_with_configuration_files_has_some_written() -> None:
    """I8: what can't be written is refused before anything is touched."""
    configurations.require_files(fold((REGISTERED,))[0])
    bare = events.SystemRegistered(environment="production", actuators=events.Actuators())
    with pytest.raises(Refused, match="bot has no configuration files that could be written"):
        configurations.require_files(fold((bare,))[0])


def meant(name: str) -> str | type[LedgerError]:
    state, _ = fold((*TAGGED, kept(SIBLING), tagged(TWO, "1111")))
    try:
        return configurations.resolve(state, name)
    except LedgerError as error:
        return type(error)


def test_what_a_name_means() -> None:
    """I31: a tag, a fingerprint, or the start of one that fits one alone."""
    assert meant("v1") == ONE
    assert meant(ONE) == ONE
    assert meant(ONE.removeprefix("sha256:")) == ONE
    assert meant("2222") == TWO
    assert meant("sha256:2222") == TWO
    assert meant("1111") == TWO  # a tag that looks like one is a tag
    assert meant("11111") is AmbiguousName
    assert meant("222") is UnknownName
    assert meant("3333") is UnknownName
    assert meant("") is UnknownName


def test_a_fingerprint_as_people_read_it() -> None:
    assert configurations.short(ONE) == "1" * 12
    assert configurations.short(None) == "none"
