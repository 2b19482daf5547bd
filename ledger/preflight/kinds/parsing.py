"""Files that must be readable, and numbers in them that must lie within bounds."""

from __future__ import annotations

import glob
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from ledger.configuration.loader import parse
from ledger.configuration.source import decode, read_bytes
from ledger.domain.errors import BadInput
from ledger.preflight.context import CheckContext
from ledger.preflight.fields import Bounds
from ledger.preflight.finding import CheckError, Outcome, Part, Result, passed, together
from ledger.preflight.judging import bounds_text, judged, nodes, number_in, number_text
from ledger.preflight.kinds.files import age_part
from ledger.preflight.specs import JsonThresholds, YamlParses

_FILES_MAX: Final = 10_000


def yaml_parses(check: YamlParses, context: CheckContext) -> Outcome:
    """Read each file as a configuration is read: a key that is set twice is an error too."""
    problems: list[str] = []
    paths: list[Path] = []
    for name in check.paths:
        matching = _found(context.base, name)
        if not matching:
            problems.append(f"{name}: no such file")
        paths += matching
    for path in paths:
        if context.guard.over:
            break
        try:
            _ = parse(decode(str(path), read_bytes(path)))
        except BadInput as error:
            problems.append(error.message)
    unread = len(problems)
    files = "1 file" if len(paths) == 1 else f"{len(paths)} files"
    return Outcome(
        passed(not problems),
        f"{files}, {unread} problem{'s' * (unread > 1)}"
        if unread
        else f"{files} parse{'s' * (len(paths) == 1)}",
        "all parse",
        "\n".join(problems),
    )


def json_thresholds(check: JsonThresholds, context: CheckContext) -> Outcome:
    """Look the keys up in the file, and at its age."""
    path = context.base / check.path
    threshold = "; ".join(f"{key} {bounds_text(bounds)}" for key, bounds in check.values.items())
    if not path.exists():
        return Outcome(Result.FAIL, "no such file", threshold, f"{path} is not there")
    raw = read_bytes(path)
    try:
        # Decimal, so that what is shown is what stands there; bare words (NaN) are no numbers.
        value = json.loads(raw, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise CheckError(f"{path} is not JSON: {error}") from error
    values = dict(nodes(value))
    parts = [_part(key, bounds, values) for key, bounds in check.values.items()]
    if check.max_age is not None or check.warn_age is not None:
        parts.append(age_part(path.stat().st_mtime, (check.max_age, check.warn_age), context))
    return together(parts)


def _part(key: str, bounds: Bounds, values: dict[str, Any]) -> Part:
    wanted = f"{key} {bounds_text(bounds)}"
    if key not in values:
        return Result.FAIL, f"{key} is not there", wanted
    number = number_in(values[key])
    if number is None:
        return Result.FAIL, f"{key} is no number", wanted
    return judged(number, bounds), f"{key} {number_text(number)}", wanted


def _found(base: Path, name: str) -> list[Path]:
    path = base / name
    if not glob.has_magic(name):
        return [path] if path.is_file() else []
    matching = sorted(glob.glob(str(path), recursive=True))[:_FILES_MAX]  # noqa: PTH207 -- takes absolute patterns
    return [Path(each) for each in matching if Path(each).is_file()]
