"""Approvals, as tables: of named roles, never by the one who asks, for one configuration and one plan."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from ledger.domain import events
from ledger.domain.approvals import decide as approvals
from ledger.domain.decision import Decision
from ledger.domain.errors import ApprovalNeeded, BadInput, Refused, UnknownName, UnknownSystem
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor, ActorKind
from ledger.domain.plans.state import Quorum
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso
from tests.support.fakes import START
from tests.support.tables import (
    ANN,
    BOB,
    ONE,
    OTHER_PLAN,
    PLAN,
    REGISTERED,
    RULE,
    SERVICE,
    TWO,
    Case,
    Refuses,
    Skips,
    Told,
    When,
    adopted,
    applied,
    table,
)

DAY = timedelta(days=1)
TODAY = START.date()
EVA = Actor("eva", "eva", ActorKind.HUMAN)
ROLES = {"dev": 1, "ops": 2}
QUORUM = Quorum(roles=ROLES, expires_seconds=86400)
SUBJECT = "phase:micro"


def ask(subject: str = SUBJECT) -> When:
    def when(state: SystemState, now: datetime) -> Decision:
        return approvals.request(state, subject, QUORUM, "A-2", now)

    return when


def grant(role: str = "ops", by: Actor = BOB, on: date = TODAY, request: str = "A-1") -> When:
    def when(state: SystemState, now: datetime) -> Decision:
        return approvals.grant(state, request, role, by, on, now)

    return when


def deny(role: str = "ops", by: Actor = BOB) -> When:
    def when(state: SystemState, now: datetime) -> Decision:
        return approvals.deny(state, "A-1", role, by, now)

    return when


def needed(subject: str = SUBJECT, quorum: Quorum | None = QUORUM) -> When:
    """Whoever would go on: nothing is recorded, and nothing raised, where all have said yes."""

    def when(state: SystemState, now: datetime) -> Decision:
        approvals.require_approvals(state, subject, quorum, now)
        return Decision()

    return when


def requested(
    name: str = "A-1", subject: str = SUBJECT, at: int = 4, seconds: float = 86400
) -> Event:
    """Asked at the ``at``-th second of the story."""
    expires = iso(START + timedelta(seconds=at + seconds))
    return events.ApprovalRequested(
        request=name,
        subject=subject,
        roles=ROLES,
        fingerprint=ONE,
        profile=PLAN,
        expires_at=expires,
    )


def yes(who: str, role: str) -> Told:
    return Told(events.ApprovalGranted(request="A-1", role=role, signed_on=str(TODAY)), who=who)


def granted(role: str, on: date = TODAY) -> tuple[Event, ...]:
    return (events.ApprovalGranted(request="A-1", role=role, signed_on=str(on)),)


def stale(why: str) -> Event:
    return events.ApprovalInvalidated.model_validate({"request": "A-1", "why": why})


SYSTEM = (REGISTERED, applied(ONE), adopted())
ASKED = (*SYSTEM, requested())
DENIED = (*ASKED, Told(events.ApprovalDenied(request="A-1", role="ops"), who="bob"))
ALL = (*ASKED, yes("bob", "ops"), yes("eva", "ops"), yes("dan", "dev"))

ASKING = [
    Case("an unknown system", (), ask(), Refuses(UnknownSystem, "no system 'bot'")),
    Case("the first time", SYSTEM, ask(), (requested("A-2", at=3),)),
    Case("again", ASKED, ask(), Skips("A-1 asks for that already")),
    Case("for something else", ASKED, ask("mode:real"), (requested("A-2", "mode:real"),)),
    Case("after a no", DENIED, ask(), (requested("A-2", at=5),)),
    Case(
        "once it has expired",
        ASKED,
        ask(),
        (stale("expired"), requested("A-2", at=4 + 86400)),
        later=DAY,
    ),
]
GRANTING = [
    Case("bob, as ops", ASKED, grant(), granted("ops")),
    Case("signed yesterday", ASKED, grant(on=TODAY - DAY), granted("ops", TODAY - DAY)),
    Case("signed tomorrow", ASKED, grant(on=TODAY + DAY), Refuses(BadInput, "is a day to come")),
    Case("the asker", ASKED, grant(by=ANN), Refuses(Refused, "ann asked for this approval")),
    Case(
        "the asker, by another spelling",
        ASKED,
        grant(by=Actor("ANN", "Ann", ActorKind.HUMAN)),
        Refuses(Refused, "asked for this approval, and can't give it"),
    ),
    Case("a rule", ASKED, grant(by=RULE), Refuses(Refused, "is no person")),
    Case("a service", ASKED, grant(by=SERVICE), Refuses(Refused, "is no person")),
    Case(
        "bob again, as dev", (*ASKED, yes("bob", "ops")), grant("dev"), Skips("yes already, as ops")
    ),
    Case(
        "bob again, by another spelling",
        (*ASKED, yes("bob", "ops")),
        grant("dev", Actor("Bob", "Bob", ActorKind.HUMAN)),
        Skips("has said yes already"),
    ),
    Case("a second of two", (*ASKED, yes("bob", "ops")), grant(by=EVA), granted("ops")),
    Case("one more than needed", ALL, grant("dev", EVA), Skips("eva has said yes already")),
    Case(
        "a role that has its one",
        (*ASKED, yes("bob", "dev")),
        grant("dev", EVA),
        Skips("nobody more is needed as dev"),
    ),
    Case("no such role", ASKED, grant("test"), Refuses(UnknownName, "asks for no 'test'")),
    Case("no such request", ASKED, grant(request="A-9"), Refuses(UnknownName, "no request 'A-9'")),
    Case("denied", DENIED, grant(by=EVA), Refuses(Refused, "any more: it was denied")),
    Case(
        "a moment before its end", ASKED, grant(), granted("ops"), later=DAY - timedelta(seconds=1)
    ),
    Case("expired", ASKED, grant(), Refuses(Refused, "the approval has expired"), later=DAY),
    Case(
        "another configuration",
        (*ASKED, applied(TWO)),
        grant(),
        Refuses(Refused, "the configuration has changed"),
    ),
    Case(
        "another plan",
        (*ASKED, adopted(fingerprint=OTHER_PLAN)),
        grant(),
        Refuses(Refused, "the plan has changed"),
    ),
    Case(
        "the same configuration again",
        (*ASKED, applied(TWO), applied(ONE)),
        grant(),
        granted("ops"),
    ),
]
DENYING = [
    Case("bob", ASKED, deny(), (events.ApprovalDenied(request="A-1", role="ops"),)),
    Case("who asked", ASKED, deny(by=ANN), (events.ApprovalDenied(request="A-1", role="ops"),)),
    Case("a rule", ASKED, deny(by=RULE), Refuses(Refused, "is no person")),
    Case("twice", DENIED, deny(by=EVA), Refuses(Refused, "it was denied")),
    Case("no such role", ASKED, deny("test"), Refuses(UnknownName, "asks for no 'test'")),
]
NEEDING = [
    Case("the plan names nobody", SYSTEM, needed(quorum=None), ()),
    Case("no roles", SYSTEM, needed(quorum=Quorum(roles={}, expires_seconds=1)), ()),
    Case("nobody asked", SYSTEM, needed(), Refuses(ApprovalNeeded, "and nobody has asked for it")),
    Case(
        "for something else",
        ALL,
        needed("mode:real"),
        Refuses(ApprovalNeeded, "mode:real of bot needs approval (dev, 2 × ops)"),
    ),
    Case(
        "two are missing",
        (*ASKED, yes("bob", "ops")),
        needed(),
        Refuses(ApprovalNeeded, "still needs the yes of dev, ops."),
    ),
    Case(
        "one is missing",
        (*ASKED, yes("bob", "ops"), yes("eva", "ops")),
        needed(),
        Refuses(ApprovalNeeded, "still needs the yes of dev."),
    ),
    Case("all", ALL, needed(), ()),
    Case("all, and a no", (*ALL, DENIED[-1]), needed(), Refuses(ApprovalNeeded, "it was denied")),
    Case("all, too long ago", ALL, needed(), Refuses(ApprovalNeeded, "has expired"), later=DAY),
    Case(
        "all, to another configuration",
        (*ALL, applied(TWO)),
        needed(),
        Refuses(ApprovalNeeded, "the configuration has changed since it was given"),
    ),
    Case(
        "all, by another plan",
        (*ALL, adopted(fingerprint=OTHER_PLAN)),
        needed(),
        Refuses(ApprovalNeeded, "the plan has changed since it was given"),
    ),
    Case(
        "all, and the log says that it went stale",
        (*ALL, stale("expired")),
        needed(),
        Refuses(ApprovalNeeded, "the approval has expired"),
    ),
]


@table(ASKING)
def test_asking(case: Case) -> None:
    """I16: one request on a subject; one that went stale is said to be, where the log does not yet say so."""
    case.holds()


@table(GRANTING)
def test_granting(case: Case) -> None:
    """I11: each once, by a person who did not ask, to what was asked for and is still so."""
    case.holds()


@table(DENYING)
def test_denying(case: Case) -> None:
    """One no ends it; who asked may say it."""
    case.holds()


@table(NEEDING)
def test_going_on_needs_all_of_them(case: Case) -> None:
    """I8: everybody whom the plan names, for what would be done now."""
    case.holds()
