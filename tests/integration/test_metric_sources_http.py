"""Metric sources that are asked over HTTP: a real Prometheus server, and endpoints that misbehave."""

from __future__ import annotations

import gc
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger import web
from ledger.domain.errors import Unreachable
from ledger.domain.values.durations import parse_duration
from ledger.metrics.sources import DOCUMENT_BYTES_MAX, Source, SourceReading
from ledger.metrics.specs import PrometheusApi, PrometheusText
from tests.support.fakes import START, FrozenClock
from tests.support.site import Handler, Site, open_site

TOKEN = "T0KEN-9d2b7c41aa"
METRICS = b"""# HELP orders_total Orders.
# TYPE orders_total counter
orders_total{side="buy",slice="tokyo"} 41
# TYPE latency_ms histogram
latency_ms_bucket{le="10"} 3
latency_ms_bucket{le="+Inf"} 5
latency_ms_sum 70.5
latency_ms_count 5
ece NaN
spread +Inf
note{text="a \\"quoted\\" one, \\u00e9"} 1
"""
READY_SECONDS = 30


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as opened:
        yield opened


def text_of(site: Site, **given: Any) -> SourceReading:
    fields: dict[str, Any] = {"timeout": parse_duration("1s"), **given}
    spec = PrometheusText(
        name="rt", kind="prometheus_text", url=f"{site.url}/m?t={TOKEN}", **fields
    )
    return Source(spec, Path(), FrozenClock(), {}).read()


def api_of(url: str, queries: dict[str, str]) -> SourceReading:
    spec = PrometheusApi(
        name="prom", kind="prometheus_api", url=url, queries=queries, timeout=parse_duration("5s")
    )
    return Source(spec, Path(), FrozenClock(), {}).read()


def test_an_endpoint_in_the_text_format(site: Site) -> None:
    """I8: labels, infinity and histograms arrive as they are; NaN is no sample, and no error either."""
    site.says(200, METRICS)
    told = text_of(site, labels={"host": "a"}, rename={"orders_total": "orders"})
    assert told.problem is None
    found = {one.metric: (dict(one.labels), one.value) for one in told.samples}
    assert found["orders"] == ({"side": "buy", "slice": "tokyo", "host": "a"}, "41")
    assert found["spread"] == ({"host": "a"}, "+Inf")
    assert "ece" not in found
    assert sum(one.metric == "latency_ms_bucket" for one in told.samples) == 2
    assert {one.at for one in told.samples} == {START}
    wanted = text_of(site, metrics=("latency_ms_sum",))
    assert [(one.metric, one.value) for one in wanted.samples] == [("latency_ms_sum", "70.5")]


def test_what_an_endpoint_says_is_old_is_old(site: Site) -> None:
    """18: a value of last year is no fresh evidence (I8); of tomorrow nobody can have measured one."""
    site.says(200, b"feed_age 1 1735689600000\nfresh 1\nahead 1 4102444800000\n")
    told = text_of(site)
    assert {one.metric: one.at for one in told.samples} == {
        "feed_age": datetime(2025, 1, 1, tzinfo=UTC), "fresh": START,
    }  # fmt: skip
    assert told.problem == "rt: 1 of its samples are of more than ten minutes from now"


def test_what_bears_its_time_is_read_once(site: Site) -> None:
    """18: it is one sample, however often it is exposed; a later one is another."""
    source = Source(
        PrometheusText(name="rt", kind="prometheus_text", url=f"{site.url}/m"),
        Path(),
        FrozenClock(),
        {},
    )
    told = []
    for at in (1735689600000, 1735689600000, 1735689615000):
        site.says(200, f'age{{v="okx"}} 1 {at}\nfresh 1\n'.encode())
        told.append([one.metric for one in source.read().samples])
    assert told == [["age", "fresh"], ["fresh"], ["age", "fresh"]]


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (500, b"", "answered 500"),
        (404, b"<html>not here</html>", "answered 404"),
        (302, b"", "answered 302"),
        (200, b"<html>a login page</html>", "line 1 is not in Prometheus' text format; expected: name{"),
        (200, b"\xff\xfe\x00 1\n", "line 1 is not"),
        (200, b"# TYPE ece gauge\nece 1\nece one\n", "line 3 is not"),
        (200, b'\nece{slice="tokyo 1\n', "line 2 is not"),
        (200, b"ece 1\n# TYPE ece", "line 2 is not"),
        (200, b"x" * 100_000, "line 1 is not"),
        (200, b"\n".join(b'n{i="%d"} 1' % i for i in range(20_001)), "name the metrics"),
        (200, b"# " + b"x" * DOCUMENT_BYTES_MAX, "more than 16 MiB"),
    ],
)  # fmt: skip
def test_an_endpoint_that_is_none(site: Site, status: int, body: bytes, says: str) -> None:
    """I6, I8: no sample, and a short sentence that names host and port, but no more of the URL."""
    site.says(status, body)
    told = text_of(site, timeout=parse_duration("20s"))
    assert told.samples == ()
    assert told.problem is not None
    assert told.problem.startswith("rt: ")
    assert says in told.problem
    assert len(told.problem) < 400
    assert TOKEN not in told.problem


