"""Approvals: n people of named roles, never the one who asks, for one configuration and one plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from ledger.domain import events
from ledger.domain.approvals.state import ApprovalRequest, NoLonger
from ledger.domain.decision import Decision, require_registered
from ledger.domain.errors import ApprovalNeeded, BadInput, Refused, UnknownName
from ledger.domain.log.ids import Actor, ActorKind
from ledger.domain.plans.state import Quorum
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso, shifted

_WESTERNMOST: Final = timedelta(hours=12)
"""So far behind UTC a day may still be the one before: a date on paper names no zone."""


def request(state: SystemState, subject: str, quorum: Quorum, name: str, now: datetime) -> Decision:
    """Request the approvals that the plan names for ``subject``."""
    require_registered(state)
    standing = open_request(state, subject, now)
    if standing is not None:
        return Decision(skipped=f"{standing} asks for that already")
    asked = events.ApprovalRequested(
        request=name,
        subject=subject,
        roles=dict(quorum.roles),
        fingerprint=state.fingerprint,
        profile=state.profile_fingerprint,
        expires_at=iso(now + timedelta(seconds=quorum.expires_seconds)),
    )
    return Decision((*_stale_ones(state, subject, now), asked))


def grant(
    state: SystemState, request_: str, role: str, actor: Actor, signed_on: date, now: datetime
) -> Decision:
    """Approve a request as ``role``.

    Raises:
        UnknownName: there is no such request, or it asks for no such role.
        Refused: the request is over or stale, the actor asked for it, or is no person.
        BadInput: signed on a day to come, or before it was asked for.
    """
    asked = _usable(state, request_, role, now)
    _require_another_person(asked, actor)
    if signed_on > now.date():
        raise BadInput(f"{signed_on} is a day to come.", hint="Sign with a date that has been.")
    first_day = shifted(datetime.fromisoformat(asked.at), -_WESTERNMOST).date()
    if signed_on < min(first_day, now.date()):
        raise BadInput(
            f"{request_} was asked for on {asked.at[:10]}, and signed on {signed_on} it would be a yes to "
            "something else.",
            hint="Sign with the date on which this request was approved.",
        )
    said = actor.id.casefold()
    before = next((one for one in asked.granted if one.id.casefold() == said), None)
    if before is not None:
        return Decision(skipped=f"{actor.name} has said yes already, as {before.role}")
    if missing(asked).get(role, 0) == 0:
        return Decision(skipped=f"nobody more is needed as {role}")
    granted = events.ApprovalGranted(request=request_, role=role, signed_on=str(signed_on))
    return Decision((granted,))


def deny(state: SystemState, request_: str, role: str, actor: Actor, now: datetime) -> Decision:
    """Deny a request as ``role``: it is over. Raises as `grant` does, but for the asker: who asks may."""
    _usable(state, request_, role, now)
    _require_a_person(actor)
    return Decision((events.ApprovalDenied(request=request_, role=role),))


def missing(asked: ApprovalRequest) -> dict[str, int]:
    """Return how many approvals of each role are missing."""
    given = Counter(one.role for one in asked.granted)
    return {
        role: count - given.get(role, 0)
        for role, count in asked.roles.items()
        if count > given.get(role, 0)
    }


def stale(state: SystemState, asked: ApprovalRequest, now: datetime) -> NoLonger | None:
    """Return why a request is stale, or None."""
    if asked.status != "open":
        return asked.status
    if asked.expires_at <= iso(now):
        return "expired"
    if asked.fingerprint != state.fingerprint:
        return "fingerprint_changed"
    if asked.profile != state.profile_fingerprint:
        return "profile_changed"
    return None


def open_request(state: SystemState, subject: str, now: datetime) -> str | None:
    """Return the request on ``subject`` that still counts, if there is one."""
    return next(
        (
            name
            for name, asked in state.approvals.items()
            if asked.subject == subject and stale(state, asked, now) is None
        ),
        None,
    )


def require_approvals(
    state: SystemState, subject: str, quorum: Quorum | None, now: datetime
) -> None:
    """Raise unless all approvals that the plan names for this stand, as it is now.

    Raises:
        ApprovalNeeded: somebody has not, or what they said yes to was something else.
    """
    if quorum is None or not quorum.roles:
        return
    request_ = open_request(state, subject, now)
    if request_ is None:
        requests = [asked for asked in state.approvals.values() if asked.subject == subject]
        last = requests[-1] if requests else None
        why = _told(stale(state, last, now)) if last is not None else "nobody has asked for it"
        raise ApprovalNeeded(
            f"{subject} of {state.system} needs approval ({_roles(quorum.roles)}), and {why}.",
            hint=f"rollout approve request {state.system} {subject}",
        )
    lacking = missing(state.approvals[request_])
    if lacking:
        raise ApprovalNeeded(
            f"{subject} of {state.system} still needs the yes of {_roles(lacking)}.",
            hint=f"rollout approve grant {state.system} {request_} --role {next(iter(lacking))}",
        )


def approved_with_phase(state: SystemState, mode: str, quorum: Quorum, now: datetime) -> bool:
    """Tell whether the yes to the present phase was one to ``mode`` too: one act is signed for once.

    It is where the phase runs in that mode, and counts for the configuration that its entry put in force:
    the one that was asked about, with the phase's overlay over it.
    """
    phase, plan = state.phase, state.profile
    if phase is None or phase.is_over or plan is None:
        return False
    subject = f"phase:{phase.name}"
    asked = next((each for each in state.approvals.values() if each.subject == subject), None)
    runs_in = next((each.mode for each in plan.phases if each.name == phase.name), None)
    if asked is None or runs_in != mode or missing(asked):
        return False
    if phase.overlaid is not None and asked.fingerprint == phase.before:
        asked = replace(asked, fingerprint=phase.overlaid)
    return stale(state, asked, now) is None and covers(asked.roles, quorum.roles)


def covers(roles: Mapping[str, int], wanted: Mapping[str, int]) -> bool:
    """Tell whether so many of each role are at least those that are wanted."""
    return all(roles.get(role, 0) >= count for role, count in wanted.items())


def _roles(roles: Mapping[str, int]) -> str:
    return ", ".join(role if count == 1 else f"{count} × {role}" for role, count in roles.items())


def _told(why: str | None) -> str:
    return {
        "denied": "it was denied",
        "expired": "the approval has expired",
        "fingerprint_changed": "the configuration has changed since it was given",
        "profile_changed": "the plan has changed since it was given",
    }.get(why or "", "it no longer counts")


def _stale_ones(state: SystemState, subject: str, now: datetime) -> tuple[events.Event, ...]:
    """Record the requests on ``subject`` that went stale, where the log does not say so yet."""
    return tuple(
        events.ApprovalInvalidated(request=name, why=why)
        for name, asked in state.approvals.items()
        if asked.subject == subject and asked.status == "open"
        if (why := stale(state, asked, now)) is not None and why != "denied"
    )


def _usable(state: SystemState, request_: str, role: str, now: datetime) -> ApprovalRequest:
    require_registered(state)
    asked = state.approvals.get(request_)
    if asked is None:
        raise UnknownName(
            f"{state.system} has no request {request_!r}.",
            hint=f"rollout approve list {state.system} shows them",
        )
    why = stale(state, asked, now)
    if why is not None:
        raise Refused(
            f"{request_} can't be answered any more: {_told(why)}.",
            hint=f"Ask again: rollout approve request {state.system} {asked.subject}",
        )
    if role not in asked.roles:
        raise UnknownName(
            f"{request_} asks for no {role!r}.", hint=f"It asks for: {_roles(asked.roles)}"
        )
    return asked


def _require_a_person(actor: Actor) -> None:
    if actor.kind is not ActorKind.HUMAN:
        raise Refused(f"{actor.name} is no person, and approvals are given by people.")


def _require_another_person(asked: ApprovalRequest, actor: Actor) -> None:
    _require_a_person(actor)
    if actor.id.casefold() == asked.by_id.casefold():
        raise Refused(
            f"{actor.name} asked for this approval, and can't give it.",
            hint="Somebody else has to.",
        )
