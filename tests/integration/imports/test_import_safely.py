"""What holds for every import: no secret, once, whoever else is at it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import psycopg
import pytest

from ledger.domain.errors import BadInput, UnknownName
from ledger.service.core.session import Ledger
from ledger.service.imports import importing
from ledger.service.imports.importing import Manner
from ledger.service.imports.times import zone_named
from tests.support.imports import (
    ANN,
    close,
    head,
    import_git,
    import_log,
    import_orders,
    of_bot,
    open_ledger,
    orders,
    register,
)
from tests.support.pasts import (
    BASE,
    OTHER_SECRET,
    PRIVATE_KEY,
    SECRET,
    START,
    Repository,
    audit_file,
    change,
    change_log,
    like_the_published_log,
    order,
)


def test_no_secret_of_an_import_is_stored_anywhere(
    ledger: Ledger, embedded_dsn: str, tmp_path: Path, repository: Repository
) -> None:
    """I6: not in an event, a blob, a file of the home; not in what a bad line is told with."""
    import_log(ledger, change_log(tmp_path / "changes.jsonl", like_the_published_log()))
    repository.commit(
        {"config.yaml": f"api_secret: {OTHER_SECRET}\nlevels: 3\n".encode()}, f"password: {SECRET}"
    )
    import_git(ledger, repository, "config.yaml")
    lines = [
        order(START, 1, api_secret=SECRET),
        order(START, 2, error=f"HTTP 401 for api_secret={OTHER_SECRET}"),
        order(START, 3, meta={"headers": {"private_key": PRIVATE_KEY}}),
    ]
    daily = tmp_path / "orders.jsonl"
    daily.write_text("".join(json.dumps(line) + "\n" for line in lines))
    import_orders(ledger, daily)
    table = tmp_path / "risk_events.csv"
    table.write_text(f"ts,event,detail\n1769980269,halt,api_secret={SECRET}\n")
    import_orders(ledger, table, kind="risk-events")
    bad = change(START, BASE, {**BASE, "API_SECRET": "other"}, by=f"password: {SECRET}")
    bad["diff"]["API_SECRET"]["old"] = OTHER_SECRET
    with pytest.raises(BadInput) as error:
        import_log(ledger, change_log(tmp_path / "bad.jsonl", [bad]))
    with pytest.raises(BadInput) as other:
        import_orders(
            ledger, change_log(tmp_path / "bad2.jsonl", [{"type": f"api_secret={SECRET}"}])
        )

    told = error.value.message + other.value.message
    with psycopg.connect(embedded_dsn) as connection:
        stored = [bytes(row[0]) for row in connection.execute("SELECT body FROM ledger.event")]
        stored += [bytes(row[0]) for row in connection.execute("SELECT bytes FROM ledger.blob")]
    stored += [path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert len(stored) > 20
    for secret in (SECRET, OTHER_SECRET, PRIVATE_KEY, PRIVATE_KEY.removeprefix("0x")):
        assert secret not in told
        assert [content for content in stored if secret.encode() in content] == []
    adopted = [e for e in ledger.recorder.store.read() if e.type == "SecretKeyAdopted"]
    assert len(adopted) == 1


def test_a_system_that_is_not_registered_is_told(ledger: Ledger, tmp_path: Path) -> None:
    """With the next step; before anything is read."""
    with pytest.raises(UnknownName) as error:
        importing.import_config_changes(ledger, "nobody", tmp_path / "none", ANN, Manner())
    assert "rollout system add nobody" in (error.value.hint or "")


def test_two_imports_at_once_import_once(embedded_dsn: str, tmp_path: Path) -> None:
    """I4: whichever is first, each record and each summary is in the log once."""
    log = change_log(tmp_path / "changes.jsonl", like_the_published_log())
    daily = audit_file(tmp_path / "orders.jsonl", 3500)
    first = open_ledger(embedded_dsn, tmp_path / "home")
    register(first)
    start = threading.Barrier(4)

    def work() -> None:
        mine = open_ledger(embedded_dsn, tmp_path / "home")
        start.wait()
        import_log(mine, log)
        import_orders(mine, daily)
        close(mine)

    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 -- told by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(of_bot(first, "ConfigApplied")) == 6
    assert len(orders(first)) == 3500
    assert [e.data["kind"] for e in of_bot(first, "HistoryImported")] == ["config-changes", "jsonl"]
    close(first)


def test_another_time_zone_for_what_is_in_already_is_told(ledger: Ledger, tmp_path: Path) -> None:
    """I1: what is recorded stays, so a second reading with other times is refused, not doubled."""
    log = change_log(tmp_path / "changes.jsonl", like_the_published_log())
    import_log(ledger, log)
    daily = tmp_path / "orders.jsonl"
    daily.write_text(json.dumps(order(START, 1) | {"ts": "2026-02-01T00:00:00"}) + "\n")
    import_orders(ledger, daily)
    before = head(ledger)
    shanghai = zone_named("Asia/Shanghai")
    with pytest.raises(
        BadInput, match="line 1 was imported before with the time 2026-02-01T21:11:09"
    ):
        import_log(ledger, log, zone=shanghai)
    with pytest.raises(BadInput, match="imported before with the time 2026-02-01T00:00:00"):
        import_orders(ledger, daily, zone=shanghai)
    assert head(ledger) == before
