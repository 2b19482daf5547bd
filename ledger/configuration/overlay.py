"""A few keys of a configuration set, in the files where they stand; every other byte stays as it is.

A value is replaced where it is written. A key that is missing is written at the end of the mapping that it
belongs to. What comes out is read again and compared: if it says anything else than it should, because of an
alias or a way of writing that is not foreseen here, nothing is returned.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final, cast

from ledger.configuration import loader, places, room
from ledger.configuration.source import TEXTS_ONLY, Source, decode, format_of
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import (
    Plain,
    Value,
    canonical,
    flatten,
    key_steps,
    leaf_text,
    shortened,
)
from ledger.domain.values.shapes import is_list, is_tuple

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][\w-]*")
_NOT_PLAIN: Final = frozenset("y n yes no on off true false null".split())


def overlaid(
    files: Sequence[tuple[str, bytes]], overlay: Mapping[str, Plain]
) -> list[tuple[str, bytes]]:
    """Return the files (name, bytes; each laid over those before) so that they say what ``overlay`` says.

    Raises:
        BadInput: a key can't be set without changing something else; file, key and what to do.
    """
    sources = [decode(name, content) for name, content in files]
    for key, wanted in overlay.items():
        steps = key_steps(key)
        values = [loader.parse(source) for source in sources]
        named = list(zip([source.name for source in sources], values, strict=True))
        merged = loader.resolve(named)
        number = _where(values, steps)
        value = as_meant(wanted, sources[number], key)
        if flatten(merged).get(key) == leaf_text(value):
            continue
        sources[number] = _with_key(sources[number], values[number], steps, value, key)
        edited = loader.resolve((source.name, loader.parse(source)) for source in sources)
        if canonical(edited) != canonical(_with_value(merged, steps, value, sources[number], key)):
            raise _unfit(sources[number], key)
    return [
        (name, source.encoded(source.text))
        for (name, _), source in zip(files, sources, strict=True)
    ]


def as_meant(value: Plain, source: Source, key: str) -> Plain:
    """Return what a value is once it stands in the file: a text, where the format has nothing else.

    Raises:
        BadInput: the format can't say it.
    """
    if source.format not in TEXTS_ONLY or isinstance(value, str):
        return value
    if value is None:
        raise BadInput(
            f"{source.name}: {shortened(key)} can't be null: all values are texts there.",
            hint='Write "" for an empty text.',
        )
    return leaf_text(value)


def text_keys(files: Sequence[tuple[str, bytes]]) -> frozenset[str]:
    """Return the keys of a configuration, by its files in their order, that can only say a text."""
    if not any(format_of(name) in TEXTS_ONLY for name, _ in files):
        return frozenset()
    text_only: set[str] = set()
    for name, content in files:
        source = decode(name, content)
        keys = flatten(loader.parse(source)).keys()
        text_only = text_only | keys if source.format in TEXTS_ONLY else text_only - keys
    return frozenset(text_only)


def _where(values: Sequence[Value], steps: Sequence[str | int]) -> int:
    """Return the file that a key belongs to: the last that has it, or else most of the way to it."""
    depths = [_depth(value, steps) for value in values]
    return max(range(len(values)), key=lambda number: (depths[number], number))


def _depth(value: Value, steps: Sequence[str | int]) -> int:
    for depth, step in enumerate(steps):
        child = _child(value, step)
        if child is _NOTHING:
            return depth
        value = cast("Value", child)
    return len(steps)


_NOTHING: Final = object()


def _child(value: Value, step: str | int) -> object:
    if isinstance(value, dict) and isinstance(step, str):
        return value.get(step, _NOTHING)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _NOTHING


def _with_value(
    base: Value, steps: Sequence[str | int], value: Plain, source: Source, key: str
) -> Value:
    """Return the resolved value with one leaf set."""
    whole = deepcopy(base)
    node: Any = whole
    for step in steps[:-1]:
        if isinstance(node, dict) and isinstance(step, str):
            node = cast("dict[str, Any]", node).setdefault(step, {})
        elif isinstance(node, list) and isinstance(step, int):
            node = cast("list[Any]", node)[step]
        else:
            raise _unfit(source, key)
    try:
        node[steps[-1]] = value
    except (TypeError, IndexError):
        raise _unfit(source, key) from None
    return whole


def _with_key(
    source: Source, value: Value, steps: Sequence[str | int], wanted: Plain, key: str
) -> Source:
    depth = _depth(value, steps)
    if depth == len(steps):
        present: Any = value
        for step in steps:
            present = _child(present, step)
        text = _replaced(source, tuple(steps), cast("Value", present), wanted, key)
    else:
        missing = steps[depth:]
        if source.format == "toml" or not all(isinstance(step, str) for step in missing):
            raise _not_there(source, key)
        text = _inserted(source, steps[:depth], cast("Sequence[str]", missing), wanted, key)
    edited = replace(source, text=text)
    try:
        loader.parse(edited)
    except BadInput:
        raise _unfit(source, key) from None
    return edited


def _replaced(
    source: Source, path: tuple[str | int, ...], present: Value, wanted: Plain, key: str
) -> str:
    if isinstance(present, dict | list):
        raise _unfit(source, key)
    text = source.text
    span = places.leaves(source, {path: present}).get(path)
    if span is None:
        at = places.blank(source, path) if present is None else None
        if at is None:
            raise _unfit(source, key)
        return f"{text[:at]} {_scalar(wanted, source, key)}{text[at:]}"
    new = _scalar(wanted, source, key, old=text[span[0] : span[1]])
    if present is None and source.format in TEXTS_ONLY:  # a name alone, or NAME =
        joint = "" if re.search(r"[=:]\s*$", text[: span[0]]) else "="
        new = joint + new
    return text[: span[0]] + new + text[span[1] :]


def _not_there(source: Source, key: str) -> BadInput:
    return BadInput(
        f"{source.name} has no key {shortened(key)}, and it can't be written there.",
        hint="Add it to the file, and put that in force; the phase then sets its value.",
    )


def _scalar(value: Plain, source: Source, key: str, *, old: str = "") -> str:
    """Return a value as the file's format writes it, in the quotes of the ``old`` one if they fit."""
    if source.format in TEXTS_ONLY:
        return room.written(source, str(as_meant(value, source, key)), old)
    if value is None and source.format == "toml":
        raise BadInput(f"{source.name}: {shortened(key)} can't be null: TOML has no such value.")
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and "e" in text and "." not in text:
        return text.replace("e", ".0e")  # YAML 1.1 takes 1e-05 for a text
    return text


