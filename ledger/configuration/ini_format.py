"""INI files as Python's configparser reads them, and where everything stands in them.

Names keep their case, and what stands in ``[DEFAULT]`` stays there: a section is what is written in it.
References (``%(name)s``) stay as they are written.
"""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass, field
from io import StringIO
from typing import Final
from weakref import WeakKeyDictionary

from ledger.configuration.outline import Outline, Path, Room
from ledger.configuration.source import Source
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import Value, key_path, shortened

_NO_SECTION: Final = "\0"
"""A name that no section has, for the one whose keys would show in all others."""
_SECTION: Final = re.compile(r"\[(?P<name>.+)\]")
_OPTION: Final = re.compile(r"(?P<key>.*?)\s*(?:(?P<mark>=|:)\s*(?P<value>.*))?$", re.DOTALL)

_outlines: WeakKeyDictionary[Source, Outline] = WeakKeyDictionary()


def read(source: Source) -> Value:
    """Return what an INI file means: sections of names and texts. `BadInput` names the line."""
    parser = configparser.RawConfigParser(
        default_section=_NO_SECTION, allow_no_value=True, interpolation=None
    )
    parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] -- documented to be set
    try:
        parser.read_string(source.text, source.name)
    except configparser.MissingSectionHeaderError as error:
        raise BadInput(
            f"{source.name} line {error.lineno}: a key stands before the first [section]",
            hint="write a section above it; if the file has none, give it a name that ends in .env or "
            ".properties (NAME=PATH, or --as NAME)",
        ) from None
    except configparser.DuplicateSectionError as error:
        raise BadInput(
            f"{source.name} line {error.lineno}: the section [{error.section}] begins twice",
            hint="make one of the two",
        ) from None
    except configparser.DuplicateOptionError as error:
        key = shortened(key_path([error.section, error.option]))
        raise BadInput(
            f"{source.name} line {error.lineno}: the key {key} is set twice",
            hint="keep one of the two",
        ) from None
    except (configparser.Error, AttributeError):
        # A line that goes on behind a key without a value has no words of its own in older versions.
        raise BadInput(
            f"{source.name} is not an INI file: a line is neither [section] nor NAME = VALUE",
            hint="indent only what goes on from the line above",
        ) from None
    value: dict[str, Value] = {}
    for section in parser.sections():
        items: dict[str, Value] = dict(parser.items(section, raw=True))
        _require_one_case(source, section, list(items))
        value[section] = items
    return value


def _require_one_case(source: Source, section: str, names: list[str]) -> None:
    """Refuse names that differ in case only: to most programs they are one, and one of the two wins."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise BadInput(
                f"{source.name}: the key {shortened(key_path([section, name]))} is set twice, "
                f"as {other} and as {name}",
                hint="keep one of the two",
            )


def outline(source: Source) -> Outline:
    """Return where everything stands in a text that was read."""
    if source not in _outlines:
        walk = _Walk()
        at = 0
        for line in StringIO(source.text):
            walk.take(line, at)
            at += len(line)
        _outlines[source] = walk.finished()
    return _outlines[source]


@dataclass(slots=True)
class _Walk:
    """One way through the lines, by the rules of the reader."""

    found: Outline = field(default_factory=Outline)
    section: str | None = None
    key: str | None = None
    indent: int = 0
    starts: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)

    def take(self, line: str, at: int) -> None:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        start, end = at + indent, at + indent + len(text)
        if text.startswith(("#", ";")):
            self.found.comments.append((start, end))
            return
        if not text:
            return
        if self.section is not None and self.key is not None and indent > self.indent:
            self._goes_on(end)
            return
        self.indent = indent
        header = _SECTION.match(text)
        if header is not None:
            name: str = header["name"]
            self.section, self.key = name, None
            self.starts[name] = self.ends[name] = at + len(line)
        elif self.section is not None:
            self._begins(_OPTION.match(text), start)

    def _begins(self, option: re.Match[str] | None, start: int) -> None:
        if option is None or self.section is None:
            return
        key: str = option["key"].rstrip()
        self.key = key
        end = start + option.end()
        where = start + (option.start("value") if option["mark"] else option.end())
        self.found.leaves[self.section, key] = (where, end)
        _ = self.firsts.setdefault(self.section, start)
        self.ends[self.section] = end

    def _goes_on(self, end: int) -> None:
        path: Path = (str(self.section), str(self.key))
        start, _ = self.found.leaves[path]
        self.found.leaves[path] = (start, end)
        self.ends[str(self.section)] = end

    def finished(self) -> Outline:
        for name, start in self.starts.items():
            self.found.rooms[name,] = Room(
                start, self.firsts.get(name), self.ends[name], braces=False
            )
        return self.found
