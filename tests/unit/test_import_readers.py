"""The readers of an import: pure, from lines to records or to what is wrong with a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.domain.errors import BadInput
from ledger.domain.log.ids import ActorKind
from ledger.service.imports import config_changes, jsonl, risk_events
from ledger.service.imports.actors import git_author, named
from ledger.service.imports.base import BadRecord, Problem, Told, record_id
from ledger.service.imports.config_changes import ConfigChange
from ledger.service.imports.jsonl import Activity
from ledger.service.imports.times import EXPECTED, UTC_ZONE, zone_named
from tests.support.pasts import BASE, SECRET, START, change, like_the_published_log, order

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def numbered(lines: Sequence[str | bytes | dict[str, Any]]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines, 1):
        text = json.dumps(line) if isinstance(line, dict) else line
        yield number, text.encode() if isinstance(text, str) else text


def changes(
    *lines: str | bytes | dict[str, Any], **options: Any
) -> tuple[list[ConfigChange], Told]:
    told = Told()
    read = config_changes.read(numbered(lines), told, zone=UTC_ZONE, not_after=NOW, **options)
    return list(read), told


def problem(*lines: str | bytes | dict[str, Any]) -> str:
    """The one problem of the last line."""
    _, told = changes(*lines)
    assert [p.where for p in told.problems] == [f"line {len(lines)}"]
    return told.problems[0].what


# --- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-02-01T21:11:09.358231", "2026-02-01T21:11:09.358231+00:00"),
        ("2026-02-01 21:11:09,358", "2026-02-01T21:11:09.358000+00:00"),
        ("2026/02/01 21:11:09", "2026-02-01T21:11:09+00:00"),
        ("2026-02-01T21:11:09Z", "2026-02-01T21:11:09+00:00"),
        ("2026-02-01T21:11:09+08:00", "2026-02-01T13:11:09+00:00"),
        (1769980269, "2026-02-01T21:11:09+00:00"),
        (1769980269.5, "2026-02-01T21:11:09.500000+00:00"),
        ("1769980269", "2026-02-01T21:11:09+00:00"),
        (1769980269358, "2026-02-01T21:11:09.358000+00:00"),
        (1769980269358231, "2026-02-01T21:11:09.358231+00:00"),
        (1769980269358231999, "2026-02-01T21:11:09.358231+00:00"),
    ],
)
def test_times_are_read_in_the_forms_that_bots_write(written: object, expected: str) -> None:
    """I13: the source's clock is kept, to the microsecond."""
    moment, _ = UTC_ZONE.read(written, not_after=NOW)
    assert moment.isoformat() == expected


@pytest.mark.parametrize("written", ["yesterday", "", None, True, [], {}, "2026-13-01", 12, 1e300])
def test_what_is_no_time_is_refused(written: object) -> None:
    """The message says what a time looks like."""
    with pytest.raises(BadRecord, match="must be a time"):
        UTC_ZONE.read(written, not_after=NOW)


def test_a_record_from_the_future_is_refused() -> None:
    """A wrong clock would stand in front of all that really happened since."""
    with pytest.raises(BadRecord, match="future"):
        UTC_ZONE.read("2027-01-01T00:00:00Z", not_after=NOW)


@pytest.mark.parametrize(
    ("zone", "hour", "naive"),
    [
        ("UTC", 12, True),
        ("utc", 12, True),
        ("Asia/Shanghai", 4, True),
        ("+08:00", 4, True),
        ("-0330", 15, True),
    ],
)
def test_a_time_without_a_zone_is_read_in_the_zone_that_was_given(
    zone: str, hour: int, naive: bool
) -> None:
    """I13: and it is told that it had none."""
    moment, had_none = zone_named(zone).read("2026-02-01T12:00:00", not_after=NOW)
    assert (moment.hour, had_none) == (hour, naive)
    assert zone_named(zone).read("2026-02-01T12:00:00Z", not_after=NOW) == (
        datetime(2026, 2, 1, 12, tzinfo=UTC),
        False,
    )


@pytest.mark.parametrize("zone", ["Nowhere/City", "", "../etc/passwd", "+8"])
def test_an_unknown_zone_is_told(zone: str) -> None:
    """With what a zone looks like."""
    with pytest.raises(BadInput, match="no such time zone"):
        zone_named(zone)


BERLIN = zone_named("Europe/Berlin")


def passes(*written: str) -> list[str]:
    """The hours and minutes, in UTC, of a change log in local time."""
    lines = [
        change(datetime.fromisoformat(f"2025-10-26T{time}"), {"a": number}, {"a": number + 1})
        for number, time in enumerate(written)
    ]
    told = Told()
    read = config_changes.read(numbered(lines), told, zone=BERLIN, not_after=NOW)
    times = [f"{one.at:%H:%M}" for one in read]
    assert told.problems == []
    return times


