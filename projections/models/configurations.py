"""Every configuration of every system: when it came, what it is called, whether it can be gone back to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ledger.domain.log.envelope import Recorded
from projections.core.base import Db, Projection, Step, system_of
from projections.core.rows import Kept, Row


class Configurations(Projection):
    """One row a fingerprint of a system."""

    name = "configurations"
    version = 1
    tables = ("configuration",)
    definition = """
        CREATE TABLE configuration (
            system                text         NOT NULL,
            fingerprint           text         NOT NULL,
            seen_position         bigint       NOT NULL,
            snapshot              text,
            snapshots             integer      NOT NULL,
            files                 text         NOT NULL,
            source                text,
            registered_at         timestamptz,
            registered_by         text,
            reason                text,
            tags                  text[]       NOT NULL,
            applied_count         integer      NOT NULL,
            applied_at            timestamptz,
            applied_by            text,
            applied_cause         text,
            applied_position      bigint,
            stable_at             timestamptz,
            stable_by             text,
            stable_position       bigint,
            quarantined_at        timestamptz,
            quarantined_by        text,
            quarantined_position  bigint,
            CONSTRAINT configuration_pk PRIMARY KEY (system, fingerprint)
        );
        COMMENT ON TABLE configuration IS 'Fingerprints of each system. applied_*: the last time it '
            'was put in force; files: of the last snapshot, as JSON.';
    """
    types: ClassVar[frozenset[str] | None] = frozenset(
        {
            "ConfigRegistered",
            "ConfigApplied",
            "FingerprintTagged",
            "FingerprintMarkedStable",
            "FingerprintQuarantined",
        }
    )

    def __init__(self) -> None:
        self._rows = Kept(self.definition, ("system", "fingerprint"), json=("files",))
        self.written = (self._rows,)

    def prepare(self, db: Db, events: Sequence[Recorded]) -> None:
        """Fetch the rows of the fingerprints that ``events`` speak of."""
        keys = {(system_of(e), e.data["fingerprint"]) for e in events}
        self._rows.fetch_keys(db, keys)

    def apply(self, step: Step) -> None:
        """Change the fingerprint's row, or make it."""
        event, data = step.event, step.data
        row = self._rows.get(step.system, data["fingerprint"]) or self._new(step)
        by = step.body["actor"]["name"]
        if event.type == "ConfigRegistered":
            if row["registered_at"] is None:
                row |= {
                    "registered_at": event.occurred_at,
                    "registered_by": by,
                    "reason": step.body.get("reason"),
                    "source": data.get("source") or None,
                }
            row |= {
                "snapshot": data["snapshot"],
                "files": data["files"],
                "snapshots": row["snapshots"] + 1,
            }
        elif event.type == "ConfigApplied":
            row["applied_count"] += 1
            if row["applied_at"] is None or event.occurred_at >= row["applied_at"]:
                row |= {
                    "applied_at": event.occurred_at,
                    "applied_by": by,
                    "applied_cause": data["cause"],
                    "applied_position": event.position,
                }
        elif event.type == "FingerprintTagged":
            row["tags"] = [*row["tags"], data["tag"]]
        elif event.type == "FingerprintMarkedStable":
            row |= _mark("stable", step)
            row |= dict.fromkeys(_mark("quarantined", step))
        else:
            row |= _mark("quarantined", step)
        self._rows.put(row)

    def _new(self, step: Step) -> Row:
        return self._rows.new(
            system=step.system,
            fingerprint=step.data["fingerprint"],
            seen_position=step.event.position,
            snapshots=0,
            files=[],
            tags=[],
            applied_count=0,
        )


def _mark(name: str, step: Step) -> Row:
    return {
        f"{name}_at": step.event.occurred_at,
        f"{name}_by": step.body["actor"]["name"],
        f"{name}_position": step.event.position,
    }
