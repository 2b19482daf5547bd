"""A small trading bot, as a process of its own: ``python -m tests.support.bot FOLDER PORT``.

It has what the bots of the go-live guides have: an HTTP admin interface (GET /status, POST /mode), a control
file, metrics (GET /metrics, and a JSON file), and a daily audit file of its orders. While it is paused it
rejects every order, and writes each rejection down. A test orders and misleads it through a second port,
the back door, which answers whatever the first one does.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from ledger.clock import clock_of
from tests.support import commands

ROOT = Path(__file__).parents[2]
CONTROL_FILE = "data/control/mode.json"
STATS = "data/stats.json"
MITIGATIONS = "data/mitigations.json"
READY_SECONDS = 30.0
DIES_WITH = 70
HANGS_SECONDS = 60

Json = dict[str, Any]


class Trader:
    """What the bot knows and does. Its manners say in what way it misbehaves:

    - ``hangs``: HTTP takes requests and never answers;
    - ``refuses``: HTTP answers 503;
    - ``ignores``: POST /mode is answered by 200, and nothing changes; nor by the control file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = clock_of(os.environ)
        self.manner = ""
        self.mode = os.environ.get("EXEC_MODE", "mock")
        self.gauges: dict[str, float] = {"process_start_time_seconds": self.clock.now().timestamp()}
        self.counts = dict.fromkeys(
            ("order_intents_total", "orders_filled_total", "orders_rejected_total", "risk_blocks_total"),
            0,
        )  # fmt: skip
        self._seen: str | None = None
        self._lock = threading.Lock()
        self.look()

    def look(self) -> None:
        """Take the mode from the control file if somebody wrote it since the last look."""
        if self.manner == "ignores":
            return
        with suppress(OSError, ValueError):
            text = (self.folder / CONTROL_FILE).read_text(encoding="utf-8")
            if text != self._seen:
                self._seen = text
                self.mode = str(json.loads(text)["mode"])

    def status(self) -> Json:
        """Return what GET /status tells."""
        self.look()
        mitigations: list[Json] = []
        with suppress(OSError, ValueError):
            text = (self.folder / MITIGATIONS).read_text(encoding="utf-8")
            mitigations = json.loads(text)["mitigations"]
        return {"mode": self.mode, "pid": os.getpid(), "run_tag": os.environ.get("RUN_TAG", ""),
                "config_fingerprint": os.environ.get("CONFIG_FINGERPRINT", ""),
                "mitigations": mitigations}  # fmt: skip

    def order(self, size: float, blocked: bool) -> str:
        """Try one order; return what became of it."""
        with self._lock:
            self.look()
            self.counts["order_intents_total"] += 1
            number = self.counts["order_intents_total"]
            self._audit("order_intent", id=number, symbol="BTCUSDT", size=size, mode=self.mode)
            if blocked:
                self.counts["risk_blocks_total"] += 1
                self._audit("risk_block", id=number, rule="SINGLE_TRADE_MAX_LOSS_PCT")
                return "blocked"
            if self.mode == "paused":
                self.counts["orders_rejected_total"] += 1
                self._audit("order_result", id=number, status="rejected", reason="paused")
                return "rejected"
            self.counts["orders_filled_total"] += 1
            status = "filled" if self.mode == "real" else "simulated"
            self._audit("order_result", id=number, status=status)
            return status

    def _audit(self, kind: str, **said: Any) -> None:
        now = self.clock.now()
        path = self.folder / "data/audit" / f"{now:%Y-%m-%d}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"timestamp": now.isoformat(), "type": kind, **said}) + "\n")

    def told(self, asked: Json) -> Json:
        """Do what a test asks for through the back door."""
        if "metrics" in asked:
            self.gauges = {
                k: v for k, v in (self.gauges | asked["metrics"]).items() if v is not None
            }
            self.write_stats()
        self.manner = asked.get("manner", self.manner)
        for path, text in asked.get("edit", {}).items():
            (self.folder / path).write_text(text, encoding="utf-8")
        if asked.get("crash"):
            os._exit(DIES_WITH)
        blocked = bool(asked.get("blocked"))
        done = [self.order(asked.get("size", 1.0), blocked) for _ in range(asked.get("orders", 0))]
        self.look()
        return {"mode": self.mode, "orders": done, "metrics": self.gauges | self.counts}

    def write_stats(self) -> None:
        """Write the metrics as a JSON file, whole or not at all."""
        path = self.folder / STATS
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(".next")
        staged.write_text(json.dumps(self.gauges | self.counts), encoding="utf-8")
        staged.rename(path)

    def exposition(self) -> str:
        """Return what GET /metrics tells, in Prometheus' text format."""
        values: dict[str, float] = {**self.gauges, **self.counts}
        return "".join(f"{name} {value}\n" for name, value in values.items())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    trader: Trader


