"""Fill a ledger with a log like a real one, for measuring: the same log for the same arguments.

Of all events 60 % are recorded metrics, 20 % order activity and 20 % what people and rules did: mode
switches, configurations of forty keys of which some five change at a time, alerts with their
incidents, tags, rollbacks. They are spread evenly over the systems, and over thirty days.

    python -m bench.generate "host=… dbname=…" 1000000
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

from ledger.domain.log import canonical
from ledger.domain.log.envelope import NewEvent
from ledger.domain.log.ids import control_stream, metrics_stream, orders_stream
from ledger.store.postgres import PostgresStore

BATCH: Final = 1000
START: Final = datetime(2025, 10, 22, 4, 27, tzinfo=UTC)
SPAN: Final = timedelta(days=30)
PEOPLE: Final = (
    {"id": "li.wei@desk-1", "name": "li.wei", "kind": "human"},
    {"id": "ana@desk-2", "name": "ana", "kind": "human"},
    {"id": "platt_ece", "name": "platt_ece", "kind": "rule"},
)
KEYS: Final = tuple(
    f"{part}.{key}"
    for part in ("risk", "grid", "execution", "signal")
    for key in (
        "max",
        "min",
        "step",
        "levels",
        "ttl_ms",
        "edge_bps",
        "size_usd",
        "enabled",
        "mode",
        "cap",
    )
)
FILES: Final = [{"name": "config.yaml", "path": "/srv/bot/config.yaml"}]
METRICS: Final = ("latency_p95_ms", "platt_ece", "fill_rate", "pnl_usd")

Planned = tuple[str, Mapping[str, Any], str | None]
"""type, data, operation"""


def _digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


@dataclass
class _System:
    """One system's life, told in small stories of a few events each."""

    name: str
    random: random.Random
    mode: str = "mock"
    values: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KEYS, 1))
    fingerprint: str | None = None
    versions: int = 0
    stories: int = 0
    queue: list[Planned] = field(default_factory=list)

    def next(self) -> Planned:
        if not self.queue:
            self.stories += 1
            self.queue = list(self._story())
        return self.queue.pop(0)

    def _story(self) -> Iterator[Planned]:
        if self.stories == 1:
            yield (
                "SystemRegistered",
                {"environment": "production", "description": "", "actuators": {}},
                None,
            )
            yield from self._new_configuration()
            return
        choice = self.random.random()
        if choice < 0.35:
            yield from self._switch()
        elif choice < 0.60:
            yield from self._new_configuration()
        elif choice < 0.95:
            yield from self._alert(critical=False)
        else:
            yield from self._alert(critical=True)

    def _operation(self) -> str:
        return str(UUID(int=self.random.getrandbits(128)))

    def _switch(self) -> Iterator[Planned]:
        operation, before = self._operation(), self.mode
        after = {"mock": "real", "real": "paused", "paused": "mock"}[before]
        modes = {"from_mode": before, "to_mode": after} | (
            {"to_kind": "halt"} if after == "paused" else {}
        )
        yield "ModeSwitchRequested", {**modes, "actuators": ["control_file"]}, operation
        self.mode = after
        yield "ModeSwitched", {**modes, "carried_by": "control_file", "took_ms": 12}, operation

    def _change(self) -> tuple[str, dict[str, Any]]:
        changes = []
        first = self.fingerprint is None
        for key in KEYS if first else self.random.sample(KEYS, self.random.randint(3, 7)):
            old = self.values[key]
            self.values[key] = old if first else old + self.random.randint(1, 9)
            changes.append(
                {"key": key, "new": str(self.values[key])} | ({} if first else {"old": str(old)})
            )
        fingerprint = f"sha256:{_digest(self.name, sorted(self.values.items()))}"
        applied = {"fingerprint": fingerprint, "snapshot": _digest(fingerprint), "cause": "apply"}
        applied |= {"previous": self.fingerprint} if self.fingerprint else {}
        self.fingerprint = fingerprint
        return fingerprint, {**applied, "changes": sorted(changes, key=lambda c: c["key"])}

    def _new_configuration(self) -> Iterator[Planned]:
        operation, (fingerprint, applied) = self._operation(), self._change()
        self.versions += 1
        file = {"name": "config.yaml", "sha256": _digest("file", fingerprint), "size": 2048}
        yield "ConfigRegistered", {
            "fingerprint": fingerprint, "snapshot": applied["snapshot"], "files": [file], "source": "",
        }, None  # fmt: skip
        intent = {
            key: applied[key] for key in ("fingerprint", "snapshot", "previous") if key in applied
        }
        yield "ConfigApplyRequested", {**intent, "files": FILES}, operation
        yield "ConfigApplied", applied, operation
        if self.versions % 3 == 1:
            yield (
                "FingerprintTagged",
                {"fingerprint": fingerprint, "tag": f"v{self.versions}"},
                None,
            )
            yield "FingerprintMarkedStable", {"fingerprint": fingerprint}, None

    def _alert(self, *, critical: bool) -> Iterator[Planned]:
        alert = "latency_high" if critical else f"alert_{self.stories % 7}"
        yield "AlertFired", {
            "alert": alert, "severity": "critical" if critical else "warning",
            "message": f"latency_p95_ms is {self.random.randint(80, 900)}, above 50",
        }, None  # fmt: skip
        if critical:
            yield from self._incident(alert)
        else:
            yield "AlertAcknowledged", {"alert": alert}, None
        yield "AlertResolved", {"alert": alert, "how": "condition_cleared"}, None

    def _incident(self, alert: str) -> Iterator[Planned]:
        incident, operation, bad = f"inc-{self.stories}", self._operation(), self.fingerprint
        opened = {
            "incident": incident,
            "title": "Latency too high",
            "severity": "critical",
            "alert": alert,
        }
        yield "IncidentOpened", opened, None
        fingerprint, applied = self._change()
        intent = {
            "from_fingerprint": bad, "to_fingerprint": fingerprint, "snapshot": applied["snapshot"],
            "selector": "--last-stable", "files": FILES,
        }  # fmt: skip
        yield "RollbackRequested", intent, operation
        step = {
            "step": 1,
            "name": "config.yaml",
            "path": "/srv/bot/config.yaml",
            "outcome": "written",
        }
        yield "RollbackStepCompleted", step, operation
        yield "ConfigApplied", {**applied, "cause": "rollback"}, operation
        yield (
            "RollbackCompleted",
            {"from_fingerprint": bad, "to_fingerprint": fingerprint},
            operation,
        )
        yield "IncidentMitigated", {"incident": incident, "action": "rolled back"}, operation
        yield "IncidentResolved", {"incident": incident}, None
        yield "IncidentClosed", {"incident": incident}, None


