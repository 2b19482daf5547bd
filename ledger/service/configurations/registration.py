"""Keeping configurations, and putting them in force."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ledger.configuration.snapshot import Snapshot, fingerprint_of_redacted, snapshot_under
from ledger.configuration.source import read_bytes
from ledger.domain import events
from ledger.domain.configurations import decide as configurations
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput, Refused, StaleRevision, UsageError
from ledger.domain.log.event import Event
from ledger.domain.log.ids import LEDGER_STREAM
from ledger.domain.state import SystemState
from ledger.domain.values import fingerprints
from ledger.service.configurations.comparison import (
    changes_between,
    in_place,
    warn_if_made_otherwise,
)
from ledger.service.core.actuators import world_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.store.base import EventStore

Cause = Literal["apply", "rollback", "import", "found", "declared"]


@dataclass(frozen=True, slots=True)
class PutResult:
    """What came of putting a configuration."""

    system: str
    fingerprint: str
    outcome: str
    """registered | skipped"""
    explanation: str
    changes: tuple[events.Change, ...]
    """Against the configuration in force."""
    secrets: tuple[str, ...]
    """Key paths whose values were replaced by digests."""


def named_paths(
    state: SystemState, paths: Sequence[Path], names: Sequence[str] = ()
) -> list[tuple[str, Path]]:
    """Return the name under which each file is kept: as given, as registered for its path, or its own.

    Raises:
        UsageError: not as many names as files.
    """
    if names:
        if len(names) != len(paths):
            raise UsageError(
                f"{len(names)} names for {len(paths)} files.", hint="Give --as once for each file."
            )
        return list(zip(names, paths, strict=True))
    registered = {file.path: file.name for file in state.actuators.config_files}
    return [(registered.get(str(path.absolute()), path.name), path) for path in paths]


def put(
    ledger: Ledger,
    system: str,
    paths: Sequence[Path],
    origin: Origin,
    *,
    names: Sequence[str] = (),
    tag: str | None = None,
    stable: bool = False,
    declare: bool = False,
) -> PutResult:
    """Keep the configuration that ``paths`` make, and name, vouch for or declare it, as asked.

    ``declare`` says that it is in force already, put there by other means.

    Raises:
        BadInput: a file can't be read, or is not what a configuration may be.
        NameTaken: the tag names another fingerprint; nothing was recorded.
    """
    state = ledger.load(system)
    contents = [(name, read_bytes(path)) for name, path in named_paths(state, paths, names)]
    _require_one_choice(ledger, state, [name for name, _ in contents])
    snapshot = snapshot_under(contents, ledger.keys, new=True)
    keep(ledger, snapshot, origin)
    registered = registration_of(snapshot, source=", ".join(str(path) for path in paths))
    changes = changes_between(ledger, state, state.fingerprint, snapshot.fingerprint)
    code = ledger.code_commit(state) if declare else None

    def decide(state: SystemState) -> Decision:
        first = configurations.register(state, registered)
        decided: list[Event] = list(first.events)
        configuration = state.configs.get(snapshot.fingerprint)
        if tag is not None:
            decided += configurations.tag(state, snapshot.fingerprint, tag).events
        if stable and not (configuration is not None and configuration.is_stable):
            decided.append(events.FingerprintMarkedStable(fingerprint=snapshot.fingerprint))
        if declare and (state.snapshot != snapshot.snapshot_id or code not in {None, state.code}):
            decided.append(
                applied(ledger, state, snapshot.fingerprint, snapshot.snapshot_id, "declared", code)
            )
        return Decision(tuple(decided), skipped=None if decided else first.skipped)

    after, decision = ledger.recorder.decide(system, decide, origin)
    if declare:
        _warn_if_elsewhere(ledger, after, snapshot.fingerprint)
    return PutResult(
        system=system,
        fingerprint=snapshot.fingerprint,
        outcome="skipped" if decision.skipped else "registered",
        explanation=decision.skipped or "",
        changes=changes,
        secrets=tuple(path for file in snapshot.files for path in file.secrets),
    )


def _require_one_choice(ledger: Ledger, state: SystemState, names: Sequence[str]) -> None:
    """Refuse files of which a variable chooses one: laid over one another they are what nobody runs."""
    if state.profile is None:
        return
    from ledger.service.core.plan_in_force import (
        plan_of,  # a tenth of a second, for systems with a plan
    )

    try:
        choices = plan_of(ledger, state).profile.choices
    except BadInput:  # an older plan, which this release reads no more: it names no choices
        return
    for variable, files in choices.items():
        several = [name for name in names if name in files.values()]
        if len(several) > 1:
            raise BadInput(
                f"{', '.join(several)}: {variable} chooses one of them; together they are what nobody runs.",
                hint="Put the one that is meant, with the files that belong to all.",
            )


def _warn_if_elsewhere(ledger: Ledger, state: SystemState, declared: str) -> None:
    """Say so where the system's files hold something else than what was declared to be in force."""
    world = world_of(state.actuators, ledger.recorder.clock)
    standing = in_place(ledger, state, world) if world.config_files else declared
    if standing != declared:
        what = configurations.short(standing) if standing else "nothing readable"
        ledger.warn(
            f"{configurations.short(declared)} is declared, and {what} stands in place: "
            f"rollout drift {state.system}"
        )


