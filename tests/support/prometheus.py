"""A real Prometheus, with a past of our making, on the loopback interface."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import shutil
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]
START_SECONDS: Final = 60.0


class Point(NamedTuple):
    """One sample of a series."""

    metric: str
    labels: Labels
    at: float
    value: float


class Refusal(Exception):
    """It could not evaluate the question, and why."""


class NoQuestion(Exception):
    """It is no PromQL, and why."""


def program(name: str) -> str:
    """Return where Debian's package has put ``name``."""
    path = shutil.which(name)
    assert path, f"{name} is missing: on Debian, apt install prometheus"
    return path


class Prometheus:
    """A running server. Questions are asked one after the other, over one connection."""

    def __init__(self, port: int) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _ask(self, path: str, **asked: str) -> Any:
        body = urllib.parse.urlencode(asked)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self._line.request("POST", f"/api/v1/{path}", body, form)
        answer = json.loads(self._line.getresponse().read())
        if answer["status"] != "success":
            raise (NoQuestion if answer["errorType"] == "bad_data" else Refusal)(answer["error"])
        return answer["data"]["result"]

    def over(self, expression: str, times: range) -> dict[float, dict[Labels, float]]:
        """Return the vector at each of ``times``.

        Raises:
            Refusal: at one of them it can't be evaluated.
        """
        found: dict[float, dict[Labels, float]] = {float(at): {} for at in times}
        start, end, step = str(times.start), str(times[-1]), str(times.step)
        for series in self._ask("query_range", query=expression, start=start, end=end, step=step):
            for at, value in series["values"]:
                found[float(at)][_labels(series["metric"])] = float(value)
        return found

    def at(self, expression: str, moment: float) -> dict[Labels, float]:
        """Return the vector at ``moment``.

        Raises:
            Refusal: it can't be evaluated.
        """
        found = self._ask("query", query=expression, time=str(moment))
        if found and not isinstance(found[0], dict):
            return {(): float(found[1])}
        return {_labels(one["metric"]): float(one["value"][1]) for one in found}


def _labels(metric: Mapping[str, str]) -> Labels:
    return tuple(sorted((name, value) for name, value in metric.items() if name != "__name__"))


@contextlib.contextmanager
def holding(points: Iterable[Point], folder: Path) -> Iterator[Prometheus]:
    """Start a server that holds ``points``; stop it at the end."""
    (folder / "points.txt").write_text(_open_metrics(points))
    (folder / "prometheus.yml").write_text("{}\n")
    promtool = [program("promtool"), "tsdb", "create-blocks-from", "openmetrics"]
    subprocess.run(
        [*promtool, "points.txt", "data"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        program("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data",
        "--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
    try:
        _wait_for(port, server, folder / "log")
        with contextlib.closing(Prometheus(port)) as prometheus:
            yield prometheus
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            line.request("GET", "/-/ready")
            if line.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            line.close()
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


def _open_metrics(points: Iterable[Point]) -> str:
    lines: list[str] = []
    for one in sorted(points, key=lambda one: (one.metric, one.labels, one.at)):
        named = ",".join(f'{name}="{value}"' for name, value in one.labels)
        lines.append(f"{one.metric}{{{named}}} {_written(one.value)} {one.at:.3f}\n")
    return "".join(lines) + "# EOF\n"


def _written(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else f"{value:+.0f}".replace("inf", "Inf")
