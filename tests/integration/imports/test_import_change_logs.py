"""Change logs into a real ledger: once, whole, with both clocks."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ledger.domain.errors import BadInput
from ledger.service.core.session import Ledger
from ledger.service.imports import changes
from tests.support.imports import (
    head,
    import_log,
    of_bot,
    state,
)
from tests.support.pasts import (
    BASE,
    START,
    change,
    change_log,
    like_the_published_log,
)


def test_a_change_log_becomes_its_history(ledger: Ledger, tmp_path: Path) -> None:
    """I13: thirteen lines: three changes, three states found without a record, ten repeats."""
    log = change_log(tmp_path / "changes.jsonl", like_the_published_log())
    done = import_log(ledger, log)
    assert (done.records, done.imported, done.already_known, len(done.repeated)) == (13, 3, 0, 10)
    assert done.notes == ("13 times name no zone and were read as UTC (--timezone)",)

    applied = of_bot(ledger, "ConfigApplied")
    assert [(e.data["cause"], e.actor.name, e.actor.kind.value) for e in applied] == [
        ("found", "unknown", "importer"),
        ("import", "user", "human"),
        ("found", "unknown", "importer"),
        ("import", "user", "human"),
        ("found", "unknown", "importer"),
        ("import", "web_ui", "service"),
    ]
    assert all(e.backfilled and e.decoded["channel"] == "import" for e in applied)
    assert [e.occurred_at for e in applied[::2]] == [e.occurred_at for e in applied[1::2]]
    assert applied[0].occurred_at == START.replace(tzinfo=UTC) < applied[0].recorded_at
    assert applied[2].data["fingerprint"] == applied[0].data["fingerprint"]
    assert "no record says who changed it" in (applied[2].reason or "")
    assert len({e.data["fingerprint"] for e in applied}) == 5
    assert len(of_bot(ledger, "ConfigRegistered")) == 5
    for before, after in pairwise(applied):
        assert after.data["previous"] == before.data["fingerprint"]

    keys = [[c["key"] for c in e.data["changes"]] for e in applied]
    assert keys[0] == sorted(BASE)
    assert keys[1] == ["TRADE_SIZE"]
    assert keys[4] == ["API_SECRET", "THRESHOLD"]
    assert keys[5] == ["DRY_RUN", "MAX_DAILY_LOSS"]
    secret = applied[4].data["changes"][0]
    assert secret["old"] != secret["new"]
    assert secret["old"].startswith('"secret:hmac-sha256:')
    (summary,) = of_bot(ledger, "HistoryImported")
    assert summary.data["imported"] == 3
    assert summary.data["repeated"][0].endswith("repeats line 3")
    assert summary.data["source"].endswith("changes.jsonl (times without a zone read as UTC)")
    assert summary.actor.name == "Ann"
    assert not summary.backfilled
    assert state(ledger).fingerprint == applied[5].data["fingerprint"]
    assert state(ledger).applied_at == "2026-02-03T21:11:09.358231Z"


def test_a_change_log_is_imported_once(ledger: Ledger, tmp_path: Path) -> None:
    """I16: the same file adds nothing; a longer one adds what is new; part of it adds nothing."""
    records = like_the_published_log()
    log = change_log(tmp_path / "changes.jsonl", records[:2])
    assert import_log(ledger, log).imported == 2
    before = head(ledger)
    again = import_log(ledger, log)
    assert (again.imported, again.already_known, again.position) == (0, 2, None)
    assert head(ledger) == before

    longer = import_log(ledger, change_log(log, records))
    assert (longer.imported, longer.already_known, len(longer.repeated)) == (1, 2, 10)
    before = head(ledger)
    assert import_log(ledger, log).nothing_new
    assert import_log(ledger, change_log(tmp_path / "part.jsonl", records[2:5])).nothing_new
    assert import_log(
        ledger, change_log(tmp_path / "blank.jsonl", ["", *map(json.dumps, records), ""])
    ).nothing_new
    assert head(ledger) == before


def test_a_log_in_monthly_parts_goes_on_where_the_last_one_ended(
    ledger: Ledger, tmp_path: Path
) -> None:
    """The configuration that the next part begins with is known: nothing is found twice."""
    a, b = BASE, {**BASE, "MAX_LEVELS": 4}
    c = {**b, "MAX_LEVELS": 5}
    first = change_log(tmp_path / "01.jsonl", [change(START, a, b)])
    second = change_log(tmp_path / "02.jsonl", [change(START + timedelta(days=30), b, c)])
    import_log(ledger, first)
    import_log(ledger, second)
    applied = of_bot(ledger, "ConfigApplied")
    assert [e.data["cause"] for e in applied] == ["found", "import", "import"]
    assert applied[2].data["previous"] == applied[1].data["fingerprint"]
    assert [c["key"] for c in applied[2].data["changes"]] == ["MAX_LEVELS"]
    assert len(of_bot(ledger, "ConfigRegistered")) == 3


def test_history_that_comes_in_late_does_not_change_what_is_in_force(
    ledger: Ledger, tmp_path: Path
) -> None:
    """I13: what happened in February is not what happened last."""
    late = START + timedelta(days=60)
    a, b, c = BASE, {**BASE, "MAX_LEVELS": 4}, {**BASE, "MAX_LEVELS": 9}
    import_log(ledger, change_log(tmp_path / "late.jsonl", [change(late, b, c)]))
    in_force = state(ledger).fingerprint
    import_log(ledger, change_log(tmp_path / "early.jsonl", [change(START, a, b)]))
    assert state(ledger).fingerprint == in_force
    assert len(state(ledger).configs) == 3
    assert len(of_bot(ledger, "ConfigRegistered")) == 3


def test_a_bad_line_keeps_the_whole_file_out(ledger: Ledger, tmp_path: Path) -> None:
    """Named by number and key; with skip_bad it is listed, and all others go in."""
    records: list[Any] = like_the_published_log()[:3]
    records[1] = {**records[1], "previous_config": None}
    log = change_log(tmp_path / "changes.jsonl", [*records, "{"])
    before = head(ledger)
    with pytest.raises(BadInput) as error:
        import_log(ledger, log)
    assert (
        f"{log}, line 2: key 'previous_config' must be an object, not null" in error.value.message
    )
    assert "also bad: line 4" in error.value.message
    assert "--skip-bad" in (error.value.hint or "")
    assert head(ledger) == before

    done = import_log(ledger, log, skip_bad=True)
    assert (done.imported, len(done.skipped)) == (2, 2)
    (summary,) = of_bot(ledger, "HistoryImported")
    assert summary.data["skipped"][0].startswith("line 2: key 'previous_config'")

    records[1] = like_the_published_log()[1]
    mended = import_log(ledger, change_log(log, records))
    assert (mended.imported, mended.already_known) == (1, 2)


def test_a_dry_run_appends_nothing_and_shows_everything(ledger: Ledger, tmp_path: Path) -> None:
    """What it shows is what is then appended."""
    log = change_log(tmp_path / "changes.jsonl", like_the_published_log())
    before = head(ledger)
    shown = import_log(ledger, log, dry_run=True).events
    assert head(ledger) == before
    import_log(ledger, log)
    appended = of_bot(ledger, "ConfigRegistered", "ConfigApplied")
    assert [e.event_id for e in shown] == [e.event_id for e in appended]
    assert [e.body for e in shown] == [e.body for e in appended]


def test_a_long_history_goes_in_in_batches(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is held for no longer than a batch takes; the events of one record stay together."""
    monkeypatch.setattr(changes, "BATCH_EVENTS", 7)
    configs = [{**BASE, "MAX_LEVELS": n} for n in range(40)]
    records = [change(START + timedelta(hours=n), configs[n], configs[n + 1]) for n in range(39)]
    done = import_log(ledger, change_log(tmp_path / "long.jsonl", records))
    assert done.imported == 39
    assert len(of_bot(ledger, "ConfigApplied")) == 40
    assert len(of_bot(ledger, "HistoryImported")) == 1
    batches = Counter(e.recorded_at for e in of_bot(ledger) if e.backfilled)
    assert len(batches) > 11
    assert max(batches.values()) <= 7
    assert [e.data["cause"] for e in of_bot(ledger, "ConfigApplied")] == ["found", *["import"] * 39]


def test_a_change_after_a_power_cut_is_kept_with_a_note(ledger: Ledger, tmp_path: Path) -> None:
    """I11: the NULs before a whole record are no reason to lose who changed what."""
    one = json.dumps(change(START, {"a": 1}, {"a": 2}))
    log = change_log(tmp_path / "changes.jsonl", ["\0\0" + one])
    done = import_log(ledger, log)
    assert done.imported == 1
    assert any("NUL" in note for note in done.notes)


def test_equal_times_keep_the_order_of_the_log(ledger: Ledger, tmp_path: Path) -> None:
    """I13: a log's end came in first; what precedes it in the same second does not outlive it."""
    lines = [change(START, {"a": n}, {"a": n + 1}) for n in range(3)]
    import_log(ledger, change_log(tmp_path / "end.jsonl", lines[2:]))
    import_log(ledger, change_log(tmp_path / "whole.jsonl", lines))
    last = max(
        of_bot(ledger, "ConfigApplied"), key=lambda event: (event.occurred_at, event.position)
    )
    assert last.data["changes"][0]["new"] == "3"
    assert state(ledger).fingerprint == last.data["fingerprint"]
