"""Secrets in the files of a tree: where they stand and of what kind they are, never what they say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from ledger.configuration import patterns, places
from ledger.configuration.loader import parse
from ledger.configuration.names import Hint, hint_of
from ledger.configuration.secrets import Findings
from ledger.configuration.source import decode, known_format
from ledger.domain.errors import BadInput, FileProblem
from ledger.domain.values.fingerprints import key_path, shortened
from ledger.files import read_bounded
from ledger.preflight.context import CheckContext
from ledger.preflight.fields import parse_size
from ledger.preflight.finding import CheckError, Outcome, Result
from ledger.preflight.specs import SecretScan

NEVER_SCANNED: Final = (
    ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache",
    ".ruff_cache", ".pytest_cache", ".env", "*.pyc", "*.so", "*.whl",
)  # fmt: skip
"""``.env`` is where secrets belong: a `file` check looks at its permissions."""
ALLOWED: Final = "pragma: allowlist secret"
"""On a line that holds an example, say. The mark is that of detect-secrets."""

_CODE: Final = frozenset(
    ".py .pyi .js .mjs .ts .tsx .jsx .go .rs .java .kt .c .h .cc .cpp .cs .rb .php .sol .swift".split()
)
_PROSE: Final = frozenset({".md", ".rst", ".txt", ".html", ".mako"})
_EXAMPLE: Final = re.compile(r"(?i)\W*(my|the|your)?(pass|password|passwd|pw|pwd|secret|token)\W*")
_IN_ADDRESS: Final = "password or key in an address"
_SHOWN: Final = 50
_SCHEMA: Final = re.compile(rb'\s*\{\s*"\$schema"\s*:\s*"https?://json-schema\.org/')
_ASSIGNED: Final = re.compile(r"""([\w.-]+)["']?\]?\s*(?:[:=]|=>)\s*[rbuf]{0,2}["']?$""")


def secret_scan(check: SecretScan, context: CheckContext) -> Outcome:
    """Read every text file of the tree, within bounds, and say which it could not read."""
    root = context.base / check.path
    if not root.exists():
        raise CheckError(f"{root} is not there")
    size, is_share = parse_size(check.max_file_size)
    if is_share:
        raise CheckError("max_file_size: a size was expected, not a share")
    files_max = int(Decimal(check.max_files))
    secrets: list[str] = []
    unread: list[str] = []
    scanned = 0
    for path in _files(root, check.ignore):
        if context.guard.over:
            break
        if scanned >= files_max:
            unread.append(f"more than {files_max} files: the rest was not read")
            break
        name = path.relative_to(root).as_posix() if path != root else path.name
        try:
            raw = read_bounded(path, bytes_max=int(size))
        except FileProblem as problem:
            unread.append(problem.message)
            continue
        scanned += 1
        if raw is not None and b"\0" not in raw[:8192]:
            secrets += [f"{name}:{line} {kind}" for line, kind in secrets_in(name, raw)]
    measured = f"{len(secrets)} in {scanned} files"
    if unread:
        measured += f", {len(unread)} not read"
    result = Result.FAIL if secrets else Result.WARN if unread else Result.PASS
    more = [f"and {len(secrets) - _SHOWN} more"] if len(secrets) > _SHOWN else []
    detail = "\n".join([*secrets[:_SHOWN], *more, *unread[:_SHOWN]])
    return Outcome(result, measured, "no secrets", detail)


def secrets_in(name: str, raw: bytes) -> list[tuple[int, str]]:
    """Return line and kind of each secret in a file, in order; at most one a line."""
    text = raw.decode("utf-8", errors="replace")
    lines = text.split("\n")
    kinds: dict[int, str] = {}
    by_name = not _is_schema(name, raw)
    for start, kind in [*(_by_key(name, raw) if by_name else ()), *_by_look(name, text, by_name)]:
        line = text.count("\n", 0, start) + 1
        if ALLOWED not in lines[line - 1]:
            _ = kinds.setdefault(line, kind)
    return sorted(kinds.items())


def _files(root: Path, ignore: Sequence[str]) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(each for each in folders if not _is_ignored(root, here / each, ignore))
        for each in sorted(names):
            path = here / each
            if not _is_ignored(root, path, ignore) and not path.is_symlink() and path.is_file():
                yield path


def _is_ignored(root: Path, path: Path, ignore: Sequence[str]) -> bool:
    inside = path.relative_to(root).as_posix()
    return any(fnmatch(path.name, each) for each in NEVER_SCANNED) or any(
        fnmatch(inside, each.rstrip("/")) or fnmatch(path.name, each.rstrip("/")) for each in ignore
    )


def _by_key(name: str, raw: bytes) -> Iterator[tuple[int, str]]:
    """Yield the secrets of a configuration file, read as one: the name of the key tells most."""
    if known_format(name) is None:
        return
    try:
        source = decode(name, raw)
        findings = Findings(name, parse(source))
        where = places.leaves(source, {path: findings.leaves[path] for path in findings.spans})
    except BadInput:  # it is looked at as text all the same
        return
    for path in findings.spans:
        if path in where:
            yield where[path][0], f"value of {shortened(key_path(path))}"


def _is_schema(name: str, raw: bytes) -> bool:
    """Tell whether it is a JSON Schema: its keys name keys, and what stands there is no value of them."""
    return Path(name).suffix.lower() == ".json" and bool(_SCHEMA.match(raw))


def _by_look(name: str, text: str, by_name: bool) -> Iterator[tuple[int, str]]:
    suffix = Path(name).suffix.lower()
    for start, end in patterns.find(text):
        assigned = _assigned_to(text, start)
        secret = text[start:end]
        if assigned is None:
            kind = _kind(secret, text[text.rfind("\n", 0, start) + 1 : start])
            # Pages and comments explain addresses with user:password@.
            if kind == _IN_ADDRESS and suffix in _CODE | _PROSE and _EXAMPLE.fullmatch(secret):
                continue
            yield start, kind
        elif by_name and not _is_expression(text, start, secret, is_code=suffix in _CODE):
            yield start, f"value of {shortened(assigned)}"


def _is_expression(text: str, start: int, secret: str, *, is_code: bool) -> bool:
    """Tell whether something is compared (a version: ``name==1.0``), or computed, and so is no value."""
    if secret.startswith("="):
        return True
    # In a program `password = read_it()` holds none: there it stands in quotes.
    is_quoted = text[start - 1 : start] in {'"', "'", "`"}
    return is_code and not is_quoted and not patterns.find(secret)


def _assigned_to(text: str, start: int) -> str | None:
    """Return the name that a value is given to, if that name is why it is a secret."""
    match = _ASSIGNED.search(text, max(0, start - 120), start)
    if match is None or hint_of(match[1]) not in {Hint.SECRET, Hint.LIKELY, Hint.KEY}:
        return None
    return match[1]


def _kind(secret: str, before: str) -> str:
    if "PRIVATE KEY" in secret or "PuTTY" in secret:
        return "private key"
    if re.fullmatch(r"0[xX][0-9a-fA-F]{64}", secret):
        return "private key of a wallet"
    if patterns.looks_like_mnemonic(secret):
        return "mnemonic"
    return _IN_ADDRESS if "://" in before else "access key"