def events(count: int, *, systems: int = 100, seed: int = 1) -> Iterator[NewEvent]:
    """Yield ``count`` events, the same ones for the same arguments."""
    chance = random.Random(seed)
    lives = [
        _System(f"bot-{number:03}", random.Random(seed * 1000 + number))
        for number in range(systems)
    ]
    for number in range(count):
        system = lives[number % systems] if number < systems else chance.choice(lives)
        draw = 1.0 if number < systems else chance.random()
        if draw < 0.6:
            stream, planned = metrics_stream(system.name), _metrics(chance)
        elif draw < 0.8:
            stream, planned = orders_stream(system.name), _order(chance, number)
        else:
            stream, planned = control_stream(system.name), system.next()
        type_, data, operation = planned
        body = {
            "actor": chance.choice(PEOPLE),
            "channel": "cli",
            "data": data,
            "system": system.name,
        }
        body |= {"operation": operation} if operation else {}
        body |= {"reason": "as planned in the morning"} if draw >= 0.8 else {}
        yield NewEvent(
            event_id=UUID(int=(number << 80) | (7 << 76) | (2 << 62) | chance.getrandbits(60)),
            stream=stream,
            type=type_,
            schema_version=1,
            occurred_at=START + SPAN * (number / count),
            body=canonical.encode(body),
        )


def _metrics(chance: random.Random) -> Planned:
    samples = [{"metric": name, "value": f"{chance.randint(1, 9999) / 100}"} for name in METRICS]
    return "MetricsRecorded", {"samples": samples}, None


def _order(chance: random.Random, number: int) -> Planned:
    fields = {
        "order_id": f'"o-{number}"', "price": f"{chance.randint(1, 99)}", "side": '"buy"',
        "latency_ms": f"{chance.randint(1, 90)}",
    }  # fmt: skip
    return "OrderActivityRecorded", {"kind": "order_result", "fields": fields}, None


def fill(dsn: str, count: int, *, systems: int = 100, seed: int = 1) -> None:
    """Append ``count`` events to the empty ledger at ``dsn``, a thousand at a time."""
    store = PostgresStore(dsn)
    try:
        source = events(count, systems=systems, seed=seed)
        while batch := list(islice(source, BATCH)):
            store.append(batch)
    finally:
        store.close()


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]))
