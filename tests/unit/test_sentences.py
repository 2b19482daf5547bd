"""Every event has a sentence that a person would say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledger.domain.events import catalogue
from ledger.domain.log.unreadable import STAND_IN
from projections.words.sentences import _SENTENCES, changes_text, mode_text, sentence, short

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "events.json").read_bytes())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["type"])
def test_every_recorded_event_can_be_told(vector: dict[str, Any]) -> None:
    """The frozen events of every type: a sentence without a hole, a dict or a full hash in it."""
    told = sentence(vector["type"], vector["data"])
    assert told
    assert "None" not in told
    assert "{" not in told
    assert "sha256:" not in told


def test_no_event_type_is_without_a_sentence() -> None:
    """I11: what happened is said, for every type of the catalogue and none besides."""
    assert _SENTENCES.keys() == {*catalogue(), STAND_IN}


def test_an_unknown_type_is_named() -> None:
    """A newer program may have written it."""
    assert "SomethingOfTomorrow" in sentence("SomethingOfTomorrow", {})


def test_the_parts_of_sentences() -> None:
    """Fingerprints short enough to read, modes with their kind, the first keys and how many more."""
    assert short("sha256:" + "a1" * 32) == "a1a1a1a1a1a1"
    assert short(None) == "nothing"
    assert mode_text("paused", "drain") == "paused/drain"
    assert mode_text(None) == "never switched"
    changes = [
        {"key": "a", "old": "1", "new": "2"},
        {"key": "b", "new": "3"},
        {"key": "c", "old": "4"},
    ]
    assert changes_text(changes) == "a 1 → 2, b = 3, c removed"
    assert changes_text([*changes, *changes]) == "a 1 → 2, b = 3, c removed and 3 more"
