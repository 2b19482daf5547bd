"""The importers, whole: read, check, append. What the command line calls."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ledger.domain.errors import BadInput, FileNotRead
from ledger.domain.state import SystemState
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.imports import activity, changes, config_changes, jsonl, risk_events
from ledger.service.imports.actors import named
from ledger.service.imports.base import (
    Imported,
    Problem,
    Progress,
    Source,
    Told,
    done_before,
    require_good,
)
from ledger.service.imports.changes import Manner, Step
from ledger.service.imports.config_changes import REPEAT_WINDOW_SECONDS, ConfigChange
from ledger.service.imports.lines import AFTER_NULS, Lines

if TYPE_CHECKING:
    from ledger.configuration.snapshot import Snapshot

_READERS: Final = {"jsonl": jsonl.read, "risk-events": risk_events.read}


def import_config_changes(
    ledger: Ledger,
    system: str,
    path: Path,
    origin: Origin,
    manner: Manner,
    *,
    file_name: str = "config.json",
    repeat_window_seconds: float = REPEAT_WINDOW_SECONDS,
) -> Imported:
    """Import a bot's log of configuration changes.

    The log holds values and no files: each configuration is kept as one JSON file called ``file_name``.

    Raises:
        UnknownName: the system was never registered.
        BadInput: a line is bad, and nothing was imported.
    """
    ledger.load(system)
    lines = Lines(path)
    for _ in lines:
        pass  # A first look, for the digest: a long log need not fit into memory.
    options = f"zone {manner.zone.name} window {repeat_window_seconds:g} file {file_name}"
    source = Source("config-changes", system, shown_path(path), lines.digest, options)
    told = Told()
    before = done_before(ledger.recorder.store, source, told)
    if before is not None:
        return before
    again = Lines(path, bytes_max=lines.bytes_read)
    log = config_changes.read(
        again,
        told,
        zone=manner.zone,
        not_after=ledger.recorder.clock.now(),
        repeat_window_seconds=repeat_window_seconds,
    )
    steps = _steps_of_log(ledger, log, told, file_name)
    checked = _unless_changed(steps, again, source, told)
    return changes.run(ledger, source, checked, told, origin, manner)


def import_git(
    ledger: Ledger,
    system: str,
    repository: Path,
    paths: Sequence[str],
    origin: Origin,
    manner: Manner,
    *,
    ref: str = "HEAD",
) -> Imported:
    """Import the history of configuration files in a git repository.

    Several paths are one configuration; a later one is laid over the ones before it.

    Raises:
        UnknownName: the system was never registered.
        BadInput: there is no such repository, branch or file, or a commit's file is bad.
    """
    from ledger.configuration.snapshot import snapshot_under
    from ledger.service.imports.git import History

    state = ledger.load(system)
    told = Told()
    with History(repository, paths, ref=ref) as history:
        history.scan(told, manner.progress)
        names = names_of(state, history.paths)
        options = f"names {json.dumps(list(names.values()))}"
        source = Source(
            "git",
            system,
            f"{shown_path(repository)} {ref}: {', '.join(history.paths)}",
            history.digest,
            options,
        )
        before = done_before(ledger.recorder.store, source, told)
        if before is not None:
            return before

        def kept(contents: list[tuple[str, bytes]]) -> Snapshot:
            return snapshot_under(contents, ledger.keys, new=True)

        steps = history.steps(told, names, kept, ledger.recorder.clock.now())
        return changes.run(ledger, source, steps, told, origin, manner)


def import_activity(
    ledger: Ledger,
    system: str,
    paths: Sequence[Path],
    kind: Literal["jsonl", "risk-events"],
    origin: Origin,
    manner: Manner,
) -> Iterator[Imported]:
    """Import files of order activity, one after the other, once all of them have been checked.

    Raises:
        UnknownName: the system was never registered.
        BadInput: a line is bad, and nothing was imported.
    """
    ledger.load(system)
    reading = activity.Reading(kind, _READERS[kind], manner.zone, ledger.recorder.clock.now())
    scans = [_scanned(path, reading, manner.progress) for path in paths]
    if not manner.skip_bad:
        for scan in scans:
            require_good(str(scan.path), scan.told, ledger.recorder)
    for scan in scans:
        scan.told.note_zone(manner.zone.name)
        source = Source(
            kind, system, shown_path(scan.path), scan.digest, f"zone {manner.zone.name}"
        )
        before = done_before(ledger.recorder.store, source, scan.told)
        if before is not None:
            yield before
            continue
        yield activity.run(
            ledger, source, scan, reading, origin, dry_run=manner.dry_run, progress=manner.progress
        )


def names_of(state: SystemState, paths: Sequence[str]) -> dict[str, str]:
    """Return under which name each path is kept: the system's own name for such a file, if it has one.

    So a configuration from the repository can be put back where the system reads it.
    """
    own = [file.name for file in state.actuators.config_files]
    names: dict[str, str] = {}
    for path in paths:
        base = path.rpartition("/")[2]
        alone = sum(other.rpartition("/")[2] == base for other in paths) == 1
        names[path] = path if path in own or not (alone and base in own) else base
    return names


def _scanned(path: Path, reading: activity.Reading, progress: Progress | None) -> activity.Scan:
    try:
        return activity.scan(path, reading, progress)
    except BadInput as bad:
        if str(path) in bad.message:
            raise
        raise BadInput(f"{path}: {bad.message}", hint=bad.hint) from None


def shown_path(path: Path) -> str:
    """Return a path as a summary names it; one that is not Unicode has question marks in it."""
    return str(path).encode(errors="replace").decode()


def _unless_changed(
    steps: Iterable[Step], lines: Lines, source: Source, told: Told
) -> Iterator[Step]:
    """Yield ``steps``, and make sure at their end that they came from what was looked at first."""
    yield from steps
    if lines.after_nuls:
        told.note(lines.after_nuls, AFTER_NULS)
    if lines.digest != source.digest:
        raise FileNotRead(f"{source.name} was changed while it was read.", hint="Import it again.")


def _steps_of_log(
    ledger: Ledger, found: Iterable[ConfigChange], told: Told, file_name: str
) -> Iterator[Step]:
    from ledger.configuration.snapshot import snapshot_under

    # A change mostly starts from what the one before it made.
    @lru_cache(maxsize=4)
    def snapshot_of(content: bytes) -> Snapshot:
        return snapshot_under([(file_name, content)], ledger.keys)

    for change in found:
        where = f"line {change.line}"
        try:
            before, after = (
                snapshot_of(_as_file(change.before)),
                snapshot_of(_as_file(change.after)),
            )
        except BadInput as bad:
            told.bad(Problem(where, bad.message))
            continue
        yield Step(
            where=where,
            called=f"the record of {change.written}",
            digest=change.digest,
            ordinal=change.ordinal,
            at=change.at,
            actor=named(change.applied_by),
            reason=change.reason,
            source=f"profile {change.profile}" if change.profile else "change log",
            after=after,
            before=before,
        )


def _as_file(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2).encode() + b"\n"
