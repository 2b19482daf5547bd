"""YAML 1.1 as PyYAML's safe loader reads it, within bounds, with the place of every scalar.

The parser's events are folded without recursion, so neither deep nesting nor an alias bomb gets
further than the limits here. Tags are resolved and scalars are read by PyYAML itself: a bot written
in Python sees the very values that are fingerprinted.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, TypeAlias, cast
from weakref import WeakKeyDictionary

import yaml

from ledger.configuration.source import Source
from ledger.configuration.times import tagged
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import (
    DEPTH_MAX,
    INTEGER_BITS_MAX,
    ROOT_KEY,
    TAGS,
    Value,
    key_path,
    number_text,
    shortened,
)

ALIAS_NODES_MAX: Final = 200_000
"""How many scalars, lists and mappings aliases may add to what is written out."""

ALIAS_CHARACTERS_MAX: Final = 16 * 2**20
"""How much text aliases may add to what is written out."""

_TAG_LINES_MAX: Final = 64
_TAG: Final = "tag:yaml.org,2002:"
_READABLE: Final = frozenset({"null", "bool", "int", "float", "str", "timestamp", "binary"})
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Scalar:
    """A leaf: its value, and where its text starts and ends (quotes, tag and anchor included)."""

    value: Value
    start: int
    end: int


Node: TypeAlias = "Scalar | list[Node] | dict[str, Node]"


@dataclass(slots=True)
class Tree:
    """A YAML document. ``scalars`` are the spans of all scalars as written, keys among them."""

    root: Node
    scalars: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Size:
    """How much a node is when its aliases are written out, and how many levels it has."""

    nodes: int = 1
    characters: int = 0
    depth: int = 0


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun."""

    node: list[Node] | dict[str, Node]
    anchor: str | None
    size: _Size = field(default_factory=_Size)
    key: str | None = None
    """The key whose value comes next."""
    lines: dict[str, int] = field(default_factory=dict)
    merged: list[dict[str, Node]] | None = None
    merging: bool = False
    """Whether the value that comes next is the one of a merge key."""

    @property
    def awaits_key(self) -> bool:
        return isinstance(self.node, dict) and self.key is None and not self.merging


# A text with secrets is looked into four times, and reading 5 MB takes seconds.
_composed: WeakKeyDictionary[Source, Tree] = WeakKeyDictionary()


def read(source: Source) -> Value:
    """Return the value of a YAML text; `BadInput` names line, column and key."""
    return _plain(compose(source).root)


def compose(source: Source) -> Tree:
    """Return the document of a YAML text with the places of its scalars; `BadInput` as `read`."""
    if source not in _composed:
        _composed[source] = _compose(source)
    return _composed[source]


def _compose(source: Source) -> Tree:
    if len(re.findall(r"^%TAG", source.text, re.MULTILINE)) > _TAG_LINES_MAX:
        # The parser compares each with every other one: thousands would take minutes.
        raise BadInput(f"{source.name} has more than {_TAG_LINES_MAX} %TAG lines")
    composer = _Composer(source)
    try:
        return composer.run()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" line {mark.line + 1} column {mark.column + 1}" if mark else ""
        what = f"{error.context or ''} {error.problem or ''}".strip()
        raise BadInput(f"{source.name}{place} is not YAML: {what}") from error
    except yaml.reader.ReaderError as error:
        raise BadInput(
            f"{source.name} holds the character U+{_codepoint(error.character):04X}, "
            f"which YAML does not allow",
            hint='write it as an escape in double quotes, "\\u...."',
        ) from error


