"""Supervised runs: how one begins, how it ended, and which was found dead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.domain import events
from ledger.domain.decision import Decision, require_registered
from ledger.domain.errors import Refused
from ledger.domain.modes import decide as modes
from ledger.domain.state import SystemState
from ledger.domain.values.actuation import Reading
from ledger.domain.values.modes import Mode, PauseKind, exposure

NOT_STARTED: Final = 126
"""What a shell says of a program that is there and can't be started."""


@dataclass(frozen=True, slots=True)
class ModeAtStart:
    """The mode that a program finds when it starts."""

    mode: Mode
    kind: PauseKind | None
    in_place: bool
    """Whether it stands there already. False: it is to be put there."""

    @property
    def shown(self) -> str:
        """The mode as people read it."""
        return modes.shown(self.mode, self.kind)


HALTED: Final = ModeAtStart(Mode.PAUSED, PauseKind.HALT, in_place=True)
"""The mode of a run without the ledger: nobody can tell which one was decided last."""


def mode_at_start(state: SystemState, reading: Reading | None) -> ModeAtStart:
    """Return the mode that was last recorded; a less exposed one that stands in the world stays (I9).

    A system that was never switched starts in mock. ``reading`` is the safest answer of the world.
    """
    mode, kind = modes.current(state)
    mode = mode or Mode.MOCK
    if reading is None or reading.mode is None:
        return ModeAtStart(mode, kind, in_place=False)
    if reading.tells(mode, kind):
        return ModeAtStart(mode, kind, in_place=True)
    if exposure(reading.mode, reading.pause_kind) < exposure(mode, kind):
        return ModeAtStart(reading.mode, reading.pause_kind, in_place=True)
    return ModeAtStart(mode, kind, in_place=False)


def require_agreement(configured: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Raise where somebody has set a variable to something else than the configuration in force says.

    Raises:
        Refused: it says which. Values are not told: they may be secrets.
    """
    other = [name for name in configured if environ.get(name, configured[name]) != configured[name]]
    if other:
        names = ", ".join(sorted(other))
        raise Refused(
            f"The configuration in force says something else of {names} than is set here: nothing started.",
            hint=f"unset {' '.join(sorted(other))}; or put the configuration that you mean in force first",
        )


def start(
    state: SystemState,
    run: str,
    command: Sequence[str],
    *,
    at_start: ModeAtStart,
    pid: int,
    host: str,
    code: str | None,
) -> Decision:
    """Record that a run begins, before it does (I5), on what is in force. ``code``: where its code stands."""
    require_registered(state)
    started = events.RunStarted(
        run=run,
        command=tuple(command),
        pid=pid,
        host=host,
        fingerprint=state.fingerprint,
        profile=state.profile_fingerprint,
        mode=at_start.mode.value,
        pause_kind=at_start.kind.value if at_start.kind else None,
        preflight_position=state.preflight.position if state.preflight is not None else None,
        code=code,
    )
    return Decision((started,))


def ended(
    run: str,
    *,
    exit_code: int | None,
    signal: str | None,
    seconds: int,
    asked: bool,
    explanation: str,
) -> Decision:
    """Record how a run ended. ``asked``: somebody had told it to stop."""
    if crashed(exit_code, asked=asked):
        return Decision(
            (
                events.CrashDetected(
                    run=run,
                    exit_code=exit_code,
                    signal=signal,
                    seconds=seconds,
                    explanation=explanation,
                ),
            )
        )
    stopped = events.RunStopped(
        run=run, exit_code=exit_code, signal=signal, seconds=seconds, asked=asked
    )
    return Decision((stopped,))


def crashed(exit_code: int | None, *, asked: bool) -> bool:
    """Tell whether a program that ended has died without being asked to."""
    return not asked and exit_code != 0


def never_started(run: str) -> Decision:
    """Record that the program of a run could not be started."""
    return Decision((events.RunStopped(run=run, exit_code=NOT_STARTED, seconds=0),))


def found_dead(state: SystemState, host: str) -> Decision:
    """Record the crash of a run that is under way by the log, and was on ``host``.

    Whoever asks holds the locks of a run there, so its supervisor and its program are dead.
    """
    run = state.run
    if run is None or run.status != "running":
        return Decision(skipped="no run is under way")
    if run.host != host:
        return Decision(skipped=f"{run.run} runs on {run.host}, and only that machine can tell")
    return Decision(
        (events.CrashDetected(run=run.run, explanation="its supervisor was found dead"),)
    )