class _Handler(BaseHTTPRequestHandler):
    @property
    def trader(self) -> Trader:
        return cast("_Server", self.server).trader

    def answer(self, status: int, body: Json | str) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def asked(self) -> Json:
        return cast("Json", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's
        """Stay silent."""


class _Admin(_Handler):
    def do_GET(self) -> None:
        if self._misbehaves():
            return
        if self.path == "/metrics":
            self.answer(200, self.trader.exposition())
        elif self.path in {"/status", "/time"}:
            self.answer(200, self.trader.status())
        else:
            self.answer(404, "")

    def do_POST(self) -> None:
        asked = self.asked()
        if self._misbehaves():
            return
        if self.trader.manner != "ignores":
            self.trader.look()
            self.trader.mode = asked["mode"]
        self.answer(200, {"ok": True})

    def _misbehaves(self) -> bool:
        if self.trader.manner == "hangs":
            time.sleep(HANGS_SECONDS)
        elif self.trader.manner == "refuses":
            self.answer(503, "")
        return self.trader.manner in {"hangs", "refuses"}


class _BackDoor(_Handler):
    def do_POST(self) -> None:
        self.answer(200, self.trader.told(self.asked()))


def serve(folder: Path, port: int) -> None:
    """Be the bot. The back door is the port above."""
    trader = Trader(folder)
    trader.write_stats()
    for number, handler in ((port, _Admin), (port + 1, _BackDoor)):
        server = _Server(("127.0.0.1", number), handler)
        server.trader = trader
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    print(f"bot {trader.mode}", flush=True)
    threading.Event().wait()


@dataclass(frozen=True)
class Bot:
    """The bot, as a test sees it."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """The root of its admin interface."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def command(self) -> tuple[str, ...]:
        """What starts it; for `rollout run`, too."""
        return sys.executable, "-m", "tests.support.bot", str(self.folder), str(self.port)

    def tell(self, **asked: Any) -> Json:
        """Ask the back door: metrics={…}, manner="hangs", orders=3, blocked=True, edit={…}, crash=True."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port + 1}/", data=json.dumps(asked).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return cast("Json", json.loads(answer.read()))

    def measures(self, **metrics: float | None) -> None:
        """Have it tell these values from now on; None: no longer any."""
        self.tell(metrics=metrics)

    def crash(self) -> None:
        """Have it die at once, without a word."""
        with suppress(OSError):
            self.tell(crash=True)

    def audit(self) -> list[Json]:
        """Return what its audit files hold, oldest first."""
        files = sorted((self.folder / "data/audit").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def wait_until_up(self) -> None:
        """Wait until both ports answer."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                self.tell()
            except OSError:
                assert time.monotonic() < deadline, "the bot does not come up"
                time.sleep(0.02)
            else:
                return


@contextmanager
def started(
    command: Sequence[str], folder: Path, *, out: Path | None, **env: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a program in a folder (the bot, or `rollout` with the words after it); end it in the end.

    What it says is added to the file ``out``.
    """
    with (out or Path(os.devnull)).open("a", encoding="utf-8") as file:
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | env
        if command[0] == "rollout":
            process = commands.start(command[1:], env=environment, cwd=folder, stdout=file)
        else:
            process = subprocess.Popen(
                list(command), cwd=folder, env=environment, text=True,
                stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()  # a supervisor passes it on; kill -9 would leave the bot alone
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()


def two_free_ports() -> int:
    """Return a port that is free, as the one above it is."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            with suppress(OSError, OverflowError):
                two.bind(("127.0.0.1", port + 1))
                return port


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
