"""Recipe 3, seen to work: times of one moment count alike, and the rest has the fingerprint that it had."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from ledger.configuration.keys import SecretKey
from ledger.configuration.snapshot import snapshot_under
from ledger.domain.values import fingerprints


def fingerprint(name: str, text: str) -> str:
    """Return the fingerprint of a file without secrets."""
    return snapshot_under([(name, text.encode())], lambda: SecretKey(bytes(32))).fingerprint


def main() -> None:
    """Write a moment in several ways."""
    east = fingerprint("bot.yaml", "since: 2026-02-01T10:00:00+08:00\n")
    assert east == fingerprint("bot.yaml", "since: 2026-02-01T02:00:00Z\n")
    assert east == fingerprint("bot.toml", "since = 2026-01-31T21:00:00-05:00\n")
    assert east != fingerprint("bot.yaml", "since: 2026-02-01T02:00:00\n")
    frozen = json.loads(Path("tests/vectors/configuration.json").read_text(encoding="utf-8"))
    key = SecretKey(bytes.fromhex(frozen["key"]))
    for vector in frozen["vectors"]:
        files = [(file["name"], base64.b64decode(file["base64"])) for file in vector["files"]]
        assert snapshot_under(files, lambda: key).fingerprint == vector["fingerprint"], vector[
            "name"
        ]
    assert fingerprints.CANONICAL_FORM == 2


if __name__ == "__main__":
    main()
