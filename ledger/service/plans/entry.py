"""The configuration of a phase: what is in force with the plan's overlay, put in place on entry.

One operation: its intent names the phase, its outcome puts the configuration in force and enters the phase.
So neither is ever the case without the other, wherever a crash comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

import orjson

from ledger import fail_points
from ledger.configuration.overlay import overlaid as lay_over, text_keys
from ledger.configuration.snapshot import Snapshot, snapshot_under
from ledger.configuration.source import TEXTS_ONLY, format_of
from ledger.domain import events
from ledger.domain.configurations import decide as configurations
from ledger.domain.configurations.decide import short
from ledger.domain.decision import Decision, require_no_rule
from ledger.domain.errors import BadInput
from ledger.domain.plans import configuration, decide as phases
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import flatten
from ledger.profiles.phases import Phase
from ledger.service.configurations import apply, comparison, registration
from ledger.service.configurations.apply import Contents
from ledger.service.configurations.snapshots import save_unknown
from ledger.service.core.actuators import World, world_of
from ledger.service.core.operation import Operation, begin
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger


@dataclass(frozen=True, slots=True)
class Overlaid:
    """The configuration in force, with a phase's overlay."""

    snapshot: Snapshot
    contents: dict[str, bytes]
    said: Mapping[str, str]
    """What it says, flat: key -> canonical JSON text."""
    changes: tuple[events.Change, ...]
    paths: tuple[str, ...]
    """Of the files that it writes."""
    texts: frozenset[str]
    """The keys that can only say a text, because of their files' format."""


def overlaid(ledger: Ledger, state: SystemState, phase: Phase) -> Overlaid | None:
    """Return the configuration that ``phase`` asks for; None where it is in force, or can't be written.

    Raises:
        BadInput: a key can't be set in the files as they are written.
        DriftFound: the files were changed by hand: nobody can tell what the overlay would be laid over.
    """
    world = _world(ledger, state)
    if world.configs is None or state.fingerprint is None:
        return None
    said = ledger.configuration(state.fingerprint)
    texts = texts_in_force(ledger, state)
    files = [file.name for file in state.configs[state.fingerprint].snapshots[str(state.snapshot)]]
    wanted = _chosen(ledger, state, phase, files)
    if wanted == files and configuration.is_laid_over(phase, said, texts):
        return None
    in_place = comparison.in_place(ledger, state, world)
    configuration.require_as_recorded(state, phase, in_place)
    standing = world.configs.read()
    missing = [name for name in wanted if name not in standing]
    if missing:
        raise BadInput(
            f"{phase.name} chooses {', '.join(missing)}: not in place among the files of {state.system}.",
            hint=f"rollout system add {state.system} --config-file NAME=PATH … registers it",
        )
    base = [(name, standing[name]) for name in wanted]
    contents = dict(lay_over(base, phase.overlay))
    texts = text_keys(list(contents.items()))
    snapshot = snapshot_under(contents.items(), ledger.keys)
    now = flatten(orjson.loads(snapshot.canonical))
    changed = [name for name, content in contents.items() if content != standing[name]]
    paths = tuple(str(world.config_files[name]) for name in changed)
    return Overlaid(snapshot, contents, now, comparison.changes_of(said, now), paths, texts)


def _chosen(ledger: Ledger, state: SystemState, phase: Phase, files: Sequence[str]) -> list[str]:
    """Return the names of the configuration's files with those that ``phase`` chooses among alternatives."""
    names = list(files)
    if not phase.choose:
        return names
    choices = plan_of(ledger, state).profile.choices
    for variable, choice in phase.choose.items():
        files_by_choice = choices[variable]
        at = next(
            (i for i, name in enumerate(names) if name in files_by_choice.values()), len(names)
        )
        names = [name for name in names if name not in files_by_choice.values()]
        names.insert(at, files_by_choice[choice])
    return names


def texts_in_force(ledger: Ledger, state: SystemState) -> frozenset[str]:
    """Return the keys of the configuration in force that can only say a text (of ``.env``, say)."""
    if state.fingerprint is None:
        return frozenset()
    files = state.configs[state.fingerprint].snapshots[str(state.snapshot)]
    if not any(format_of(file.name) in TEXTS_ONLY for file in files):
        return frozenset()
    return text_keys([(file.name, ledger.blob(file.sha256)) for file in files])


