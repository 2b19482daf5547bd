"""Going back. "Previous" is not "last good" (I10)."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from ledger.domain import events
from ledger.domain.alerts.decide import incident_name, mitigated_by
from ledger.domain.configurations.decide import (
    in_quarantine,
    resolve,
    short,
    snapshot_to_write,
    targets,
)
from ledger.domain.decision import Decision, require_registered
from ledger.domain.errors import NothingStable, OperationInProgress, Refused
from ledger.domain.log.event import Event
from ledger.domain.operations import RollbackOperation
from ledger.domain.rollbacks.state import RollbackIntent
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import shortened

LAST_STABLE = "--last-stable"
COMMIT_SHOWN = 12

T = TypeVar("T")


def last_stable(state: SystemState, in_place: str | None) -> str | None:
    """Return the newest fingerprint marked stable, not quarantined, and not the one being left.

    What is left is what stands in place. Where that is a hand-made edit, the configuration that the
    ledger knows to be in force may be the very one to go back to.
    """
    candidates = [
        (configuration.stable or 0, fingerprint)
        for fingerprint, configuration in state.configs.items()
        if configuration.is_stable and not (fingerprint == state.fingerprint == in_place)
    ]
    return max(candidates)[1] if candidates else None


def target(state: SystemState, selector: str, in_place: str | None) -> str:
    """Return the fingerprint to go back to.

    Raises:
        NothingStable: --last-stable, and nothing qualifies.
        UnknownName, AmbiguousName: see `resolve`.
        Refused: it was never in force, and nobody has vouched for it; or it is in quarantine.
    """
    require_registered(state)
    if selector != LAST_STABLE:
        named = resolve(state, selector)
        if not state.configs[named].applied and not state.configs[named].stable:
            raise Refused(
                f"{short(named)} was never in force, and is not marked stable: that is no way back.",
                hint=f"rollout config apply {state.system} {short(named)} --reason … puts it in force",
            )
        if state.configs[named].quarantined and named != state.fingerprint:
            raise in_quarantine(state, named)
        return named
    stable = last_stable(state, in_place)
    if stable is None:
        raise NothingStable(
            f"{state.system} has no stable configuration to go back to "
            f"(marked stable, not quarantined, and not the one in force).",
            hint=f"rollout config list {state.system}, then name one: "
            f"rollout rollback {state.system} --to FINGERPRINT --reason …",
        )
    return stable


def unfinished(state: SystemState) -> tuple[str, RollbackOperation] | None:
    """Return the id and the operation of a rollback that was begun and not ended."""
    for operation, begun in state.operations.items():
        if isinstance(begun, RollbackOperation):
            return operation, begun
    return None


def step_count(intent: RollbackIntent) -> int:
    """Return how many steps a rollback has: its files, the code, the restart."""
    code = intent.code
    return len(intent.files) + (1 + bool(code.place.restart) if code is not None else 0)


def rests_on_stable_rollback(state: SystemState) -> bool:
    """Tell whether the last thing done was a rollback to a fingerprint that is still good.

    Pressing the button twice must neither bounce back to the bad one nor fall one further. That ends when
    somebody vouches for another one after the rollback: then that is the last stable one.
    """
    configuration = state.configs.get(state.fingerprint or "")
    return (
        state.applied_cause == "rollback"
        and configuration is not None
        and configuration.is_stable
        and not any(
            other.is_stable
            and fingerprint != state.fingerprint
            and (other.stable_at or "") > (state.applied_at or "")
            for fingerprint, other in state.configs.items()
        )
    )


def way_back(state: SystemState, in_place: str | None) -> str | None:
    """Return where ``--last-stable`` ends: where the system rests since a rollback, or `last_stable`."""
    if _rests(state, LAST_STABLE, in_place):
        return state.fingerprint
    return last_stable(state, in_place)


def _rests(state: SystemState, selector: str, in_place: str | None) -> bool:
    settled = in_place == state.fingerprint and unfinished(state) is None
    return selector == LAST_STABLE and rests_on_stable_rollback(state) and settled


def destination(state: SystemState, selector: str, in_place: str | None) -> str:
    """Return the fingerprint that a rollback ends on: `target`, or where it rests already. Raises as that."""
    if _rests(state, selector, in_place):
        return str(state.fingerprint)
    return target(state, selector, in_place)


def staying(state: SystemState) -> str:
    """Return the fingerprint that a rollback of the code alone ends on: the one in force.

    Raises:
        Refused: none is.
    """
    if state.fingerprint is None:
        raise Refused(
            f"{state.system} has no configuration in force that could stay.",
            hint=f"rollout config put {state.system} FILE… --in-force",
        )
    return state.fingerprint


def require_full_rollback(
    state: SystemState, full: tuple[str | None, str] | None
) -> tuple[str | None, str]:
    """Return the configuration and the code of the plan's full rollback.

    Raises:
        Refused: the plan names none.
    """
    if full is None:
        raise Refused(
            f"The plan of {state.system} names no full rollback.",
            hint="actuators: {code: {repository: …, fallback: v2.0.0, config: TAG}}, then adopt it again",
        )
    return full


def require_checkout(state: SystemState, checkout: T | None) -> T:
    """Return what checks the system's code out.

    Raises:
        Refused: the system was registered without a checkout.
    """
    if checkout is None:
        raise Refused(
            f"{state.system} has no code checkout.",
            hint=f"rollout system add {state.system} --code FOLDER … registers it",
        )
    return checkout


def require_code_target(
    state: SystemState,
    ref: str,
    *,
    wanted: str,
    standing: str,
    is_behind: bool,
    fallback: str | None,
) -> None:
    """Raise unless the code may go back from the commit ``standing`` to ``wanted``, which ``ref`` names.

    ``is_behind`` says that it is in the history of what stands; ``fallback`` is the plan's.

    Raises:
        Refused: the system was never recorded to run it, and it is none of these either.
    """
    if not (wanted in state.codes or is_behind or wanted == fallback):
        raise Refused(
            f"{shortened(ref)} ({wanted[:COMMIT_SHOWN]}) is no way back: {state.system} was never recorded "
            f"to run it, and it is not in the history of {standing[:COMMIT_SHOWN]}.",
            hint="Check it out yourself; or name it in the plan: actuators: {code: {fallback: …}}",
        )


def request(
    state: SystemState,
    selector: str,
    *,
    in_place: str | None,
    code: events.CodeMove | None = None,
) -> Decision:
    """Decide on a rollback: quarantine what is left, and the intent with its plan.

    ``in_place`` is the fingerprint of the files as they lie there now, if they could be read. ``code`` goes
    back with them, where it is given.

    Raises:
        NothingStable, UnknownName, AmbiguousName, Refused: there is no target.
        OperationInProgress: a rollback to somewhere else was begun and not ended.
    """
    require_registered(state)
    settled = in_place == state.fingerprint and unfinished(state) is None
    moves = code is not None and code.from_commit != code.to_commit
    if _rests(state, selector, in_place) and not moves:
        return Decision(
            skipped=f"already back on the last stable {short(state.fingerprint)}, "
            f"since {state.applied_at}; to go further back, name it: --to FINGERPRINT"
        )
    wanted = destination(state, selector, in_place)
    if wanted == state.fingerprint and settled and not moves:
        return Decision(skipped=f"already running {short(wanted)}, since {state.applied_at}")
    begun = unfinished(state)
    if begun is not None:
        operation, other = begun[0], short(begun[1].intent.to_fingerprint)
        raise OperationInProgress(
            f"A rollback of {state.system} to {other} was begun and not ended ({operation}).",
            hint=f"rollout rollback resume {state.system}, "
            f"or rollout rollback abandon {state.system} --reason …",
        )
    snapshot = snapshot_to_write(state, wanted)
    intent = events.RollbackRequested(
        from_fingerprint=in_place,
        to_fingerprint=wanted,
        snapshot=snapshot,
        selector=selector,
        files=targets(state, snapshot, wanted),
        code=code,
    )
    left = (
        fingerprint
        for fingerprint in dict.fromkeys((state.fingerprint, in_place))
        if fingerprint in state.configs and fingerprint != wanted
    )
    decided: list[events.Event] = [intent]
    decided += [
        events.FingerprintQuarantined(fingerprint=fingerprint)
        for fingerprint in left
        if fingerprint is not None and not state.configs[fingerprint].quarantined
    ]
    return Decision(tuple(decided))


def completed(
    state: SystemState, intent: RollbackIntent, applied: events.ConfigApplied, now: datetime
) -> tuple[Event, ...]:
    """Record a finished rollback: in force by ``applied``, completed, and the harm stopped.

    Where no incident stands open, one is opened for it: somebody has to look into it.
    """
    action = f"rollback to {short(intent.to_fingerprint)}"
    if intent.code is not None:
        action += f" and the code to {intent.code.ref}"
    done = events.RollbackCompleted(
        from_fingerprint=intent.from_fingerprint, to_fingerprint=intent.to_fingerprint
    )
    if any(incident.status != "resolved" for incident in state.incidents.values()):
        return (applied, done, *mitigated_by(state, action))
    incident = incident_name(state, now)
    title = f"{action} from {short(intent.from_fingerprint)}"
    return (
        applied,
        done,
        events.IncidentOpened(incident=incident, title=title, severity="warning"),
        events.IncidentMitigated(incident=incident, action=action),
    )


def went_back_since(state: SystemState, moment: str) -> bool:
    """Tell whether a rollback came after an alert that fired at ``moment``: that is what was to be done."""
    return state.applied_cause == "rollback" and (state.applied_at or "") >= moment