class _Composer:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._loader = _LOADER(source.text)
        self._tree = Tree(root={})
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, _Size]] = {}
        self._added = _Size(nodes=0)
        self._event: Any = None

    def run(self) -> Tree:
        documents = 0
        try:
            while not isinstance(self._next(), yaml.StreamEndEvent):
                if isinstance(self._event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._refuse(
                            "a second YAML document begins", hint="put one document in a file"
                        )
                self._take()
        finally:
            self._loader.dispose()
        return self._tree

    def _next(self) -> Any:
        self._event = self._loader.get_event()
        return self._event

    def _take(self) -> None:
        event = self._event
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._end()

    def _begin(self, event: Any) -> None:
        kind = "seq" if isinstance(event, yaml.SequenceStartEvent) else "map"
        if event.tag not in {None, _TAG + kind}:
            self._refuse_tag(event.tag)
        if len(self._open) >= DEPTH_MAX:
            self._refuse(f"the text nests more than {DEPTH_MAX} levels deep")
        if self._open and self._open[-1].awaits_key:
            self._refuse("a list or a mapping is used as a key", hint="use a text as the key")
        self._check_anchor(event.anchor)
        self._open.append(_Open([] if kind == "seq" else {}, event.anchor))

    def _end(self) -> None:
        frame = self._open.pop()
        node = frame.node
        if frame.merged is not None and isinstance(node, dict):
            # Of several merged mappings the first wins, and what is written out wins over all.
            whole: dict[str, Node] = {}
            for mapping in reversed(frame.merged):
                whole.update(mapping)
            whole.update(node)
            frame.node = node = whole
        if isinstance(node, dict) and len(node) == 1 and next(iter(node)) in TAGS:
            self._refuse(
                f"a mapping's only key is {next(iter(node))}, which the canonical form reserves",
                hint="give the key another name",
            )
        if frame.anchor:
            self._anchors[frame.anchor] = (node, frame.size)
        self._put(node, frame.size)

    def _scalar(self, event: Any) -> None:
        self._check_anchor(event.anchor)
        block = event.style in {"|", ">"}
        start, end = event.start_mark.index, event.end_mark.index
        # A comment may follow the | of a block: only the lines below that belong to the scalar.
        after_header = self._source.text.find("\n", start, end) + 1 if block else start
        self._tree.scalars.append((after_header or start, end))
        tag = event.tag
        if tag is None:
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        frame = self._open[-1] if self._open else None
        if frame is not None and frame.awaits_key:
            if tag == _TAG + "merge":
                self._begin_merge(frame)
                return
            if tag == _TAG + "value":
                tag = _TAG + "str"
        if frame is None and event.value == "" and start == end:
            return  # A document without content is an empty mapping.
        node = Scalar(self._constructed(tag, event), start, end)
        size = _Size(characters=len(event.value))
        if event.anchor:
            self._anchors[event.anchor] = (node, size)
        self._put(node, size)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            if any(frame.anchor == event.anchor for frame in self._open):
                self._refuse("an alias points to what it stands in", hint="write the value out")
            self._refuse("an alias has no anchor above it", hint="define the anchor first")
        node, size = self._anchors[event.anchor]
        self._added.nodes += size.nodes
        self._added.characters += size.characters
        if len(self._open) + size.depth > DEPTH_MAX:
            self._refuse(f"with its aliases the text nests more than {DEPTH_MAX} levels deep")
        if self._added.nodes > ALIAS_NODES_MAX or self._added.characters > ALIAS_CHARACTERS_MAX:
            self._refuse(
                f"aliases add more than {ALIAS_NODES_MAX:,} values or "
                f"{ALIAS_CHARACTERS_MAX // 2**20} MiB of text",
                hint="write the values out, or use fewer aliases",
            )
        self._put(node, size)

    def _put(self, node: Node, size: _Size) -> None:
        if not self._open:
            self._tree.root = node
            return
        frame = self._open[-1]
        frame.size.nodes += size.nodes
        frame.size.characters += size.characters
        frame.size.depth = max(frame.size.depth, size.depth + 1)
        if isinstance(frame.node, list):
            frame.node.append(node)
        elif frame.merging:
            frame.merging = False
            frame.merged = self._merged(node)
        elif frame.key is None:
            self._begin_entry(frame, self._key_text(node))
        else:
            frame.node[frame.key] = node
            frame.key = None

    def _begin_entry(self, frame: _Open, key: str) -> None:
        if key in frame.lines:
            self._refuse(
                f"the key {shortened(self._path(key))} is set twice, first on line {frame.lines[key]}",
                hint="keep one of the two",
                names_key=True,
            )
        frame.lines[key] = self._event.start_mark.line + 1
        frame.key = key

    def _begin_merge(self, frame: _Open) -> None:
        if frame.merged is not None:
            self._refuse("a mapping has two merge keys <<", hint="merge a list: <<: [*a, *b]")
        frame.merging = True

    def _merged(self, node: Node) -> list[dict[str, Node]]:
        mappings: list[dict[str, Node]] = []
        for mapping in node if isinstance(node, list) else [node]:
            if not isinstance(mapping, dict):
                self._refuse(
                    "the merge key << is given something that is not a mapping",
                    hint="give it the alias of a mapping, or a list of such aliases",
                )
            mappings.append(mapping)
        return mappings

    def _key_text(self, node: Node) -> str:
        if not isinstance(node, Scalar):
            self._refuse("a list or a mapping is used as a key", hint="use a text as the key")
        return scalar_key(node.value)

    def _constructed(self, tag: str, event: Any) -> Value:
        name = tag.removeprefix(_TAG)
        if name not in _READABLE:
            self._refuse_tag(tag)
        if name == "str":
            return event.value
        scalar = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        try:
            value = getattr(self._loader, f"construct_yaml_{name}")(scalar)
        except (ValueError, LookupError, AttributeError, OverflowError, yaml.YAMLError):
            # The reader's own words would repeat the value, which may be a secret.
            self._refuse(
                f"the value looks like a YAML {name} and can't be read as one",
                hint="put it in quotes if it is a text",
            )
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse("the number is not finite", hint="write a finite number, or null")
        if isinstance(value, int) and value.bit_length() > INTEGER_BITS_MAX:
            self._refuse(f"the integer has more than {INTEGER_BITS_MAX} bits")
        return tagged(value)

    def _check_anchor(self, anchor: str | None) -> None:
        if anchor and (anchor in self._anchors or any(f.anchor == anchor for f in self._open)):
            self._refuse(f"the anchor &{anchor} is defined twice", hint="rename one of the two")

    def _path(self, last: str | None = None) -> str:
        steps: list[str | int] = []
        for frame in self._open:
            if isinstance(frame.node, list):
                steps.append(len(frame.node))
            elif frame.key is not None:
                steps.append(frame.key)
        return key_path([*steps, last] if last is not None else steps)

    def _refuse_tag(self, tag: str) -> NoReturn:
        shown = tag.replace(_TAG, "!!")
        self._refuse(
            f"the tag {shown} is not read", hint="write plain mappings, lists, texts and numbers"
        )

    def _refuse(
        self, problem: str, *, hint: str | None = None, names_key: bool = False
    ) -> NoReturn:
        mark = self._event.start_mark
        key = self._path()
        at = "" if names_key or key == ROOT_KEY else f", key {shortened(key)}"
        raise BadInput(
            f"{self._source.name} line {mark.line + 1} column {mark.column + 1}{at}: {problem}",
            hint=hint,
        )


def scalar_key(value: Value) -> str:
    """Return the text of a key that was not written as one: ``1``, ``true``, ``null``, ``2026-02-01``."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    # What is left is a tagged date, time or bytes.
    return str(next(iter(cast("dict[str, Value]", value).values())))


def _plain(node: Node) -> Value:
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return {key: _plain(item) for key, item in node.items()}


def _codepoint(character: object) -> int:
    if isinstance(character, int):
        return character
    return ord(character[0]) if isinstance(character, str) and character else 0
