"""Charts as SVG: time series with the modes behind them, slices, calibration. The same bytes each time.

There are no words in them but the names of metrics, so that they are the same in every language; what
colours and lines mean stands beside them.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from projections.reports.limits import Limit
from projections.reports.samples import Series
from projections.reports.slices import Compared, Slice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODE_COLOURS: Final = {"real": "#f2b8b5", "mock": "#bcd7f5", "paused": "#d5d9de"}
MARK_COLOURS: Final = {"alert": "#c62a2f", "rollback": "#1c2530"}
LIMIT_COLOUR: Final = "#9a6700"
LINES: Final = (
    "#2563a8",
    "#18794e",
    "#8250a8",
    "#b35900",
    "#0f7b8a",
    "#a3386c",
    "#5b6775",
    "#7a6a00",
)
RESULT_COLOURS: Final = {
    "pass": "#18794e", "fail": "#c62a2f", "inconclusive": "#9a6700", "not_judged": "#8b95a1",
    "no_data": "#8b95a1",
}  # fmt: skip
POINTS_MAX: Final = 600
"""Of a line. More are drawn as the lowest and highest of each stretch, so that no peak is lost."""
CHARTS_MAX: Final = 16
WIDTH: Final = 10.0  # inches


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time in one mode."""

    since: datetime
    until: datetime
    mode: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened: an alert fired, a rollback was done."""

    at: datetime
    kind: str


def time_series(
    series: Iterable[Series],
    limits: Sequence[Limit],
    bands: Sequence[Band],
    marks: Sequence[Mark],
    since: datetime,
    until: datetime,
) -> str:
    """Return a chart a metric, one above the other over the same time; empty where there is nothing."""
    charts = [
        (metric, [one for one in group if one.numbers])
        for metric, group in groupby(series, key=lambda one: one.metric)
    ]
    charts = [chart for chart in charts if chart[1]][:CHARTS_MAX]
    if not charts:
        return ""
    figure, axes = _figure(len(charts), 1.35)
    for axis, (metric, lines) in zip(axes, charts, strict=True):
        _decorate(axis, bands, marks, since, until)
        _limits(axis, [limit for limit in limits if limit.metric == metric])
        for number, line in enumerate(lines):
            times, values = _thinned(line)
            axis.plot(
                times, values, color=LINES[number % len(LINES)], linewidth=1.3,
                marker="." if len(times) < 40 else "", markersize=4,
                label=", ".join(value for _, value in line.labels) or None,
            )  # fmt: skip
        axis.set_title(metric, loc="left", fontsize=9, fontweight="bold", pad=4)
        if len(lines) > 1:
            axis.legend(fontsize=7, frameon=False, ncols=1, loc="center left",
                        bbox_to_anchor=(1.005, 0.5))  # fmt: skip
    _time_axis(axes, since, until)
    return _svg(figure, "time_series")


def slices(compared: Compared, limits: Sequence[Limit]) -> str:
    """Return a bar a slice: its mean, from its lowest to its highest, coloured by its result."""
    rows = [
        row
        for row in compared.rows
        if row.summary is not None and row.summary.mean.value is not None
        and (row.metric == compared.metric or row.metric.startswith(f"{compared.metric}_"))
    ]  # fmt: skip
    if not rows:
        return ""
    rows.sort(key=lambda row: (_float(row, "mean"), row.name))
    figure, (axis,) = _figure(1, 0.5 + 0.34 * len(rows))
    for place, row in enumerate(rows):
        low, middle, high = (_float(row, name) for name in ("low", "mean", "high"))
        colour = RESULT_COLOURS[row.result]
        axis.plot([low, high], [place, place], color=colour, linewidth=6, alpha=0.25,
                  solid_capstyle="round")  # fmt: skip
        axis.plot([middle], [place], color=colour, marker="o", markersize=7)
        axis.annotate(f"{middle:.4g}", (middle, place), textcoords="offset points",
                      xytext=(0, 8), ha="center", fontsize=7, color=colour)  # fmt: skip
    for limit in _first_of_each([one for one in limits if one.metric in {r.metric for r in rows}]):
        axis.axvline(float(limit.value), color=LIMIT_COLOUR, linewidth=1, linestyle="--")
    axis.set_yticks(range(len(rows)), [row.name for row in rows])
    axis.set_ylim(-0.6, len(rows) - 0.2)
    axis.set_title(compared.metric or "", loc="left", fontsize=9, fontweight="bold", pad=6)
    return _svg(figure, "slices")


def _float(row: Slice, name: str) -> float:
    value = getattr(row.summary, name).value
    return float(value) if value is not None else 0.0


def _figure(charts: int, height: float) -> tuple[Figure, list[Any]]:
    # It tells of missing fonts and caches on stderr, where a person looks for what went wrong.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.fonttype"] = "none"
    made = Figure(figsize=(WIDTH, height * charts + 0.45), layout="constrained")
    axes = made.subplots(charts, 1, sharex=True, squeeze=False)[:, 0]
    for axis in axes:
        axis.tick_params(labelsize=7, colors="#5b6775", length=3)
        axis.grid(visible=True, axis="y", color="#e8ecf0", linewidth=0.7)
        axis.set_axisbelow(True)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axis.spines[side].set_color("#c5ccd4")
    return made, list(axes)


def _decorate(
    axis: Any, bands: Sequence[Band], marks: Sequence[Mark], since: datetime, until: datetime
) -> None:
    for band in bands:
        axis.axvspan(max(band.since, since), min(band.until, until), linewidth=0, alpha=0.45,
                     color=MODE_COLOURS.get(band.mode, "#eeeeee"))  # fmt: skip
    for mark in marks:
        if since <= mark.at <= until:
            style = "-" if mark.kind == "alert" else (0, (4, 2))
            axis.axvline(mark.at, color=MARK_COLOURS[mark.kind], linewidth=1.1, linestyle=style)


def _limits(axis: Any, limits: list[Limit]) -> None:
    for limit in _first_of_each(limits):
        axis.axhline(float(limit.value), color=LIMIT_COLOUR, linewidth=1, linestyle="--")


def _first_of_each(limits: list[Limit]) -> list[Limit]:
    """Return the limits that are a line to stay on one side of, each line once."""
    drawn = [limit for limit in reversed(limits) if limit.more_is_better is not None]
    return list({limit.value: limit for limit in drawn}.values())


def _thinned(line: Series) -> tuple[list[datetime], list[float]]:
    points = line.numbers
    if len(points) > POINTS_MAX:
        size = -(-2 * len(points) // POINTS_MAX)
        kept: list[tuple[datetime, Any]] = []
        for start in range(0, len(points), size):
            stretch = points[start : start + size]
            ends = {min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])}
            kept += sorted(ends)
        points = kept
    return [at for at, _ in points], [float(value) for _, value in points]


def _time_axis(axes: Sequence[Any], since: datetime, until: datetime) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axis = axes[-1]
    locator = AutoDateLocator(tz=UTC)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    if until > since:
        axis.set_xlim(since, until)


def _svg(figure: Figure, salt: str) -> str:
    """Return the figure as an <svg> element; ``salt`` keeps its ids apart from those of other charts."""
    import matplotlib as mpl

    content = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(
            content,
            format="svg",
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
            transparent=True,
        )
    text = content.getvalue()
    text = text[text.index("<svg") :]
    # A font that is nowhere need not be named: the page's own is what the reader has.
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join(lines).replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans'") + "\n"
