"""Frozen fingerprints: what is in the log must mean the same for ever (docs/fingerprint.md)."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ledger.configuration.keys import SecretKey
from ledger.configuration.restore import restore
from ledger.configuration.snapshot import fingerprint_of_redacted, snapshot_under

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "configuration.json").read_text(encoding="utf-8")
)
KEY = SecretKey(bytes.fromhex(VECTORS["key"]))


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_a_frozen_configuration_keeps_its_fingerprint(
    vector: dict[str, Any], tmp_path: Path
) -> None:
    """I3, I6: the fingerprint, the stored bytes and the digests are those of the day they were frozen."""
    contents = [(file["name"], base64.b64decode(file["base64"])) for file in vector["files"]]
    snapshot = snapshot_under(contents, lambda: KEY)
    assert snapshot.canonical.decode() == vector["canonical"]
    assert snapshot.fingerprint == vector["fingerprint"]
    assert snapshot.snapshot_id == vector["snapshot"]
    for file, (name, raw), frozen in zip(snapshot.files, contents, vector["files"], strict=True):
        assert file.redacted.decode() == frozen["stored"]
        assert file.content_digest == frozen["content_digest"]
        assert list(file.secrets) == frozen["secrets"]
        back = restore(
            name,
            frozen["stored"].encode(),
            content_digest=frozen["content_digest"],
            in_place=[(name, raw)],
            home=tmp_path,
            environ={"ROLLOUT_SECRET_KEY": VECTORS["key"]},
        )
        assert back == raw
    stored = [(file["name"], file["stored"].encode()) for file in vector["files"]]
    assert fingerprint_of_redacted(stored) == vector["fingerprint"]


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_the_page_is_enough_to_compute_a_fingerprint(vector: dict[str, Any]) -> None:
    """Without this project's code: SHA-256 of the canonical form, and of the manifest."""
    digest = hashlib.sha256(vector["canonical"].encode()).hexdigest()
    assert vector["fingerprint"] == f"sha256:{digest}"
    files = ",".join(
        json.dumps(
            {"name": file["name"], "sha256": hashlib.sha256(file["stored"].encode()).hexdigest()},
            separators=(",", ":"),
            ensure_ascii=False,
        )
        for file in vector["files"]
    )
    assert vector["snapshot"] == hashlib.sha256(f'{{"files":[{files}]}}'.encode()).hexdigest()


def test_the_example_of_the_page_agrees(tmp_path: Path) -> None:
    """Ten words of Python give what this project gives, for a configuration without surprises."""
    page = (Path(__file__).parents[2] / "docs" / "fingerprint.md").read_text(encoding="utf-8")
    program = textwrap.dedent(page.partition("## An example\n")[2])
    raw = b"grid: {levels: [1, 2.50], on_start: yes}\nsymbol: BTC/USDT # note\nnone: ~\n"
    (tmp_path / "config.yaml").write_bytes(raw)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True)
    assert done.stdout.strip() == snapshot_under([("config.yaml", raw)], lambda: KEY).fingerprint