def keep(ledger: Ledger, snapshot: Snapshot, origin: Origin) -> None:
    """Keep a snapshot's bytes, before any event names them; and agree on the key of its secrets."""
    for file in snapshot.files:
        ledger.keep_blob(file.redacted)
    ledger.keep_blob(snapshot.canonical)
    if any(file.secrets for file in snapshot.files):
        adopt_key(ledger, origin)


def adopt_key(ledger: Ledger, origin: Origin) -> None:
    """Record under which key this ledger digests secrets, or insist that this machine has that one.

    Raises:
        Refused: this machine has another key, so the same secret would look like another.
    """
    adopted, revision = adopted_key(ledger.recorder.store)
    mine = ledger.keys().key_id
    if adopted is not None:
        require_key(adopted, mine, ledger.home)
        return
    event = ledger.recorder.prepare(
        events.SecretKeyAdopted(key_id=mine),
        origin,
        stream=LEDGER_STREAM,
        system=None,
        expected_revision=revision,
    )
    try:
        ledger.recorder.append([event])
    except StaleRevision:  # another machine was quicker, perhaps with another key
        adopt_key(ledger, origin)


def adopted_key(store: EventStore) -> tuple[str | None, int]:
    """Return the id of the key that the ledger has adopted, if any, and its own stream's revision."""
    adopted, revision = None, 0
    for event in store.read_stream(LEDGER_STREAM):
        revision = event.revision
        if event.type == "SecretKeyAdopted":
            adopted = str(event.data["key_id"])
    return adopted, revision


def require_key(adopted: str, mine: str | None, home: Path) -> None:
    """Raise unless this machine has the key that the ledger has adopted.

    Raises:
        Refused: it has another, or none.
    """
    if mine != adopted:
        raise Refused(
            f"This ledger digests secrets under the key {adopted}, and this machine has {mine or 'none'}.",
            hint=f"Copy secret.key from the machine that has it into {home}, or set ROLLOUT_SECRET_KEY.",
        )


def registration_of(snapshot: Snapshot, *, source: str) -> events.ConfigRegistered:
    """Return the event that registers ``snapshot``."""
    return events.ConfigRegistered(
        fingerprint=snapshot.fingerprint,
        snapshot=snapshot.snapshot_id,
        files=tuple(
            events.SnapshotFile(
                name=file.name,
                sha256=file.sha256,
                size=file.size,
                content_digest=file.content_digest,
                secrets=tuple(file.secrets),
            )
            for file in snapshot.files
        ),
        source=source,
        canonical_form=fingerprints.CANONICAL_FORM,
    )


def applied(
    ledger: Ledger,
    state: SystemState,
    fingerprint: str,
    snapshot: str,
    cause: Cause,
    code: str | None = None,
) -> events.ConfigApplied:
    """Return the event that puts a configuration in force, with the diff to the one before.

    ``code`` is where the code stands, if there is a checkout.
    """
    return events.ConfigApplied(
        fingerprint=fingerprint,
        snapshot=snapshot,
        previous=state.fingerprint,
        cause=cause,
        code=code,
        changes=changes_between(ledger, state, state.fingerprint, fingerprint),
    )


def verify_kept(ledger: Ledger, state: SystemState, fingerprint: str) -> str | None:
    """Tell what is wrong with a configuration's kept bytes, or None. Asks the ledger, not this machine.

    Whether they still give a fingerprint that another version of the canonical form made can't be told: it
    is said.
    """
    store = ledger.recorder.store
    snapshots = state.configs[fingerprint].snapshots.values()
    wanted = [
        fingerprint.removeprefix("sha256:"),
        *(file.sha256 for files in snapshots for file in files),
    ]
    for sha256 in wanted:
        content = store.get_blob(sha256)
        if content is None:
            return f"the bytes {sha256[:12]} are missing"
        if hashlib.sha256(content).hexdigest() != sha256:
            return f"the bytes {sha256[:12]} are not what was recorded"
    if warn_if_made_otherwise(ledger, state, fingerprint):
        return None
    for files in snapshots:
        contents = [(file.name, ledger.blob(file.sha256)) for file in files]
        if fingerprint_of_redacted(contents) != fingerprint:
            return "the files no longer resolve to this fingerprint"
    return None
