"""Order activity into a real ledger: verbatim, once, all of a file or nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.domain.errors import BadInput
from ledger.service.core.session import Ledger
from ledger.service.imports import activity, importing
from ledger.service.imports.times import zone_named
from tests.support.imports import (
    ANN,
    BOT,
    head,
    import_log,
    import_orders,
    of_bot,
    orders,
)
from tests.support.pasts import (
    START,
    audit_file,
    order,
)


def test_order_activity_goes_in_verbatim(ledger: Ledger, tmp_path: Path) -> None:
    """I11, I13: the bot is the actor, the line's time the time, each value its canonical text."""
    daily = audit_file(tmp_path / "2026-02-01.jsonl", 2500)
    (done,) = import_orders(ledger, daily)
    assert (done.records, done.imported, done.already_known) == (2500, 2500, 0)
    stored = orders(ledger)
    lines = daily.read_text().splitlines()
    assert len(stored) == 2500
    for event, line in zip(stored, lines, strict=True):
        record = json.loads(line)
        assert {key: json.loads(text) for key, text in event.data["fields"].items()} == record
        assert event.data["kind"] == record["type"]
        assert event.occurred_at == datetime.fromisoformat(record["ts"])
        assert (event.actor.id, event.actor.kind.value, event.backfilled) == (BOT, "service", True)
    (summary,) = of_bot(ledger, "HistoryImported")
    assert summary.data["imported"] == 2500


def test_order_activity_is_imported_once(ledger: Ledger, tmp_path: Path) -> None:
    """I16: the same file, a grown one, a gzipped one, two that overlap."""
    daily = audit_file(tmp_path / "orders.jsonl", 1500)
    import_orders(ledger, daily)
    before = head(ledger)
    (again,) = import_orders(ledger, daily)
    assert (again.imported, again.already_known) == (0, 1500)
    packed = tmp_path / "orders.jsonl.gz"
    packed.write_bytes(gzip.compress(daily.read_bytes()))
    assert import_orders(ledger, packed)[0].nothing_new
    part = tmp_path / "part.jsonl"
    part.write_text("\n".join(daily.read_text().splitlines()[:700]))
    assert import_orders(ledger, part)[0].nothing_new
    assert head(ledger) == before

    audit_file(daily, 1700)
    (grown,) = import_orders(ledger, daily)
    assert (grown.imported, grown.already_known) == (200, 1500)
    assert len(orders(ledger)) == 1700


def test_equal_lines_are_so_many_records(ledger: Ledger, tmp_path: Path) -> None:
    """I4: two equal lines in a file are two; in a longer version of the file they are the same two."""
    line = json.dumps(order(START, 1))
    daily = tmp_path / "orders.jsonl"
    daily.write_text(f"{line}\n{line}\n")
    assert import_orders(ledger, daily)[0].imported == 2
    daily.write_text(f"{line}\n{line}\n{line}\n")
    assert import_orders(ledger, daily)[0].imported == 1
    assert len(orders(ledger)) == 3


def test_one_bad_line_keeps_all_files_out(ledger: Ledger, tmp_path: Path) -> None:
    """The good file that was named first is not imported either; with skip_bad the rest goes in."""
    good = audit_file(tmp_path / "1.jsonl", 20)
    bad = audit_file(tmp_path / "2.jsonl", 2100)
    lines = bad.read_text().splitlines()
    lines[1999] = lines[1999].replace("type", "typo")
    bad.write_text("\n".join(lines) + '\n{"type": "order_int')
    before = head(ledger)
    for files in ([good, bad], [bad, good]):
        with pytest.raises(BadInput) as error:
            import_orders(ledger, *files)
        assert f"{bad}, line 2000: has no kind" in error.value.message
    assert head(ledger) == before
    one, two = import_orders(ledger, good, bad, skip_bad=True)
    assert (one.imported, two.imported, two.records) == (20, 2079, 2101)
    assert [line.split(":")[0] for line in two.skipped] == ["line 2000", "line 2101"]


def test_a_file_that_grows_while_it_is_read_is_imported_as_far_as_it_was_checked(
    ledger: Ledger, tmp_path: Path
) -> None:
    """A bot may be writing to it: what comes in between the two looks waits for the next import."""
    daily = audit_file(tmp_path / "orders.jsonl", 30)
    reading = activity.Reading(
        "jsonl", importing._READERS["jsonl"], zone_named("UTC"), ledger.recorder.clock.now()
    )
    scanned = activity.scan(daily, reading)
    with daily.open("a") as file:
        file.write("not checked, not even JSON\n")
    source = importing.Source("jsonl", BOT, str(daily), scanned.digest)
    done = activity.run(ledger, source, scanned, reading, ANN)
    assert done.imported == 30


def test_what_a_power_cut_and_a_division_left_is_kept_with_a_note(
    ledger: Ledger, tmp_path: Path
) -> None:
    """I31: NULs before a whole record, and NaN: the orders are there, and the import says what it did."""
    first, second = (json.dumps(order(START, number)) for number in (1, 2))
    daily = tmp_path / "orders.jsonl"
    daily.write_text(f'{first}\n\0\0\0{second}\n{second[:-1]}, "pnl": NaN}}\n')
    (done,) = import_orders(ledger, daily)
    assert (done.imported, done.skipped) == (3, ())
    assert [note.split(",")[0] for note in done.notes] == [
        "1 lines hold NaN or Infinity",
        "1 lines began with NUL bytes",
    ]
    assert orders(ledger)[2].data["fields"]["pnl"] == '"NaN"'
    daily.write_text(daily.read_text() + "\0" * 40)
    with pytest.raises(BadInput, match="line 4: is not JSON"):
        import_orders(ledger, daily)


def test_risk_events_go_in(ledger: Ledger, tmp_path: Path) -> None:
    """Saved by a spreadsheet: with a byte order mark."""
    table = tmp_path / "risk_events.csv"
    table.write_bytes(
        '\ufefftimestamp,event,原因\r\n2026-02-01 00:00:00,halt,"价格, 异常"\r\n'.encode()
    )
    (done,) = import_orders(ledger, table, kind="risk-events", zone=zone_named("Asia/Shanghai"))
    assert done.imported == 1
    (event,) = orders(ledger)
    assert event.data["kind"] == "risk_event"
    assert event.occurred_at == datetime(2026, 1, 31, 16, tzinfo=UTC)
    assert json.loads(event.data["fields"]["原因"]) == "价格, 异常"
    assert import_orders(ledger, table, kind="risk-events", zone=zone_named("Asia/Shanghai"))[
        0
    ].nothing_new


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: None, "There is no file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(gzip.compress(b"{}\n" * 1000)[:-9]), "can't be unpacked"),
        (lambda path: path.write_bytes("{}".encode("utf-16")), "is UTF-16"),
        (lambda path: path.write_bytes(b"x" * (8 * 2**20 + 2)), "line 1: longer than 8 MB"),
    ],
)
def test_files_that_can_not_be_read_are_told(
    ledger: Ledger, tmp_path: Path, write: Callable[[Path], object], says: str
) -> None:
    """One sentence, whatever is wrong with it."""
    path = tmp_path / "orders.jsonl"
    write(path)
    for attempt in (lambda: import_orders(ledger, path), lambda: import_log(ledger, path)):
        with pytest.raises(Exception, match=says) as error:
            attempt()
        assert str(path) in str(error.value)