def _inserted(
    source: Source, above: Sequence[str | int], missing: Sequence[str], value: Plain, key: str
) -> str:
    """Return the text with the missing keys at the end of the mapping that ``above`` leads to."""
    text = source.text
    if source.format in places.OUTLINED:
        return room.with_entry(source, tuple(above), missing, _scalar(value, source, key), key)
    import yaml

    library: Any = yaml  # its types are partial
    try:
        root = library.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        raise _unfit(source, key) from None
    if root is None:
        joint = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{joint}{_block(missing, value, source, key, 0)}\n"
    node = root
    for step in above:
        node = _node_below(node, step)
    if not isinstance(node, yaml.MappingNode):
        raise _unfit(source, key)
    entry = _flow(missing, value, source, key)
    if not node.value:
        at = text.index("{", node.start_mark.index) + 1
        return f"{text[:at]}{entry}{text[at:]}"
    first, last = node.value[0][0].start_mark, node.value[-1][1]
    if node.flow_style:
        at = last.end_mark.index
        on_lines = node.start_mark.line != first.line
        between = f",\n{' ' * first.column}" if on_lines else ", "
        return f"{text[:at]}{between}{entry}{text[at:]}"
    at = _end_of_line(text, last)
    lines = _block(missing, value, source, key, first.column)
    newline = "\r\n" if "\r\n" in text else "\n"
    joint = "" if at and text[at - 1] == "\n" else newline
    return f"{text[:at]}{joint}{lines.replace(chr(10), newline)}{newline if not joint else ''}{text[at:]}"


def _node_below(node: Any, step: str | int) -> Any:
    """Return what a step leads to in PyYAML's tree, or None."""
    if isinstance(step, int):
        return node.value[step] if is_list(node.value) and step < len(node.value) else None
    pairs = node.value if is_list(node.value) else []
    return next((below for name, below in pairs if name.value == step), None)


def _end_of_line(text: str, node: Any) -> int:
    """Return where the line ends on which a node of a block mapping ends, comment included."""
    while is_list(node.value) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if is_tuple(last) else last
    end: int = node.end_mark.index
    if end and text[end - 1] == "\n":  # a block of text ends behind its last line
        return end
    line_end = text.find("\n", end)
    at = len(text) if line_end < 0 else line_end
    return at - 1 if at and line_end >= 0 and text[at - 1] == "\r" else at


def _block(names: Sequence[str], value: Plain, source: Source, key: str, column: int) -> str:
    lines = [f"{' ' * (column + 2 * level)}{_key(name)}:" for level, name in enumerate(names)]
    return "\n".join(lines) + f" {_scalar(value, source, key)}"


def _flow(names: Sequence[str], value: Plain, source: Source, key: str) -> str:
    return (
        ": {".join(map(_key, names)) + f": {_scalar(value, source, key)}" + "}" * (len(names) - 1)
    )


def _key(name: str) -> str:
    plain = _PLAIN_KEY.fullmatch(name) and name.lower() not in _NOT_PLAIN
    return name if plain else json.dumps(name, ensure_ascii=False)


def _unfit(source: Source, key: str) -> BadInput:
    return BadInput(
        f"{source.name}: {shortened(key)} can't be set there without changing what else the file says.",
        hint="Write the key plainly, without anchors and aliases; or set it yourself, and apply that.",
    )
