"""Tables can be read in a narrow terminal: no word is broken for want of room, and nothing is lost."""

from __future__ import annotations

import pytest

from cli.tables import laid_out

LOG = (
    ["position", "occurred", "actor", "what", "reason"],
    [
        [
            "#8",
            "2026-11-21 09:44:50Z",
            "li.wei",
            "saw the run 20261121_094442_poly end (exit 0)",
            "",
        ],
        ["#9", "2026-11-21 09:44:51Z", "li.wei", "entered the phase shadow", "as agreed on Monday"],
    ],
)
ALERTS = (
    ["system", "alert", "severity", "status", "flags", "message", "since", "fired_by"],
    [
        ["bot", "WS_DISCONNECTED", "", "no_data", "", "what it guards is not seen",
         "2026-11-21 09:43:01Z", ""],
        ["bot", "CIRCUIT_BREAKER_OPEN", "critical", "firing", "pager and chat could not be told",
         "19 % rejected", "2026-11-21 09:43:01Z", "ledgertry"],
    ],
)  # fmt: skip


def test_a_table_that_fits_stands_as_it_is() -> None:
    """Each row is a line, and empty columns keep their heading."""
    lines = laid_out(["name", "note"], [["bot", ""], ["other", ""]], 80)

    assert lines == ["name   note", "bot", "other"]


def test_columns_are_folded_between_words() -> None:
    """Times, positions and names stay whole; the two texts share the rest of the line."""
    lines = laid_out(*LOG, 80)

    assert lines[0] == "position  occurred              actor   what                  reason"
    assert lines[1].startswith("#8        2026-11-21 09:44:50Z  li.wei  saw the run")
    assert lines[2].strip() == "20261121_094442_poly"


def test_what_does_not_fit_in_the_line_stands_below_it_by_name() -> None:
    """A cell in ten pieces below each other is no answer at three in the morning."""
    lines = laid_out(*ALERTS, 80)

    assert lines == [
        "system  alert                 severity  status   since                 fired_by",
        "bot     WS_DISCONNECTED                 no_data  2026-11-21 09:43:01Z",
        "    message: what it guards is not seen",
        "bot     CIRCUIT_BREAKER_OPEN  critical  firing   2026-11-21 09:43:01Z  ledgertry",
        "    flags: pager and chat could not be told · message: 19 % rejected",
    ]


@pytest.mark.parametrize("table", [LOG, ALERTS], ids=["log", "alerts"])
@pytest.mark.parametrize("width", [24, 40, 60, 80, 100, 120, 200])
def test_nothing_is_lost_or_too_wide(table: tuple[list[str], list[list[str]]], width: int) -> None:
    """Whatever the width, each letter of each cell is there, and no line is wider."""
    names, rows = table
    lines = laid_out(names, rows, width)

    assert max(map(len, lines)) <= width
    shown = sorted("".join("".join(lines).split()))
    for row in rows:
        for cell in row:
            for letter in set(cell) - {" "}:
                assert shown.count(letter) >= sum(each.count(letter) for each in row)


def test_letters_of_double_width_and_line_breaks_are_reckoned_with() -> None:
    """A Chinese reason takes two columns a letter; a break in a cell stays one."""
    rows = [["li.wei", "回滚到上一个 稳定版本之后恢复"], ["bot", "one\ntwo"]]
    lines = laid_out(["who", "reason"], rows, 26)

    assert lines == [
        "who     reason",
        "li.wei  回滚到上一个",
        "        稳定版本之后恢复",
        "bot     one",
        "        two",
    ]