@pytest.mark.parametrize(
    ("written", "in_utc"),
    [
        (("01:30", "02:40", "02:10", "03:30"), ["23:30", "00:40", "01:10", "02:30"]),
        (("02:10", "02:40", "02:10", "02:40"), ["00:10", "00:40", "01:10", "01:40"]),
        (
            ("02:59", "02:00", "02:00", "02:59", "03:00"),
            ["00:59", "01:00", "01:00", "01:59", "02:00"],
        ),
        (("02:10", "02:40", "03:30"), ["00:10", "00:40", "02:30"]),
    ],
)
def test_the_order_tells_the_pass_of_the_hour_that_comes_twice(
    written: tuple[str, ...], in_utc: list[str]
) -> None:
    """I13: a log is in order, so a time that would go back is of the second pass. Nobody's change is lost."""
    assert passes(*written) == in_utc


def test_what_the_order_told_is_told() -> None:
    """With how many times that were; a time that names its zone is no matter of order."""
    lines = [
        change(datetime.fromisoformat(f"2025-10-26T{time}"), {"a": number}, {"a": number + 1})
        for number, time in enumerate(("02:40", "02:10"))
    ]
    told = Told()
    list(config_changes.read(numbered(lines), told, zone=BERLIN, not_after=NOW))
    assert told.notes[0].startswith("1 times lie in the hour that the clock went through twice")
    told = Told()
    lines[1]["timestamp"] = "2025-10-26T02:10:00+02:00"
    list(config_changes.read(numbered(lines), told, zone=BERLIN, not_after=NOW))
    assert "must not lie before line 1's" in told.problems[0].what


def test_orders_overtake_each_other_by_a_little_and_the_hour_still_comes_twice() -> None:
    """I13: several writers; and a file that runs backwards says nothing by its order."""

    def read(*written: str) -> list[str]:
        lines = [{"type": "order_result", "ts": f"2025-10-26T{time}"} for time in written]
        found = jsonl.read(numbered(lines), zone=BERLIN, not_after=NOW)
        return [f"{one.at:%H:%M:%S}" for one in found if isinstance(one, Activity)]

    assert read("02:59:58", "02:59:57", "02:00:01", "02:00:00", "02:30:00", "02:59:59") == [
        "00:59:58", "00:59:57", "01:00:01", "01:00:00", "01:30:00", "01:59:59",
    ]  # fmt: skip
    assert read("03:30:00", "02:40:00", "02:10:00") == ["02:30:00", "00:40:00", "00:10:00"]


# --- who -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("user", ActorKind.HUMAN),
        ("li.wei", ActorKind.HUMAN),
        ("Bottomley", ActorKind.HUMAN),
        ("web_ui", ActorKind.SERVICE),
        ("deploy-bot", ActorKind.SERVICE),
        ("scheduler", ActorKind.SERVICE),
        ("pre-commit-ci[bot]", ActorKind.SERVICE),
        ("deploy-ci-bot", ActorKind.SERVICE),
        ("binance-api-service", ActorKind.SERVICE),
        ("risk-service-job", ActorKind.SERVICE),
        ("k8s-cron-job", ActorKind.SERVICE),
        ("trade_bot_service", ActorKind.SERVICE),
        ("ci-runner", ActorKind.SERVICE),
        ("GitHub Actions", ActorKind.SERVICE),
        ("ci.wang", ActorKind.HUMAN),
        ("bot-anna", ActorKind.HUMAN),
        ("Abbott", ActorKind.HUMAN),
    ],
)
def test_programs_are_told_from_people(name: str, kind: ActorKind) -> None:
    """I11: the kind of actor is recorded with it."""
    assert (named(name).id, named(name).kind) == (name, kind)


def test_git_authors_become_actors() -> None:
    """I11: the address is the id, the name the name; a bot is a service."""
    ann = git_author("Ann Ång <ann@example.org>")
    assert (ann.id, ann.name, ann.kind) == ("ann@example.org", "Ann Ång", ActorKind.HUMAN)
    bot = git_author("dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>")
    assert bot.kind is ActorKind.SERVICE
    assert git_author("<>").id == "unknown"


# --- change logs ---------------------------------------------------------------------------------


def test_a_change_is_laid_over_what_was_before_it() -> None:
    """null stands for: no such key."""
    before = {"a": 1, "b": {"c": 2}, "gone": "x"}
    after = {"a": 2, "b": {"c": 2}, "new": [1]}
    (found,), told = changes(change(START, before, after))
    assert (found.before, found.after) == (before, after)
    assert (found.applied_by, found.reason, told.naive) == ("user", "profile sandbox", 1)
    assert not told.problems


