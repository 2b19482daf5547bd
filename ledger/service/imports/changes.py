"""A history of configurations becomes events: registered, found in force, put in force.

Every record is given together with what the ledger holds already, by time: a change log that was cut
off each month goes on where the last one ended, and what was found changed without a record is told
as such, once.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ledger import fail_points
from ledger.domain import events
from ledger.domain.configurations import decide as configurations
from ledger.domain.decision import require_registered
from ledger.domain.evolve import evolve
from ledger.domain.log.envelope import NewEvent
from ledger.domain.log.ids import Actor, Channel, control_stream
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import diff_flat, flatten
from ledger.service.configurations.registration import adopt_key, registration_of
from ledger.service.core.recorder import Origin, Recorder
from ledger.service.core.session import Ledger
from ledger.service.imports.actors import UNKNOWN
from ledger.service.imports.base import (
    Imported,
    Progress,
    Source,
    Told,
    append_last,
    outcome,
    record_id,
    require_good,
    require_same_time,
    summary_of,
)
from ledger.service.imports.times import UTC_ZONE, Zone

if TYPE_CHECKING:
    from ledger.configuration.snapshot import Snapshot

BATCH_EVENTS: Final = 5000
"""So many events go in together; the log's lock is not held for longer. Most histories are one batch."""
_LOOK_UP: Final = 500
_JUST_BEFORE: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Manner:
    """How to import: the same for every kind of source."""

    zone: Zone = UTC_ZONE
    """Of times that name none."""
    skip_bad: bool = False
    dry_run: bool = False
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One record: from then on, this was the configuration."""

    where: str
    """For messages: "line 3", "commit 1a2b3c4d"."""
    called: str
    """For good, in the log: "the record of 2026-02-01T21:11:09"."""
    digest: bytes
    ordinal: int
    at: datetime
    actor: Actor
    reason: str | None
    source: str
    after: Snapshot
    before: Snapshot | None = None
    """What the record itself says was in force until then, if it says."""


@dataclass(slots=True)
class _Past:
    """What the ledger holds of the system's configurations."""

    state: SystemState
    registered: set[tuple[str, str]]
    """(fingerprint, snapshot)"""
    applied: list[tuple[datetime, str]]
    """(from when, fingerprint), by time."""


@dataclass(slots=True)
class _Planner:
    ledger: Ledger
    source: Source
    past: _Past
    told: Told
    blobs: dict[str, bytes] = field(default_factory=dict)
    """SHA-256 -> packed bytes: a long history of large files has to fit into memory."""
    holds_secrets: bool = False
    current: str | None = None
    """The fingerprint in force at the step that was looked at last."""
    _seen: int = 0
    _compared: bool = False
    _flat: tuple[str | None, Mapping[str, str]] = (None, {})

    def events_of(self, step: Step, *, known: bool) -> list[NewEvent]:
        """Return what to append for ``step``: nothing, if it is in the log already."""
        applied = self.past.applied
        while self._seen < len(applied) and applied[self._seen][0] <= step.at:
            self.current = applied[self._seen][1]
            self._seen += 1
        if known:
            if not self._compared:  # One will do: all of them were read in the same way.
                store, key = self.ledger.recorder.store, main_id(self.source, step)
                require_same_time(store, self.source, step.where, key, step.at)
                self._compared = True
            return []
        made: list[NewEvent] = []
        if step.before is not None and not self._is_current(step.before):
            made += self._registered(step, step.before, "before", UNKNOWN, step.called)
            found = self._applied(step.before, "found")
            why = f"in force before {step.called}; no record says who changed it"
            made.append(self._event(step, found, "found", UNKNOWN, why))
        if not self._is_current(step.after):
            made += self._registered(step, step.after, "registered", step.actor, step.source)
            made.append(
                self._event(step, self._applied(step.after, "import"), "", step.actor, step.reason)
            )
        elif new := self._registered(step, step.after, "", step.actor, step.source):
            made += new  # Other bytes, the same meaning: comments, the order of keys.
        else:
            self.told.unchanged.append(f"{step.where} changes nothing")
        return made

    def _is_current(self, snapshot: Snapshot) -> bool:
        note = configurations.made_otherwise(self.past.state, self.current)
        if note is not None and note not in self.told.notes:
            self.told.notes.append(note)
        return snapshot.fingerprint == self.current

    def _registered(
        self, step: Step, snapshot: Snapshot, role: str, actor: Actor, source: str
    ) -> list[NewEvent]:
        identity = (snapshot.fingerprint, snapshot.snapshot_id)
        if identity in self.past.registered:
            return []
        self.past.registered.add(identity)
        self._keep(snapshot)
        registered = registration_of(snapshot, source=self.ledger.recorder.redact(source))
        return [
            self._event(
                step, registered, role, actor, step.reason if actor is not UNKNOWN else None
            )
        ]

    def _applied(self, snapshot: Snapshot, cause: Any) -> events.ConfigApplied:
        flat = flatten(json.loads(snapshot.canonical))
        changed = diff_flat(self._flat_of(self.current), flat)
        applied = events.ConfigApplied(
            fingerprint=snapshot.fingerprint,
            snapshot=snapshot.snapshot_id,
            previous=self.current,
            cause=cause,
            changes=tuple(events.Change(key=c.key, old=c.old, new=c.new) for c in changed),
        )
        self.current = snapshot.fingerprint
        self._flat = (snapshot.fingerprint, flat)
        return applied

    def _flat_of(self, fingerprint: str | None) -> Mapping[str, str]:
        if fingerprint is None:
            return {}
        if self._flat[0] != fingerprint:
            canonical = self.ledger.recorder.store.get_blob(fingerprint.removeprefix("sha256:"))
            self._flat = (
                fingerprint,
                flatten(json.loads(canonical)) if canonical is not None else {},
            )
        return self._flat[1]

    def _event(
        self, step: Step, event: events.Event, role: str, actor: Actor, reason: str | None
    ) -> NewEvent:
        return self.ledger.recorder.prepare(
            event,
            Origin(actor, Channel.IMPORT, reason),
            stream=control_stream(self.source.system),
            system=self.source.system,
            occurred_at=step.at,
            event_id=main_id(self.source, step, role),
            backfilled=True,
            redacted=True,  # they come from snapshots, and `_registered` has seen to the source
        )

    def _keep(self, snapshot: Snapshot) -> None:
        kept = {file.sha256: file.redacted for file in snapshot.files}
        kept[snapshot.fingerprint.removeprefix("sha256:")] = snapshot.canonical
        for sha256, content in kept.items():
            if sha256 not in self.blobs:
                self.blobs[sha256] = zlib.compress(content, 1)
        self.holds_secrets |= any(file.secrets for file in snapshot.files)


