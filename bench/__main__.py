"""`make bench`: what the design promises, measured side by side in one run.

python -m bench                       everything; some minutes
python -m bench --quick --only pause  a first look
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from bench import hardware, report, rows, server
from bench.context import Bench, load, say
from bench.measure import Row

FOLDER = Path(__file__).parents[1] / ".bench"
QUICK_EVENTS = 20_000


@click.command()
@click.option(
    "--only",
    "only",
    type=click.Choice(rows.NAMES),
    multiple=True,
    help="Only this; may be repeated.",
)
@click.option("--quick", is_flag=True, help="Small sizes and few repetitions: a look, no proof.")
@click.option(
    "--events", type=click.IntRange(min=1000), help="Length of the big log. Default: 1,000,000."
)
@click.option("--dsn", help="Another server than the bench's own; as a superuser of it.")
@click.option(
    "--programs", type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="PostgreSQL's programs for the bench's own server, e.g. /usr/lib/postgresql/15/bin.",
)  # fmt: skip
@click.option("--pg15", is_flag=True, help="Short for --programs /usr/lib/postgresql/15/bin.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, show_default=".bench",
    help="Where peers are installed, and where result.json goes.",
)  # fmt: skip
def main(
    only: tuple[str, ...],
    quick: bool,
    events: int | None,
    dsn: str | None,
    programs: Path | None,
    pg15: bool,
    folder: Path,
) -> None:
    """Measure the speed that is promised, side by side with what one would use instead."""
    if pg15:
        programs = Path("/usr/lib/postgresql/15/bin")
    size = events or (QUICK_EVENTS if quick else 1_000_000)
    measured: list[Row] = []
    loads: list[float | None] = []
    with server.running(dsn, programs) as running:
        sizes = f"{size:,} events in the big log{', quick' if quick else ''}"
        about = {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": hardware.describe(running.folder),
            "server": running.describe(),
            "programs": hardware.versions(),
            "sizes": f"{sizes}, payload 256 bytes, load averages at the start {load()}",
        }
        bench = Bench(running, size, quick, folder)
        for name in only or rows.NAMES:
            say(f"{name} …  (load {load()})")
            with ExitStack() as cleanup:
                bench.cleanup = cleanup
                watch = hardware.Load(running.pid)
                found = list(rows.measure(name)(bench))
                measured += found
                loads += [watch.others()] * len(found)
        if bench.peers:
            about["peers"] = ", ".join(f"{name} {version}" for name, version in bench.peers.items())
        report.write(folder / "result.json", measured, loads, about)
    report.show(measured, loads, list(about.values()))
    if quick:
        say("A quick look: the bars are meant for the full sizes.")


if __name__ == "__main__":
    main()
