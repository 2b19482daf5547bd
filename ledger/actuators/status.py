"""How a system tells its mode, in its control file as in ``GET /status``: one reader for both."""

from __future__ import annotations

import json
from typing import Final, cast

from ledger.domain.values.actuation import Reading
from ledger.domain.values.modes import Mode, PauseKind

_QUOTED_CHARACTERS_MAX: Final = 20


def told_mode(actuator: str, content: bytes, *, source: str) -> Reading:
    """Read ``{"mode": …, "pause_kind": …}``; what is off becomes the reading's problem, no error.

    ``pause_kind`` may be missing. A byte order mark, as Windows programs write it, is let pass.
    """
    try:
        keys = _object(content)
        mode = _mode(keys)
    except _Off as off:
        return Reading(actuator, None, problem=f"{source} {off}")
    try:
        return Reading(actuator, mode, _pause_kind(keys) if mode is Mode.PAUSED else None)
    except _Off as off:
        return Reading(actuator, mode, problem=f"{source} {off}")


class _Off(Exception):  # the end of a sentence, "<source> has no key ..."
    pass


def _object(content: bytes) -> dict[str, object]:
    try:
        keys = cast("object", json.loads(content.decode("utf-8-sig")))
    except (ValueError, RecursionError) as error:
        raise _Off("is no JSON") from error
    if not isinstance(keys, dict):
        raise _Off("is no JSON object")
    return cast("dict[str, object]", keys)


def _mode(keys: dict[str, object]) -> Mode:
    if "mode" not in keys:
        raise _Off('has no key "mode"')
    for mode in Mode:
        if keys["mode"] == mode.value:
            return mode
    words = " | ".join(Mode)
    raise _Off(f"has the mode {_quoted(keys['mode'])}, expected one of {words}")


def _pause_kind(keys: dict[str, object]) -> PauseKind | None:
    kind_text = keys.get("pause_kind")
    if kind_text is None:
        return None
    for kind in PauseKind:
        if kind_text == kind.value:
            return kind
    words = " | ".join(PauseKind)
    raise _Off(f"has the pause_kind {_quoted(kind_text)}, expected one of {words}")


def _quoted(value: object) -> str:
    # Cut short, because whatever stands there may end up in an event.
    text = json.dumps(value)
    if len(text) <= _QUOTED_CHARACTERS_MAX:
        return text
    return f"{text[:_QUOTED_CHARACTERS_MAX]}…"
