"""A file or folder: is it there, what does it permit, how old is it, which keys does it set?"""

from __future__ import annotations

import glob
import os
import pwd
import stat
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from ledger.clock import age_of_file
from ledger.configuration import patterns
from ledger.configuration.line_formats import variables
from ledger.configuration.loader import parse
from ledger.configuration.source import decode, known_format, read_bytes
from ledger.preflight.context import CheckContext
from ledger.preflight.finding import CheckError, Outcome, Part, Result, passed, worst
from ledger.preflight.judging import age_limit_text, age_text, judged_age, nodes
from ledger.preflight.specs import File

FILES_MAX = 10_000
"""How many files a pattern may fit."""


def file(check: File, context: CheckContext) -> Outcome:
    """Look at everything that the check names, and tell all of it. Values of keys are never told."""
    files = _found(context.base, check.path)
    if not files:
        return Outcome(
            passed(not check.exists), "not there", "there" if check.exists else "not there"
        )
    there = "there" if glob.escape(check.path) == check.path else _counted(files)
    if not check.exists:
        return Outcome(Result.FAIL, there, "not there")
    parts = [(Result.PASS, there, "there"), *_parts(check, context, files)]
    return Outcome(
        worst(result for result, _, _ in parts),
        ", ".join(measured for _, measured, _ in parts if measured),
        ", ".join(threshold for _, _, threshold in parts),
        "\n".join(
            f"{measured}, wanted: {threshold}"
            for result, measured, threshold in parts
            if result is not Result.PASS
        ),
    )


def age_part(
    path_mtime: float, check_ages: tuple[str | None, str | None], context: CheckContext
) -> Part:
    """Return how old a file is, beside what it may be."""
    age = age_of_file(path_mtime, context.clock)
    return judged_age(age, *check_ages), age_text(age), age_limit_text(*check_ages)


def _found(base: Path, name: str) -> dict[Path, os.stat_result]:
    """Return the files that a path means: that one, or all that fit the pattern; the newest first."""
    whole = base / name
    paths = [whole]
    if glob.has_magic(name) and not whole.exists():
        names = glob.iglob(str(whole), recursive=True, include_hidden=True)  # noqa: PTH207 -- takes absolute patterns
        paths = [Path(each) for each in islice(names, FILES_MAX + 1)]
        if len(paths) > FILES_MAX:
            raise CheckError(f"{name}: more than {FILES_MAX:,} files fit; name fewer")
    statuses: dict[Path, os.stat_result] = {}
    for path in paths:
        try:
            statuses[path] = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise CheckError(f"{path} can't be looked at: {error.strerror}") from error
    return dict(sorted(statuses.items(), key=lambda one: one[1].st_mtime, reverse=True))


def _counted(files: Mapping[Path, object]) -> str:
    newest = next(iter(files)).name
    return newest if len(files) == 1 else f"{len(files)} there, the newest {newest}"


def _parts(
    check: File, context: CheckContext, files: Mapping[Path, os.stat_result]
) -> Iterator[Part]:
    """Look at all that fit a pattern; how old, only the newest: it is the one that is written to."""
    several = len(files) > 1
    newest = next(iter(files.values()))
    for path, status in files.items():
        for result, measured, threshold in _parts_of(check, path, status):
            if not several or result is not Result.PASS:
                yield result, f"{path.name}: {measured}" if several else measured, threshold
    if check.max_age is not None or check.warn_age is not None:
        yield age_part(newest.st_mtime, (check.max_age, check.warn_age), context)


def _parts_of(check: File, path: Path, status: os.stat_result) -> Iterator[Part]:
    if check.mode is not None:
        actual, allowed = stat.S_IMODE(status.st_mode), int(check.mode, 8)
        yield passed(not actual & ~allowed), f"mode {actual:04o}", f"mode at most {allowed:04o}"
    if check.executable:
        may = bool(status.st_mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH))
        yield passed(may), "executable" if may else "not executable", "executable"
    if check.owner is not None:
        owner = _name_of(status.st_uid)
        same = check.owner in {owner, str(status.st_uid)}
        yield passed(same), f"owner {owner}", f"owner {check.owner}"
    if check.contains_keys:
        yield _keys_part(check, path)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _keys_part(check: File, path: Path) -> Part:
    set_keys = _keys_set_in(path)
    missing = [key for key in check.contains_keys if key not in set_keys]
    count = len(check.contains_keys)
    wanted = f"sets {', '.join(check.contains_keys)}"
    without = f", not {', '.join(missing)}" if missing else ""
    measured = f"{count - len(missing)} of {count} keys set{without}"
    return passed(not missing), measured, wanted


def _keys_set_in(path: Path) -> set[str]:
    """Return the keys that have a value: an empty one, or ``<your key>``, is none."""
    raw = read_bytes(path)
    if known_format(path.name) not in {None, "env"}:
        value = parse(decode(path.name, raw))
        # A name of a properties file has dots in it, and is one name all the same.
        whole = (
            value.items()
            if known_format(path.name) == "properties" and isinstance(value, dict)
            else ()
        )
        values = [*nodes(value), *whole]
    else:
        values = variables(raw.decode("utf-8", errors="replace")).items()
    return {key for key, value in values if _is_set(value)}


def _is_set(value: object) -> bool:
    if isinstance(value, str):
        # A reference to another variable sets something; a blank to be filled in does not.
        return value.startswith("$") or not patterns.is_placeholder(value)
    return value is not None