def test_a_change_that_is_sent_again_is_a_repeat() -> None:
    """I16: thirteen lines, three changes; each repeat is told with the line that it repeats."""
    found, told = changes(*like_the_published_log())
    assert [c.line for c in found] == [1, 2, 3]
    assert len(told.repeated) == 10
    assert told.repeated[0] == "line 4 (2026-02-03T21:11:09.858231) repeats line 3"
    assert told.repeated[9].endswith("repeats line 3")
    assert found[2].reason == "profile live_shadow; risk warnings: RELAX_SLIPPAGE"


def test_the_same_change_by_somebody_else_or_later_is_no_repeat() -> None:
    """Who did it and when is what the log is for."""
    one = change(START, BASE, {**BASE, "MAX_LEVELS": 4})
    other = {**one, "applied_by": "bob"}
    late = {**other, "timestamp": (START + timedelta(seconds=61)).isoformat()}
    found, told = changes(one, other, late)
    assert [c.line for c in found] == [1, 2, 3]
    assert told.repeated == []
    found, told = changes(one, {**one, "timestamp": (START + timedelta(seconds=1)).isoformat()},
                          repeat_window_seconds=0)  # fmt: skip
    assert [c.line for c in found] == [1, 2]


def test_bad_lines_are_told_by_number_key_and_what_was_expected() -> None:
    """Each has its own sentence."""
    good = change(START, BASE, {**BASE, "MAX_LEVELS": 4})
    assert problem('{"timestamp": "2026-').startswith("is not JSON")
    assert "end in the middle" in problem('{"timestamp": "2026-02-01T00:00:00"')
    assert problem(b'{"a": "\xff"}') == "is not UTF-8 (byte 8 is 0xff)"
    assert problem("[1]") == "must be a JSON object, not a list"
    assert problem('{"a": NaN}') == "holds NaN, which is no JSON number"
    assert problem('{"a": 1, "a": 2}') == "key 'a' is set twice"
    assert problem('{"a":' + "[" * 100_000) == "is nested too deeply"
    assert problem({k: v for k, v in good.items() if k != "diff"}) == "key 'diff' is missing"
    assert problem({**good, "timestamp": "soon"}).startswith("key 'timestamp' must be a time")
    assert problem({**good, "applied_by": " "}).startswith("key 'applied_by' must say who")
    assert (
        problem({**good, "previous_config": []})
        == "key 'previous_config' must be an object, not a list"
    )
    assert "exactly 'old' and 'new'" in problem({**good, "diff": {"A": {"new": 1}}})
    assert "before line 1's" in problem(good, {**good, "timestamp": "2026-01-31T00:00:00"})


def test_a_diff_that_contradicts_the_configuration_is_bad_and_tells_no_value() -> None:
    """I6: either value may be a secret. 0.5, "0.5", 1 and true are four things."""
    for old in ("0.5", 1, True, None):
        bad = change(START, BASE, {**BASE, "THRESHOLD": 0.7})
        bad["diff"]["THRESHOLD"]["old"] = old
        assert problem(bad) == (
            "key 'diff.THRESHOLD': its 'old' must be the value that 'previous_config' holds, and is another"
        )
    bad = change(START, BASE, {**BASE, "API_SECRET": "x"})
    bad["diff"]["API_SECRET"]["old"] = "something else"
    assert SECRET not in problem(bad)


def test_keys_that_are_not_known_are_left_out_and_told() -> None:
    """Nothing goes missing in silence."""
    _, told = changes(change(START, {}, {"a": 1}, comment="x", ticket=7))
    assert told.notes == ["keys that a change log has no place for were left out: comment, ticket"]


# --- order activity ------------------------------------------------------------------------------


def activities(*lines: str | bytes | dict[str, Any]) -> list[Activity | Problem]:
    return list(jsonl.read(numbered(lines), zone=UTC_ZONE, not_after=NOW))