def hangs(handler: Handler) -> None:
    time.sleep(1.5)


def dribbles_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(40):
        handler.wfile.write(b"x")
        time.sleep(0.1)


def dribbles_a_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b"ece 0.1\n")
        time.sleep(0.1)


@pytest.mark.parametrize("manner", [hangs, dribbles_headers, dribbles_a_body])
def test_one_that_takes_its_time_is_given_up_as_a_whole(
    site: Site, manner: Callable[[Handler], None]
) -> None:
    """A byte now and then must not keep the watch from looking: the time-out is for all of it."""
    site.manner = manner
    told = text_of(site, timeout=parse_duration("1s"))
    assert told == SourceReading((), f"rt: {site.url} gave no answer within 1 s.")


def test_nobody_is_there(site: Site) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    told = api_of(url, {"up": "up"})
    assert told.problem == f"prom: {url} could not be reached (ConnectError)."


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"status": "success"}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}}]}}',
        b'{"status": "success", "data": {"resultType": "scalar", "result": [1e300, "1"]}}',
        b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "many"]}}',
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_server_that_is_no_prometheus(site: Site, body: bytes) -> None:
    """I8: whatever it says, the watch goes on, without a sample."""
    site.says(200, body)
    told = api_of(site.url, {"up": "up"})
    assert told.samples == ()
    assert (told.problem or "").startswith("prom: it can't be understood")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Site]]:
    """A real Prometheus server that scrapes a site each second."""
    program = shutil.which("prometheus")
    assert program
    folder = tmp_path_factory.mktemp("prometheus")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with open_site() as site:
        site.says(200, METRICS.replace(b"\\u00e9", "é".encode()))
        config = folder / "prometheus.yml"
        target = site.url.removeprefix("http://")
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: bot, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        process = subprocess.Popen(
            [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address={address}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            url = f"http://{address}"
            deadline = time.monotonic() + READY_SECONDS
            while not api_of(url, {"orders": "orders_total"}).samples:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            yield url, site
        finally:
            process.kill()
            process.wait()


@pytest.mark.needs("prometheus")
def test_a_real_prometheus_server(prometheus: tuple[str, Site]) -> None:
    """What our evaluator does not know, a server evaluates; its own times count."""
    url, site = prometheus
    told = api_of(
        url,
        {
            "orders": "orders_total",
            "p90": "histogram_quantile(0.4, sum by (le) (latency_ms_bucket))",
            "answer": "scalar(orders_total) + 1",
            "gone": "nothing_of_that_name",
            "ece": "ece",
            "spread": "spread",
        },
    )
    assert told.problem is None
    found = {one.metric: (dict(one.labels), one.value) for one in told.samples}
    labels, value = found["orders"]
    assert (labels["side"], labels["instance"], value) == ("buy", site.url[7:], "41")
    assert found["answer"] == ({}, "42")
    assert 0 < float(found["p90"][1]) <= 10
    assert found["spread"][1] == "+Inf"
    assert found.keys() == {"orders", "p90", "answer", "spread"}
    assert all(abs(one.at.timestamp() - time.time()) < 60 for one in told.samples)


@pytest.mark.needs("prometheus")
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("sum(", "answered 400: invalid parameter"),
        ("orders_total[5m]", "gives a matrix, and one value each is wanted"),
        ('"text"', "gives a string, and one value each is wanted"),
    ],
)
def test_a_query_that_is_none(prometheus: tuple[str, Site], query: str, says: str) -> None:
    """The server's own words say what is wrong with it."""
    told = api_of(prometheus[0], {"up": query})
    assert told.samples == ()
    assert says in (told.problem or "")


def test_a_connection_that_is_cut_is_no_answer(site: Site) -> None:
    def cut(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"ece 0.1\n")

    site.manner = cut
    with pytest.raises(Unreachable, match="did not answer"):
        web.request(site.url, timeout_seconds=1)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_reading_leaves_nothing_behind(site: Site, scheme: str) -> None:
    """A watch reads each quarter of a minute for months: the TLS context of each reading took 0.7 MB."""

    def contexts() -> int:
        return sum(isinstance(each, ssl.SSLContext) for each in gc.get_objects())

    url = f"{scheme}://{site.url.partition('://')[2]}"
    gc.collect()
    before = contexts()
    gc.disable()  # what lies in a cycle until somebody looks for it counts too
    try:
        for _ in range(10):
            with suppress(Unreachable):
                web.request(url, timeout_seconds=1)
        assert contexts() <= before + 1
    finally:
        gc.enable()