def main_id(source: Source, step: Step, role: str = "") -> UUID:
    """Return the id of the event that stands for ``step``, or of another one that it becomes."""
    return record_id(source.kind, source.system, step.digest, step.ordinal, role)


def run(
    ledger: Ledger,
    source: Source,
    steps: Iterable[Step],
    told: Told,
    origin: Origin,
    manner: Manner,
) -> Imported:
    """Import a history of configurations: the whole of it, or with a bad record nothing.

    Raises:
        UnknownName: the system was never registered.
        BadInput: a record is bad, and bad ones are not to be skipped.
        EventIdReused: a record was imported before as something else.
    """
    recorder = ledger.recorder
    planner = _Planner(ledger, source, _past(recorder, source.system), told)
    groups: list[list[NewEvent]] = []
    count = 0
    for batch in _whole_moments(steps):
        known = recorder.store.known([main_id(source, step) for step in batch])
        for step in _in_order(recorder, source, batch, known):
            made = planner.events_of(step, known=main_id(source, step) in known)
            count += 1
            if made:
                groups.append(made)
        if manner.progress is not None:
            manner.progress(count)
    if not manner.skip_bad:
        require_good(source.name, told, recorder)
    zone = manner.zone.name
    told.note_zone(zone)
    records = count + len(told.repeated) + told.bad_count
    summary = summary_of(source, told, zone=zone, records=records, imported=len(groups))
    if manner.dry_run:
        return outcome(source, told, summary, new=chain.from_iterable(groups), position=None)
    position = _append(ledger, planner, groups, summary, origin) if groups else None
    return outcome(source, told, summary, new=(), position=position)


def _whole_moments(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Yield the steps in batches; those of one time stay together."""
    batch: list[Step] = []
    for step in steps:
        if len(batch) >= _LOOK_UP and step.at != batch[-1].at:
            yield batch
            batch = []
        batch.append(step)
    if batch:
        yield batch


def _in_order(
    recorder: Recorder, source: Source, batch: Sequence[Step], known: Container[UUID]
) -> Iterator[Step]:
    """Yield ``batch`` with each new step placed before those of the same time that follow it and are known.

    Of equal times, what was recorded later counts as later. So a commit that comes in after its child (a
    shallow clone that was deepened) would be in force, had it the very same time.
    """
    placed: list[Step] = []
    at: datetime | None = None
    following: UUID | None = None
    before: datetime | None = None
    for step in reversed(batch):
        if step.at != at:
            at, following, before = step.at, None, None
        key = main_id(source, step)
        if key in known:
            following, before = key, None
        elif following is not None:
            if before is None:
                recorded = recorder.store.get(following)
                before = recorded.occurred_at if recorded is not None else step.at
            before -= _JUST_BEFORE
        placed.append(step if before is None else replace(step, at=before))
    yield from reversed(placed)


def _append(
    ledger: Ledger,
    planner: _Planner,
    groups: list[list[NewEvent]],
    summary: events.HistoryImported,
    origin: Origin,
) -> int | None:
    recorder, source = ledger.recorder, planner.source
    recorder.store.put_blobs(zlib.decompress(packed) for packed in planner.blobs.values())
    if planner.holds_secrets:
        adopt_key(ledger, origin)
    fail_points.reach("import.after_blobs")
    *earlier, last = _batches(groups)
    for batch in earlier:
        recorder.append(batch)
        fail_points.reach("import.between_batches")
    position = append_last(recorder, source, last, summary, origin)
    ledger.load(source.system)  # what this machine remembers for the hour when Postgres is away
    return position


def _batches(groups: Iterable[list[NewEvent]]) -> Iterator[list[NewEvent]]:
    """Yield the events in batches; those of one record stay together."""
    batch: list[NewEvent] = []
    for group in groups:
        if batch and len(batch) + len(group) > BATCH_EVENTS:
            yield batch
            batch = []
        batch += group
    yield batch


def _past(recorder: Recorder, system: str) -> _Past:
    state = SystemState(system)
    applied: list[tuple[datetime, int, str]] = []
    for event in recorder.store.read_stream(control_stream(system)):
        state = evolve(state, event)
        if event.type == "ConfigApplied":
            applied.append((event.occurred_at, event.position, event.data["fingerprint"]))
    require_registered(state)
    registered = {
        (fingerprint, snapshot)
        for fingerprint, known in state.configs.items()
        for snapshot in known.snapshots
    }
    return _Past(state, registered, [(at, fingerprint) for at, _, fingerprint in sorted(applied)])
