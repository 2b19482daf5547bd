"""A file or folder: is it there, what does it permit, how old is it, which keys does it set?"""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ledger.configuration import patterns
from ledger.configuration.loader import parse
from ledger.configuration.source import SUFFIXES, decode, read_bytes
from ledger.preflight.context import CheckContext
from ledger.preflight.finding import CheckError, Outcome, Result, worst
from ledger.preflight.judging import age_limit_text, age_text, judged_age, nodes
from ledger.preflight.specs import File

_VARIABLE = re.compile(
    r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=[ \t]*(.*?)\s*$", re.MULTILINE
)

Part = tuple[Result, str, str]
"""One thing that was looked at: how it came out, what was measured, what was asked for."""


def file(check: File, context: CheckContext) -> Outcome:
    """Look at everything that the check names, and tell all of it. Values of keys are never told."""
    path = context.base / check.path
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        result = Result.FAIL if check.exists else Result.PASS
        return Outcome(result, "not there", "there" if check.exists else "not there")
    except OSError as error:
        raise CheckError(f"{path} can't be looked at: {error.strerror}") from error
    if not check.exists:
        return Outcome(Result.FAIL, "there", "not there")
    parts = [(Result.PASS, "there", "there"), *_parts(check, context, path, found)]
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
    age = context.clock.now() - datetime.fromtimestamp(path_mtime, UTC)
    return judged_age(age, *check_ages), age_text(age), age_limit_text(*check_ages)


def _parts(check: File, context: CheckContext, path: Path, found: os.stat_result) -> Iterator[Part]:
    if check.mode is not None:
        actual, allowed = stat.S_IMODE(found.st_mode), int(check.mode, 8)
        result = Result.FAIL if actual & ~allowed else Result.PASS
        yield result, f"mode {actual:04o}", f"mode at most {allowed:04o}"
    if check.executable:
        may = bool(found.st_mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH))
        result = Result.PASS if may else Result.FAIL
        yield result, "executable" if may else "not executable", "executable"
    if check.owner is not None:
        owner = _name_of(found.st_uid)
        same = check.owner in {owner, str(found.st_uid)}
        yield Result.PASS if same else Result.FAIL, f"owner {owner}", f"owner {check.owner}"
    if check.max_age is not None or check.warn_age is not None:
        yield age_part(found.st_mtime, (check.max_age, check.warn_age), context)
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
    if missing:
        return (
            Result.FAIL,
            f"{count - len(missing)} of {count} keys set, not {', '.join(missing)}",
            wanted,
        )
    return Result.PASS, f"{count} of {count} keys set", wanted


def _keys_set_in(path: Path) -> set[str]:
    """Return the keys that have a value: an empty one, or ``<your key>``, is none."""
    raw = read_bytes(path)
    if path.suffix.lower() in SUFFIXES:
        values = list(nodes(parse(decode(path.name, raw))))
    else:
        text = raw.decode("utf-8", errors="replace")
        values = [(match[1], _unquoted(match[2])) for match in _VARIABLE.finditer(text)]
    return {key for key, value in values if _is_set(value)}


def _unquoted(text: str) -> str:
    quoted = re.match(r"""(["'])(.*?)\1""", text)
    return quoted[2] if quoted else text.partition(" #")[0].strip()


def _is_set(value: object) -> bool:
    if isinstance(value, str):
        # A reference to another variable sets something; a blank to be filled in does not.
        return value.startswith("$") or not patterns.is_placeholder(value)
    return value is not None
