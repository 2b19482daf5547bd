"""Pasts to import: change logs, audit files, git repositories, made from a few lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

SECRET = "kH7dPq2sVn9xTz4wLm8cRb5yFg3jNa6e"
OTHER_SECRET = "Zt4rWq9bXc2vNm7kLp5sDf8gHj3aYe6u"
PRIVATE_KEY = "0x" + "5e" * 31 + "1f"
START = datetime.fromisoformat("2026-02-01T21:11:09.358231")
"""As a bot writes it: without a zone."""

BASE: dict[str, Any] = {
    "DRY_RUN": True,
    "MAX_LEVELS": 3,
    "TRADE_SIZE": "10",
    "THRESHOLD": 0.5,
    "API_SECRET": SECRET,
    "PRIVATE_KEY": PRIVATE_KEY,
}


def change(
    at: datetime,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    by: str = "user",
    profile: str = "sandbox",
    **more: Any,
) -> dict[str, Any]:
    """Return one line of a change log: what was before, and what is different after it."""
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return {
        "timestamp": at.isoformat(),
        "applied_by": by,
        "profile_name": profile,
        "diff": {key: {"old": before.get(key), "new": after.get(key)} for key in keys},
        "previous_config": dict(before),
        "risk_warnings": [],
        **more,
    }


def change_log(path: Path, records: Sequence[Mapping[str, Any] | str]) -> Path:
    """Write a change log; a record that is a text is written as it is."""
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def like_the_published_log() -> list[dict[str, Any]]:
    """Return a log that has what a real one has: an unrecorded return, a new secret, ten repeats.

    Line 1 leads from A to B. Line 2 starts from A again, although nothing says who went back. Line 3 starts
    from something else (another secret, a number that was a text). Lines 4 to 13 are line 3, sent again.
    """
    later = START + timedelta(minutes=12)
    third = START + timedelta(days=2)
    c = {**BASE, "MAX_LEVELS": 5, "THRESHOLD": "0.5"}
    d = {**c, "THRESHOLD": 0.5, "API_SECRET": OTHER_SECRET}
    e = {**d, "DRY_RUN": False, "MAX_DAILY_LOSS": "1"}
    records = [
        change(START, BASE, {**BASE, "TRADE_SIZE": "1"}),
        change(later, BASE, c, profile="maker"),
        change(third, d, e, by="web_ui", profile="live_shadow", risk_warnings=["RELAX_SLIPPAGE"]),
    ]
    for number in range(1, 11):
        again = third + timedelta(milliseconds=500 * number)
        records.append({**records[2], "timestamp": again.isoformat()})
    return records


def order(at: datetime, number: int, kind: str = "order_intent", **more: Any) -> dict[str, Any]:
    """Return one line of a daily audit file."""
    return {
        "ts": at.replace(tzinfo=UTC).isoformat(),
        "type": kind,
        "symbol": "BTC-USDT",
        "price": 61_234.5 + number,
        "client_order_id": f"gd-{number:06d}",
        **more,
    }


def audit_file(path: Path, count: int, *, start: datetime = START) -> Path:
    """Write a daily audit file of so many lines."""
    kinds = ("order_intent", "order_result", "risk_block", "risk_event")
    records = (order(start + timedelta(milliseconds=20 * n), n, kinds[n % 4]) for n in range(count))
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


MAIN = Ref(b"refs/heads/main")


class Repository:
    """A git repository that is written to commit by commit, without a git program."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.repo = Repo.init(str(path), default_branch=b"main")

    def close(self) -> None:
        """Close its files."""
        self.repo.close()

    def commit(
        self,
        files: Mapping[str, bytes],
        message: str = "change",
        *,
        at: datetime = START,
        author: bytes = b"Ann Ang <ann@example.org>",
        committed: datetime | None = None,
        parents: Sequence[bytes] | None = None,
        encoding: bytes | None = None,
        on_branch: bool = True,
    ) -> bytes:
        """Make a commit whose tree is exactly ``files``; return its id in hex."""
        commit = Commit()
        commit.tree = self._tree(files)
        head = self.repo.refs.as_dict().get(MAIN)
        commit.parents = (
            [ObjectID(p) for p in parents] if parents is not None else [head] if head else []
        )
        commit.author = author
        commit.committer = b"Committer <committer@example.org>"
        commit.author_time = int(at.replace(tzinfo=UTC).timestamp())
        commit.commit_time = int((committed or at).replace(tzinfo=UTC).timestamp())
        commit.author_timezone, commit.commit_timezone = 8 * 3600, 0
        if encoding is not None:
            commit.encoding = encoding
        known = encoding if encoding == b"gb18030" else b"utf-8"
        commit.message = message.encode(known.decode())
        self.repo.object_store.add_object(commit)
        if on_branch:
            self.repo.refs[MAIN] = commit.id
        return commit.id

    def _tree(self, files: Mapping[str, bytes]) -> ObjectID:
        tree = Tree()
        folders: dict[str, dict[str, bytes]] = {}
        for name, content in files.items():
            folder, _, rest = name.partition("/")
            if rest:
                folders.setdefault(folder, {})[rest] = content
            else:
                blob = Blob.from_string(content)
                self.repo.object_store.add_object(blob)
                tree.add(name.encode(), 0o100644, blob.id)
        for folder, inside in folders.items():
            tree.add(folder.encode(), 0o040000, self._tree(inside))
        self.repo.object_store.add_object(tree)
        return tree.id
