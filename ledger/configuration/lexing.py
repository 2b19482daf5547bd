"""Where things stand in a source text: its words and its comments.

The readers of JSON and TOML in the standard library keep no positions, so their texts are cut into
words here. What the words mean is still decided by those readers alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

JSON_WORD: Final = re.compile(
    r'(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<mark>[{}\[\]:,])|(?P<bare>[^\s{}\[\]:,"]+)'
)
_JSON_OR_COMMENT: Final = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"|(?P<comment>//[^\r\n]*|/\*[\s\S]*?\*/)'
)
TOML_WORD: Final = re.compile(
    r"(?P<comment>\#[^\n]*)"
    r'|(?P<string>"""(?:\\[\s\S]|[^\\])*?"""(?!")|' + r"'''[\s\S]*?'''(?!')"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|' + r"'[^'\n]*')"
    r"|(?P<mark>[\[\]{}=,])"
    r"""|(?P<bare>[^\s\[\]{}=,#"']+)"""
)


def first_bare(word: re.Pattern[str], text: str, wanted: re.Pattern[str]) -> int | None:
    """Return the offset of the first bare word (a number, say) that fits ``wanted`` as a whole."""
    for match in word.finditer(text):
        if match.lastgroup == "bare" and wanted.fullmatch(match.group()):
            return match.start()
    return None


def plain_json(text: str) -> str:
    """Return a JSON text with white space in the place of its comments and trailing commas: nothing moves."""
    pieces: list[str] = []
    at = 0
    for match in _JSON_OR_COMMENT.finditer(text):
        if match["comment"] is not None:
            pieces += [text[at : match.start()], re.sub(r"[^\r\n]", " ", match["comment"])]
            at = match.end()
    plain = "".join([*pieces, text[at:]])
    commas: list[int] = []
    before: re.Match[str] | None = None
    last = ""
    for word in JSON_WORD.finditer(plain):
        if word.group() in {"]", "}"} and before is not None and last not in {"", "[", "{", ","}:
            commas.append(before.start())
        if word.group() == ",":
            before = word
        else:
            before, last = None, word.group()
    characters = list(plain) if commas else []
    for comma in commas:
        characters[comma] = " "
    return "".join(characters) or plain


def edited(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """Return the text with other words from start to end of each edit; they are sorted and don't overlap."""
    pieces: list[str] = []
    at = 0
    for start, end, words in edits:
        pieces += [text[at:start], words]
        at = end
    return "".join([*pieces, text[at:]])