def enter(
    ledger: Ledger,
    system: str,
    phase: Phase,
    decide: Callable[[SystemState], Decision],
    origin: Origin,
) -> Decision:
    """Put the configuration of ``phase`` in place and enter it, as ``decide`` says on the state of then.

    Raises:
        GateClosed: the phase does not allow the configuration.
        Refused: it is in quarantine, or a rule asks (I9).
        FileNotWritten, IntegrityFailure: it is not in place; the phase was not entered.
    """
    require_no_rule(origin.actor, f"the configuration of the phase {phase.name}")
    with ledger.operating(system, f"entering {phase.name}"):
        ledger.finish_dead_operations(system, origin)
        state = ledger.load(system)
        wanted, decided = overlaid(ledger, state, phase), decide(state)
        if not decided.events or wanted is None:
            return ledger.decide(system, decide, origin)
        configuration.require_allowed(system, phase, wanted.said, wanted.texts)
        save_unknown(ledger, state, _world(ledger, state), origin)
        _keep(ledger, state, phase, wanted.snapshot, origin)
        fail_points.reach("phase.after_register")
        not_entered = begin(ledger, system, _Entry(phase, wanted, decide), origin)
        return not_entered or _as_it_came(ledger, system, phase, decided)


@dataclass(frozen=True, slots=True)
class _Entry(Operation[World, Contents, Decision | None]):
    """A phase that is entered by putting its configuration, which the ledger holds by now, in force."""

    fail_point: ClassVar[str] = "apply"
    phase: Phase
    wanted: Overlaid
    enter: Callable[[SystemState], Decision]

    @property
    def what(self) -> str:
        """The phase that is entered."""
        return f"entering {self.phase.name}"

    def observe(self, ledger: Ledger, state: SystemState, origin: Origin) -> World:
        """Return where the files lie: what stands there was looked at for the overlay."""
        return _world(ledger, state)

    def decide(self, ledger: Ledger, state: SystemState, view: World) -> Decision:
        """Return the request to write the configuration, which names the phase; or why it is not entered."""
        entered = self.enter(state)
        if not entered.events:
            return entered
        return configurations.request_apply(
            state,
            self.wanted.snapshot.fingerprint,
            in_place=state.fingerprint,
            snapshot=self.wanted.snapshot.snapshot_id,
            phase=phases.move_of(entered),
        )

    def may_raise(self, state: SystemState, view: World) -> bool:
        """Yes: a phase lets more in."""
        return True

    def secure(
        self, ledger: Ledger, state: SystemState, view: World, intent: Decision, origin: Origin
    ) -> Contents:
        """Return the bytes with the overlay."""
        return Contents(view, self.wanted.contents)

    def perform(
        self, ledger: Ledger, state: SystemState, operation: UUID, work: Contents, origin: Origin
    ) -> None:
        """Write the files; the outcome enters the phase."""
        apply.complete_apply(ledger, work.world, state, operation, work.files, origin)

    def skipped(self, state: SystemState, view: World, why: str) -> Decision:
        """Return why the phase is not entered."""
        return Decision(skipped=why)


def _keep(
    ledger: Ledger, state: SystemState, phase: Phase, snapshot: Snapshot, origin: Origin
) -> None:
    registration.keep(ledger, snapshot, origin)
    source = f"the phase {phase.name}, over {short(state.fingerprint)}"
    registered = registration.registration_of(snapshot, source=source)
    ledger.decide(state.system, lambda state: configurations.register(state, registered), origin)


def _as_it_came(ledger: Ledger, system: str, phase: Phase, decided: Decision) -> Decision:
    present = ledger.load(system).phase
    if present is None or present.name != phase.name:
        return Decision(
            skipped="its configuration is in place; but somebody decided otherwise meanwhile, "
            "and it was not entered"
        )
    return decided


def _world(ledger: Ledger, state: SystemState) -> World:
    return world_of(state.actuators, ledger.recorder.clock)
