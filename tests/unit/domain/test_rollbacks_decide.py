"""Going back, as tables: given what was in force and vouched for, when the button is pressed, then what."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ledger.domain import events
from ledger.domain.alerts.decide import incident_name
from ledger.domain.decision import Decision
from ledger.domain.errors import (
    NothingStable,
    OperationInProgress,
    Refused,
    UnknownName,
    UnknownSystem,
)
from ledger.domain.log.event import Event
from ledger.domain.rollbacks.decide import (
    LAST_STABLE,
    completed,
    request,
    require_checkout,
    require_code_target,
    require_full_rollback,
    staying,
    step_count,
    unfinished,
    went_back_since,
)
from ledger.domain.rollbacks.state import RollbackIntent
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso
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

CODE = events.CodeMove(
    place=events.CodePlace(repository="/srv/bot", restart=("restart",)),
    from_commit="a" * 40,
    to_commit="b" * 40,
    ref="v2.0.0",
)
SAME_CODE = CODE.model_copy(update={"to_commit": "a" * 40})


def back(
    to: str = LAST_STABLE, in_place: str | None = THREE, code: events.CodeMove | None = None
) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        return request(state, to, in_place=in_place, code=code)

    return when


def begun(
    target: str, *left: str, to: str = LAST_STABLE, found: str | None = THREE,
    code: events.CodeMove | None = None,
) -> tuple[Event, ...]:  # fmt: skip
    """The intent, and the quarantine of what is left."""
    intent = events.RollbackRequested(
        from_fingerprint=found,
        to_fingerprint=target,
        snapshot=snapshot_of(target),
        selector=to,
        files=(PLACE,),
        code=code,
    )
    return (intent, *map(quarantined, left))


KEPT = (REGISTERED, kept(ONE), kept(TWO), kept(THREE))
STORY = (*KEPT, applied(ONE), stable(ONE), applied(TWO), stable(TWO), applied(THREE))
"""One and two are stable, two the newer; three is in force, and nobody has vouched for it."""
RESTS = (*STORY, quarantined(THREE), applied(TWO, "rollback"))
OPEN = Told(
    events.RollbackRequested(
        to_fingerprint=TWO, snapshot=snapshot_of(TWO), selector=LAST_STABLE, files=(PLACE,)
    ),
    operation=OPERATION,
)
NEVER_RAN = (REGISTERED, kept(ONE), kept(TWO), applied(ONE))

LAST = [
    Case("an unknown system", (), back(), Refuses(UnknownSystem, "no system 'bot'")),
    Case("the newest stable one", STORY, back(), begun(TWO, THREE)),
    Case("not one in quarantine", (*STORY, quarantined(TWO)), back(), begun(ONE, THREE)),
    Case("not the one that is left", (*STORY, stable(THREE)), back(), begun(TWO, THREE)),
    Case(
        "but that one, where somebody has edited it by hand",
        (*STORY, stable(THREE)),
        back(in_place=None),
        begun(THREE, found=None),
    ),
    Case(
        "the newest word counts, not the newest put",
        (*STORY, stable(ONE)),
        back(),
        begun(ONE, THREE),
    ),
    Case(
        "nothing was vouched for",
        (*KEPT, applied(ONE), applied(THREE)),
        back(),
        Refuses(NothingStable, "has no stable configuration to go back to"),
    ),
    Case(
        "all of them did harm",
        (*STORY, quarantined(ONE), quarantined(TWO)),
        back(),
        Refuses(NothingStable, "has no stable configuration to go back to"),
    ),
    Case(
        "what lies there is another one: both are left",
        STORY,
        back(in_place=ONE),
        begun(TWO, THREE, ONE, found=ONE),
    ),
    Case(
        "what lies there is unknown",
        STORY,
        back(in_place="sha256:" + "7" * 64),
        begun(TWO, THREE, found="sha256:" + "7" * 64),
    ),
    Case("what is left is in quarantine already", (*STORY, quarantined(THREE)), back(), begun(TWO)),
]
TWICE = [
    Case(
        "the second press",
        RESTS,
        back(in_place=TWO),
        Skips("already back on the last stable 222222222222"),
    ),
    Case(
        "the second press, after an edit by hand",
        RESTS,
        back(in_place=None),
        begun(TWO, found=None),
    ),
    Case(
        "the place that it rests on did harm",
        (*RESTS, quarantined(TWO)),
        back(in_place=TWO),
        begun(ONE, found=TWO),
    ),
    Case(
        "somebody has vouched for another one since",
        (*RESTS, stable(ONE)),
        back(in_place=TWO),
        begun(ONE, TWO, found=TWO),
    ),
    Case(
        "the code goes back too",
        RESTS,
        back(in_place=TWO, code=CODE),
        begun(TWO, found=TWO, code=CODE),
    ),
    Case(
        "the code stands there already",
        RESTS,
        back(in_place=TWO, code=SAME_CODE),
        Skips("already back on"),
    ),
    Case(
        "one was begun",
        (*STORY, OPEN),
        back(),
        Refuses(OperationInProgress, "to 222222222222 was begun and not ended"),
    ),
    Case(
        "one was begun, to where it would rest",
        (*RESTS, OPEN),
        back(in_place=TWO),
        Refuses(OperationInProgress, "was begun and not ended"),
    ),
    Case(
        "one was begun and given up",
        (*STORY, OPEN, Told(events.RollbackAbandoned(explanation="by hand"), operation=OPERATION)),
        back(),
        begun(TWO, THREE),
    ),
]
NAMED = [
    Case("by its digits", STORY, back("1111"), begun(ONE, THREE, to="1111")),
    Case("what runs", STORY, back(THREE), Skips("already running 333333333333, since")),
    Case("what runs, edited by hand", STORY, back(THREE, None), begun(THREE, to=THREE, found=None)),
    Case(
        "what runs, with other code",
        STORY,
        back(THREE, code=CODE),
        begun(THREE, to=THREE, code=CODE),
    ),
    Case("nobody knows it", STORY, back("v9"), Refuses(UnknownName, "no configuration 'v9'")),
    Case(
        "in quarantine",
        (*STORY, quarantined(ONE)),
        back(ONE),
        Refuses(Refused, "is in quarantine: it was left because it did harm."),
    ),
    Case(
        "in quarantine, and vouched for again",
        (*STORY, quarantined(ONE), stable(ONE)),
        back(ONE),
        begun(ONE, THREE, to=ONE),
    ),
    Case(
        "never in force",
        NEVER_RAN,
        back(TWO, ONE),
        Refuses(Refused, "was never in force, and is not marked stable: that is no way back."),
    ),
    Case(
        "never in force, and vouched for",
        (*NEVER_RAN, stable(TWO)),
        back(TWO, ONE),
        begun(TWO, ONE, to=TWO, found=ONE),
    ),
    Case(
        "its file has no place",
        (REGISTERED, kept(ONE, file="x.yaml"), applied(ONE), kept(TWO), applied(TWO)),
        back(ONE, TWO),
        Refuses(Refused, "has no place for x.yaml"),
    ),
]


@table(LAST)
def test_to_the_last_stable_one(case: Case) -> None:
    """I10: marked stable, not in quarantine, not the one being left; what is left goes into quarantine."""
    case.holds()


@table(TWICE)
def test_pressed_again(case: Case) -> None:
    """I10, I12, I16: no bounce to the bad one, none further back, no second one beside the first."""
    case.holds()


@table(NAMED)
def test_to_one_that_is_named(case: Case) -> None:
    """I10: anything that ran or was vouched for is a way back; nothing that is untried."""
    case.holds()


INTENT = RollbackIntent.of(begun(TWO)[0].payload())
WITH_CODE = RollbackIntent.of(begun(TWO, code=CODE)[0].payload())
NOW_APPLIED = events.ConfigApplied(
    fingerprint=TWO, snapshot=snapshot_of(TWO), cause="rollback", changes=()
)
DONE = events.RollbackCompleted(from_fingerprint=THREE, to_fingerprint=TWO)


def incident(status: str = "open") -> tuple[Event, ...]:
    opened = events.IncidentOpened(incident="INC-1", title="t", severity="critical", alert=None)
    solved = events.IncidentResolved(incident="INC-1")
    return (opened, solved) if status == "resolved" else (opened,)


def completes(intent: RollbackIntent = INTENT) -> When:
    return lambda state, now: Decision(completed(state, intent, NOW_APPLIED, now))


def eased(incident: str, action: str) -> Event:
    return events.IncidentMitigated(incident=incident, action=action)


def looked_into(revision: int, action: str) -> tuple[Event, ...]:
    """An incident is opened for the rollback: its name has the second, and its revision."""
    name = incident_name(
        SystemState("bot", revision=revision - 1), fold((REGISTERED,) * (revision - 1))[1]
    )
    title = f"{action} from {THREE[7:19]}"
    return (
        events.IncidentOpened(incident=name, title=title, severity="warning"),
        eased(name, action),
    )


BACK = f"rollback to {TWO[7:19]}"
COMPLETED = [
    Case("an incident stands open", (REGISTERED, *incident()), completes(),
         (NOW_APPLIED, DONE, eased("INC-1", BACK))),
    Case("none does: one is opened", (REGISTERED,), completes(), (NOW_APPLIED, DONE, *looked_into(2, BACK))),
    Case(
        "it is over: another is opened", (REGISTERED, *incident("resolved")), completes(),
        (NOW_APPLIED, DONE, *looked_into(4, BACK)),
    ),
    Case(
        "with the code", (REGISTERED, *incident()), completes(WITH_CODE),
        (NOW_APPLIED, DONE, eased("INC-1", f"{BACK} and the code to v2.0.0")),
    ),
]  # fmt: skip


@table(COMPLETED)
def test_what_a_finished_rollback_means(case: Case) -> None:
    """I10: in force and completed; the harm is stopped, and somebody has to look into it."""
    case.holds()


def test_a_rollback_answers_an_alert_that_fired_before_it() -> None:
    """I9: and one that fired after it is not answered by it."""
    state, now = fold((REGISTERED, kept(TWO), applied(TWO, "rollback")))
    assert went_back_since(state, iso(now))
    assert not went_back_since(state, iso(now + timedelta(seconds=1)))
    other, _ = fold((REGISTERED, kept(TWO), applied(TWO)))
    assert not went_back_since(other, iso(now))


def test_what_is_unfinished_is_known_by_its_operation() -> None:
    """I12: whoever comes next can finish it."""
    assert unfinished(fold(STORY)[0]) is None
    named = unfinished(fold((*STORY, OPEN))[0])
    assert named is not None
    assert (named[0], named[1].intent.to_fingerprint) == (str(OPERATION), TWO)


def test_the_code_alone_goes_back_under_the_configuration_in_force() -> None:
    """I10: and there has to be one."""
    assert staying(fold((REGISTERED, kept(TWO), applied(TWO)))[0]) == TWO
    with pytest.raises(Refused, match="no configuration in force that could stay"):
        staying(fold((REGISTERED,))[0])


def goes_back(wanted: str, *, behind: bool = False, fallback: str | None = None) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        require_code_target(
            state, "v1.9", wanted=wanted, standing="a" * 40, is_behind=behind, fallback=fallback
        )
        return Decision()

    return when


RAN = (
    REGISTERED,
    kept(ONE),
    events.ConfigApplied(
        fingerprint=ONE, snapshot=snapshot_of(ONE), cause="apply", changes=(), code="d" * 40
    ),
)
CODE_TARGETS = [
    Case("it ran", RAN, goes_back("d" * 40), ()),
    Case("it is in the history", RAN, goes_back("b" * 40, behind=True), ()),
    Case("it is the plan's fallback", RAN, goes_back("b" * 40, fallback="b" * 40), ()),
    Case("the plan has another fallback", RAN, goes_back("b" * 40, fallback="c" * 40),
         Refuses(Refused, "v1.9 (bbbbbbbbbbbb) is no way back: bot was never recorded to run it")),
    Case("none of these", (REGISTERED,), goes_back("d" * 40),
         Refuses(Refused, "and it is not in the history of aaaaaaaaaaaa.")),
]  # fmt: skip


@table(CODE_TARGETS)
def test_which_commit_the_code_may_go_back_to(case: Case) -> None:
    """I10: one that ran, one it comes from, or the one that the plan names; nothing new."""
    case.holds()


def test_a_full_rollback_needs_a_plan_and_a_checkout() -> None:
    """I10: nothing is taken for a way back that nobody has named."""
    state, _ = fold((REGISTERED,))
    assert require_full_rollback(state, (None, "v2.0.0")) == (None, "v2.0.0")
    assert require_checkout(state, "/srv/bot") == "/srv/bot"
    with pytest.raises(Refused, match="The plan of bot names no full rollback"):
        require_full_rollback(state, None)
    with pytest.raises(Refused, match="bot has no code checkout"):
        require_checkout(state, None)


def test_how_many_steps_it_has() -> None:
    """The files, the code, the restart where there is one."""
    assert step_count(RollbackIntent.of(begun(TWO)[0].payload())) == 1
    assert step_count(RollbackIntent.of(begun(TWO, code=CODE)[0].payload())) == 3
    quiet = CODE.model_copy(update={"place": events.CodePlace(repository="/srv/bot")})
    assert step_count(RollbackIntent.of(begun(TWO, code=quiet)[0].payload())) == 2
