"""rollout metrics put."""

from __future__ import annotations

import click

from cli import options
from cli.completion import complete_system
from cli.output import Output
from cli.wiring import Runtime, pass_runtime
from ledger.domain.errors import BadInput
from ledger.domain.events.observations import MetricsRecorded, Sample


@click.group()
def metrics() -> None:
    """Record measured values."""


@metrics.command("put")
@click.argument("system", shell_complete=complete_system)
@click.argument("samples", nargs=-1, required=True, metavar="NAME=VALUE…")
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE", help="For all of them. Repeatable."
)
@options.output
@pass_runtime
def put(
    runtime: Runtime, system: str, samples: tuple[str, ...], labels: tuple[str, ...], output: Output
) -> None:
    """Record measured values, as of now. incidents.json tells them before and after an action.

    \b
    Example:
      rollout metrics put bot reject_rate=0.12 latency_p95=480 --label slice=london
    """
    from pydantic import ValidationError

    from ledger.domain.ids import metrics_stream

    pairs = dict(_pair(text) for text in labels)
    measured = []
    for text in samples:
        name, value = _pair(text)
        try:
            measured.append(Sample(metric=name, value=value, labels=pairs))
        except ValidationError:
            raise BadInput(
                f"{text!r}: {value!r} is no number.", hint="Give it as NAME=0.12"
            ) from None
    ledger = runtime.ledger
    ledger.load(system)
    for sample in measured:
        ledger.recorder.insist_on_plain(sample.metric, "metric's name")
    event = MetricsRecorded(samples=tuple(measured))
    new = ledger.recorder.prepare(
        event, runtime.origin(), stream=metrics_stream(system), system=system
    )
    answer = ledger.recorder.append([new])[0]
    output.record(
        {"system": system, "position": answer.position, "samples": len(measured)},
        f"{len(measured)} values recorded at #{answer.position}",
    )


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise BadInput(f"{text!r} is not NAME=VALUE.")
    return name, value
