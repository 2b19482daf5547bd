"""Where the leaves and the comments of a configuration file stand in its text."""

from __future__ import annotations

import json
import re
import secrets
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ledger.configuration import braces, ini_format, lexing, line_formats, loader
from ledger.configuration.outline import Outline, Path
from ledger.configuration.patterns import Span
from ledger.configuration.source import TEXTS_ONLY, Format, Source
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import Value, leaf_text

if TYPE_CHECKING:
    from ledger.configuration.yaml_tree import Node

_COMMENT: Final = re.compile(r"(?<!\S)#[^\r\n]*")
_MAYBE_COMMENT: Final[Mapping[Format, re.Pattern[str]]] = {
    "yaml": _COMMENT,
    "toml": re.compile(r"#[^\r\n]*"),
    "env": re.compile(r"#[^\r\n]*"),
    "json": re.compile(r"//[^\r\n]*|/\*[\s\S]*?\*/"),
    "json5": re.compile(r"//[^\r\n\u2028\u2029]*|/\*[\s\S]*?\*/"),
    "hjson": re.compile(r"(?:#|//)[^\r\n]*|/\*[\s\S]*?\*/"),
    "ini": re.compile(r"^\s*[#;].*", re.MULTILINE),
    "properties": re.compile(r"^\s*[#!].*", re.MULTILINE),
}
_PROPERTY: Final = re.compile(r"(?:[&!]\S*\s+)+")
_TRAILING_COMMA: Final = re.compile(r",\s*[\]}]")
_MARKING_ROUNDS: Final = 3


def maybe_comments(source: Source) -> list[str]:
    """Return everything that may be a comment, and some things that are none: quick, to look into first."""
    return _MAYBE_COMMENT[source.format].findall(source.text)


def comments(source: Source) -> list[Span]:
    """Return the spans of the comments, in order."""
    if source.format in OUTLINED:
        return [] if is_plain_json(source) else outline(source).comments
    if source.format == "toml":
        words = lexing.TOML_WORD.finditer(source.text)
        return [word.span() for word in words if word.lastgroup == "comment"]
    from ledger.configuration import yaml_tree

    spans: list[Span] = []
    at = 0
    for start, end in [*sorted(yaml_tree.compose(source).scalars), (len(source.text),) * 2]:
        spans += [match.span() for match in _COMMENT.finditer(source.text, at, start)]
        at = max(at, end)
    return spans


def leaves(source: Source, wanted: Mapping[Path, Value]) -> dict[Path, Span]:
    """Return the span of each wanted leaf as it is written: with its quotes, without anchor and tag.

    A leaf that can't be found is left out.
    """
    if source.format == "yaml":
        return _yaml_leaves(source, wanted)
    if source.format in OUTLINED:
        written = outline(source).leaves
        return {path: written[path] for path in wanted if path in written}
    return _marked_leaves(source, wanted)


OUTLINED: Final[frozenset[Format]] = frozenset(
    {"json", "json5", "hjson", "ini", "properties", "env"}
)
"""Formats that have an outline, because their readers give no positions."""


def outline(source: Source) -> Outline:
    """Return where everything stands in a text of a format that has an outline."""
    if source.format == "ini":
        return ini_format.outline(source)
    return (line_formats if source.format in TEXTS_ONLY else braces).outline(source)


def rules_of(source: Source) -> int:
    """Return the first version of the fingerprint's rules that reads a text of this kind."""
    return 2 if source.format in OUTLINED and not is_plain_json(source) else 1


def is_plain_json(source: Source) -> bool:
    """Tell whether a text is JSON as it is, without comments and trailing commas."""
    if source.format != "json":
        return False
    if "/" not in source.text and not _TRAILING_COMMA.search(source.text):
        return True
    try:
        json.loads(source.text)
    except (ValueError, RecursionError):
        return False
    return True


def _yaml_leaves(source: Source, wanted: Mapping[Path, Value]) -> dict[Path, Span]:
    from ledger.configuration import yaml_tree

    root = yaml_tree.compose(source).root
    spans: dict[Path, Span] = {}
    for path in wanted:
        node = _node_at(root, path)
        if isinstance(node, yaml_tree.Scalar):
            raw = source.text[node.start : node.end]
            skipped = _PROPERTY.match(raw)
            start = node.start + (skipped.end() if skipped else 0)
            end = node.start + len(raw.rstrip())
            if start < end:
                spans[path] = (start, end)
    return spans


def blank(source: Source, path: Path) -> int | None:
    """Return where a YAML key ends that has nothing behind its colon; None where there is something."""
    if source.format != "yaml":
        return None
    from ledger.configuration import yaml_tree

    node = _node_at(yaml_tree.compose(source).root, path)
    if not isinstance(node, yaml_tree.Scalar) or source.text[node.start : node.end].strip():
        return None
    before = source.text[: node.start].rstrip()
    return len(before) if before.endswith((":", "-")) else None


def _node_at(root: Node, path: Path) -> Node | None:
    node: Node | None = root
    for step in path:
        if isinstance(node, dict) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int):
            node = node[step]
        else:
            return None
    return node


def _marked_leaves(source: Source, wanted: Mapping[Path, Value]) -> dict[Path, Span]:
    """Put a mark in the place of every word of TOML that means a wanted value; read; see where they went.

    So the reader of the standard library, which gives no positions, says what each word belongs to.
    """
    words = list(_words_meaning(source, wanted))
    for _ in range(_MARKING_ROUNDS):
        mark = f"mark-{secrets.token_hex(8)}-"
        try:
            value = loader.parse(replace(source, text=_with_marks(source.text, words, mark)))
        except BadInput:
            return {}
        paths: dict[int, Path] = {}
        as_keys: set[int] = set()
        _find_marks(value, (), mark, paths, as_keys)
        if not as_keys:
            return {path: words[number] for number, path in paths.items() if path in wanted}
        # A key that reads like the secret has to stay, or the paths below it would change.
        words = [word for number, word in enumerate(words) if number not in as_keys]
    return {}


def _words_meaning(source: Source, wanted: Mapping[Path, Value]) -> Iterator[Span]:
    texts = {value for value in wanted.values() if isinstance(value, str)}
    numbers = {leaf_text(value) for value in wanted.values() if not isinstance(value, str)}
    for match in lexing.TOML_WORD.finditer(source.text):
        if match.lastgroup == "string":
            if texts and _meaning(match.group()) in texts:
                yield match.span()
        elif match.lastgroup == "bare" and numbers:
            value = _meaning(match.group())
            if isinstance(value, int | float) and leaf_text(value) in numbers:
                yield match.span()


def _meaning(word: str) -> object:
    if word[0] in "\"'" and "\\" not in word and word[:3] not in {'"""', "'''"}:
        return word[1:-1]
    try:
        return tomllib.loads(f"x = {word}")["x"]
    except ValueError:
        return None


def _with_marks(text: str, words: list[Span], mark: str) -> str:
    marks = ((start, end, f'"{mark}{number}"') for number, (start, end) in enumerate(words))
    return lexing.edited(text, marks)


def _find_marks(
    value: Value, path: Path, mark: str, paths: dict[int, Path], as_keys: set[int]
) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if key.startswith(mark):
                as_keys.add(int(key.removeprefix(mark)))
            _find_marks(item, (*path, key), mark, paths, as_keys)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _find_marks(item, (*path, index), mark, paths, as_keys)
    elif isinstance(value, str) and value.startswith(mark):
        paths[int(value.removeprefix(mark))] = path
