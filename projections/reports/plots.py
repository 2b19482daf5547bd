"""Charts as SVG: time series with the modes behind them, slices, calibration. The same bytes each time.

There are no words in them but the names of metrics, slices and modes, and numbers, so that they are
the same in every language and need no font of their own; what colours and lines mean stands beside
them. Nothing is told by colour alone: modes differ by hatching, lines by dashes, results by shape.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from unicodedata import east_asian_width

from projections.reports.limits import Limit
from projections.reports.samples import Series
from projections.reports.slices import Compared, Slice
from projections.reports.units import unit_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODE_COLOURS: Final = {"real": "#fbe8b4", "mock": "#c4dcf6", "paused": "#d5d9de"}
HATCHES: Final = {"mock": "//", "paused": "xx"}
MARK_COLOURS: Final = {"alert": "#c62a2f", "rollback": "#1c2530"}
LIMIT_COLOUR: Final = "#9a6700"
LINES: Final = (
    "#0b62a4", "#c4500a", "#0a7f5c", "#8a3fa0", "#1c2530", "#b0307a", "#2f9bd0", "#7a6a00",
)  # fmt: skip
DASHES: Final = ("-", (0, (6, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)))
RESULT_COLOURS: Final = {
    "pass": "#18794e", "fail": "#c62a2f", "inconclusive": "#9a6700", "not_judged": "#8b95a1",
    "no_data": "#8b95a1",
}  # fmt: skip
RESULT_SHAPES: Final = {"pass": "o", "fail": "X", "inconclusive": "^"}
OTHER_SHAPE: Final = "s"
LABELLED: Final = 0.06
"""The share of the width from which on a stretch of a mode has room for its name."""
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
    figure, axes = _figure(len(charts), 1.5, strip=True)
    _mode_names(axes[0], bands, since, until)
    for axis in axes:
        _decorate(axis, bands, marks, since, until)
    for axis, (metric, lines) in zip(axes[1:], charts, strict=True):
        for limit in _first_of_each([limit for limit in limits if limit.metric == metric]):
            axis.axhline(float(limit.value), color=LIMIT_COLOUR, linewidth=1, linestyle="--")
        # Highest last, so that the legend has them in the order in which they lie in the chart.
        for number, line in enumerate(sorted(lines, key=lambda line: -line.numbers[-1][1])):
            times, values = _thinned(line)
            axis.plot(
                times, values, color=LINES[number % len(LINES)], linewidth=1.3,
                linestyle=DASHES[number % len(DASHES)],
                marker="." if len(times) < 40 else "", markersize=4,
                label=_label(line) or None,
            )  # fmt: skip
        axis.set_title(metric, loc="left", fontsize=9, fontweight="bold", pad=4)
        axis.set_ylabel(unit_of(metric).sign, fontsize=7, color="#5b6775")
        if len(lines) > 1:
            axis.legend(fontsize=7, frameon=False, ncols=1, loc="center left", handlelength=3.2,
                        bbox_to_anchor=(1.005, 0.5))  # fmt: skip
    _time_axis(axes, since, until)
    for axis in axes[1:]:  # below each: sixteen charts are more than a screen
        axis.tick_params(axis="x", labelbottom=True)
    figure.align_ylabels(axes)
    return _svg(figure, "time_series")


def slices(compared: Compared, limits: Sequence[Limit]) -> str:
    """Return a bar a slice: its mean, from its lowest to its highest, in the shape of its result."""
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
        axis.plot([middle], [place], color=colour, markersize=7,
                  marker=RESULT_SHAPES.get(row.result, OTHER_SHAPE))  # fmt: skip
        axis.annotate(f"{middle:.4g}", (middle, place), textcoords="offset points",
                      xytext=(0, 8), ha="center", fontsize=7, color=colour)  # fmt: skip
    for limit in _first_of_each([one for one in limits if one.metric in {r.metric for r in rows}]):
        axis.axvline(float(limit.value), color=LIMIT_COLOUR, linewidth=1, linestyle="--")
    axis.set_yticks(range(len(rows)), [_room(row.name) + row.name for row in rows])
    axis.set_ylim(-0.6, len(rows) - 0.2)
    axis.set_title(compared.metric or "", loc="left", fontsize=9, fontweight="bold", pad=6)
    axis.set_xlabel(unit_of(rows[0].metric).sign, fontsize=7, color="#5b6775")
    return _svg(figure, "slices")


def _label(line: Series) -> str:
    text = ", ".join(value for _, value in line.labels)
    return text + _room(text)


def _room(text: str) -> str:
    """Return the blanks that Chinese text needs beside it: what is drawn here knows no such letters.

    It takes them for 0.6 of their width, and they would not fit into the picture.
    """
    wide = sum(east_asian_width(letter) in "WF" for letter in text)
    return "\u2003" * -(-2 * wide // 5)


def _float(row: Slice, name: str) -> float:
    value = getattr(row.summary, name).value
    return float(value) if value is not None else 0.0


def _figure(charts: int, height: float, *, strip: bool = False) -> tuple[Figure, list[Any]]:
    """Return a figure with so many charts, each ``height`` inches high; first a strip for the modes."""
    # It tells of missing fonts and caches on stderr, where a person looks for what went wrong.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["text.parse_math"] = False  # a slice may be called $x$, or anything
    above = [0.22] if strip else []
    made = Figure(figsize=(WIDTH, height * charts + 0.45 + sum(above)), layout="constrained")
    axes = made.subplots(len(above) + charts, 1, sharex=True, squeeze=False,
                         height_ratios=[*above, *[height] * charts])[:, 0]  # fmt: skip
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
        axis.axvspan(max(band.since, since), min(band.until, until), linewidth=0,
                     facecolor=f"{MODE_COLOURS.get(band.mode, '#eeeeee')}80",
                     edgecolor="#8b95a160", hatch=HATCHES.get(band.mode))  # fmt: skip
    for mark in marks:
        if since <= mark.at <= until:
            style = "-" if mark.kind == "alert" else (0, (4, 2))
            axis.axvline(mark.at, color=MARK_COLOURS[mark.kind], linewidth=1.1, linestyle=style)


def _mode_names(axis: Any, bands: Sequence[Band], since: datetime, until: datetime) -> None:
    """Write into the strip above the charts which mode each stretch is, where there is room."""
    axis.set_yticks([])
    axis.tick_params(length=0)
    axis.grid(visible=False)
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
    for band in bands:
        first, last = max(band.since, since), min(band.until, until)
        if (last - first) >= LABELLED * (until - since):
            axis.text(first + (last - first) / 2, 0.5, band.mode, fontsize=7, color="#1c2530",
                      ha="center", va="center", transform=axis.get_xaxis_transform(),
                      bbox={"facecolor": "#ffffffd0", "linewidth": 0, "pad": 1})  # fmt: skip


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
    # Months as numbers: their names would be English in every language.
    axis.xaxis.set_major_formatter(
        ConciseDateFormatter(
            locator,
            tz=UTC,
            formats=["%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%H:%M:%S"],
            zero_formats=["", "%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M"],
            show_offset=False,
        )
    )
    days = list(dict.fromkeys(f"{moment:%Y-%m-%d}" for moment in (since, until)))
    axis.set_xlabel(f"UTC, {' … '.join(days)}", fontsize=7, color="#5b6775")
    if until > since:
        axis.set_xlim(since, until)


def _lay_out(figure: Any) -> None:
    """Give every chart its place, rounded.

    The solver adds up in an order that hangs on addresses in memory, and the last digits of a place go into
    ids: without this a report made again would differ by them (I7).
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    for axis in figure.axes:
        left, bottom, width, height = (round(side, 9) for side in axis.get_position().bounds)
        axis.set_position((left, bottom, width, height))


def _svg(figure: Any, salt: str) -> str:
    """Return the figure as an <svg> element; ``salt`` keeps its ids apart from those of other charts."""
    import matplotlib as mpl

    content = io.StringIO()
    mpl.rcParams["svg.hashsalt"] = salt
    with warnings.catch_warnings():
        # The page's fonts have the letters that this machine's have not.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        _lay_out(figure)
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