def test_order_activity_is_read_with_any_of_the_usual_keys() -> None:
    """The kind is found under the first key that holds one."""
    found = activities(
        order(START, 1),
        {"event": "order_result", "time": 1769980269358, "type": "limit"},
        {"event_type": "risk_block", "timestamp": "2026-02-01T00:00:00"},
        "",
        {"kind": "risk_event", "datetime": "2026-02-01 00:00:00"},
    )
    assert [a.kind for a in found if isinstance(a, Activity)] == [
        "order_intent", "order_result", "risk_block", "risk_event",
    ]  # fmt: skip
    assert [a.number for a in found if isinstance(a, Activity)] == [1, 2, 3, 5]
    assert [a.naive for a in found if isinstance(a, Activity)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"type": "order_intent"', "is not JSON"),
        (b'{"type": "\xff"}', "is not UTF-8"),
        ("3", "must be a JSON object, not 3"),
        ("{}", "has no kind: expected one of the keys type, event, event_type, kind"),
        (
            {"type": "heartbeat", "ts": 1},
            "key 'type' must be one of order_intent, order_result, risk_block",
        ),
        (
            {"type": "risk_event"},
            "has no time: expected one of the keys timestamp, ts, time, datetime",
        ),
        ({"type": "risk_event", "ts": "x"}, "key 'ts' must be a time"),
        ('{"type": "risk_event", "ts": NaN}', "key 'ts' must be a time"),
        ('{"type": "risk_event", "ts": nan}', "is not JSON"),
        ("\0\0\0", "is not JSON"),
    ],
)
def test_bad_order_lines_are_told(line: Any, what: str) -> None:
    """By number, key and what was expected."""
    (found,) = activities(line)
    assert isinstance(found, Problem)
    assert found.where == "line 1"
    assert found.what.startswith(what)


def test_what_bots_write_beside_json_is_kept_and_told() -> None:
    """I8: Python writes NaN and Infinity; neither costs the order, nor is a text with such a word altered."""
    (found,) = activities(
        '{"type": "order_result", "ts": "2026-02-01T10:00:00Z", "pnl": NaN, "wei": 123456789012345678901, '
        '"slip": [-Infinity, Infinity], "note": "NaN, \\"Infinity\\"", "NaN": 1}'
    )
    assert isinstance(found, Activity)
    assert found.fields["pnl"] == "NaN"
    assert found.fields["slip"] == ["-Infinity", "Infinity"]
    assert (found.fields["note"], found.fields["NaN"]) == ('NaN, "Infinity"', 1)
    assert jsonl.exactly(found.content)["wei"] == 123456789012345678901
    assert found.remarks == (jsonl.NOT_FINITE,)
    (plain,) = activities('{"type": "order_result", "ts": "2026-02-01T10:00:00Z", "note": "NaN"}')
    assert isinstance(plain, Activity)
    assert plain.remarks == ()


def rows(text: str) -> list[Activity | Problem]:
    lines = enumerate(text.encode().split(b"\n"), 1)
    return list(risk_events.read(lines, zone=UTC_ZONE, not_after=NOW))


def test_risk_events_are_read_from_csv() -> None:
    """Quotes, line ends inside them, semicolons; a row is told by the line on which it begins."""
    found = rows(
        'Timestamp,event,detail\n2026-02-01 00:00:00,halt,"a, ""b""\nc"\n2026-02-01 00:00:01,resume,\n'
    )
    assert [(a.number, a.fields) for a in found if isinstance(a, Activity)] == [
        (2, {"Timestamp": "2026-02-01 00:00:00", "event": "halt", "detail": 'a, "b"\nc'}),
        (4, {"Timestamp": "2026-02-01 00:00:01", "event": "resume", "detail": ""}),
    ]
    (only,) = rows("ts;event\n1769980269;halt\n")
    assert isinstance(only, Activity)
    assert only.fields == {"ts": "1769980269", "event": "halt"}


def test_bad_rows_are_told_and_the_next_ones_still_read() -> None:
    """One bad row spoils no other."""
    found = rows('ts,event\n1769980269,halt,x\nsoon,halt\n1769980270,"ha"lt\n1769980271,ok\n')
    assert [str(p) for p in found if isinstance(p, Problem)] == [
        "line 2: has 3 columns, and the header 2",
        f"line 3: column 'ts' must be {EXPECTED}, not 'soon'",
        "line 4: is not CSV: ',' expected after '\"'",
    ]
    assert [a.number for a in found if isinstance(a, Activity)] == [5]


@pytest.mark.parametrize("text", ["", "event,detail\n", "ts,ts\n", "ts,\n", "1769980269,halt\n"])
def test_a_csv_without_a_fitting_header_is_refused(text: str) -> None:
    """Its first row would otherwise be lost, or a column read as another."""
    with pytest.raises(BadInput, match="Line 1"):
        rows(text)


# --- identity ------------------------------------------------------------------------------------


def test_the_ids_of_records_are_frozen() -> None:
    """I4: these ids stand in people's logs; another way to make them would import everything again."""
    made = record_id("jsonl", "bot", bytes(32), 0)
    assert str(made) == "b002fbb9-c5b1-5e3e-bb6d-0c292bd7ddda"
    assert made.version == 5
    others = {
        record_id("git", "bot", bytes(32), 0),
        record_id("jsonl", "bot2", bytes(32), 0),
        record_id("jsonl", "bot", bytes(31) + b"\1", 0),
        record_id("jsonl", "bot", bytes(32), 1),
        record_id("jsonl", "bot", bytes(32), 0, "found"),
        made,
    }
    assert len(others) == 6
