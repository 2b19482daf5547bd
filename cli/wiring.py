"""The composition root: builds what commands need, when they need it. Importing it opens nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from cli.settings import Settings, resolve_actor
from ledger.clock import SystemClock
from ledger.domain.ids import Channel
from ledger.service.recorder import Origin, Recorder
from ledger.store.postgres import PostgresStore


class Runtime:
    """One command's view of the ledger. Everything is made on first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()

    @staticmethod
    def from_options(
        *, home: Path | None, dsn: str | None, actor: str | None, dsn_is_argument: bool
    ) -> Runtime:
        """Build the runtime from the command line's global options."""
        from ledger.store.dsn import reject_password_on_command_line
        from ledger.store.embedded import default_home

        if dsn and dsn_is_argument:
            reject_password_on_command_line(dsn)
        return Runtime(
            Settings(
                home=(home or default_home()).absolute(), dsn=dsn or None, actor=resolve_actor(actor)
            )
        )

    @cached_property
    def dsn(self) -> str:
        """The conninfo of the ledger's database; starts the embedded one and makes its schema if need be."""
        if self.settings.dsn is not None:
            return self.settings.dsn
        from ledger.store.embedded import EmbeddedPostgres

        return EmbeddedPostgres(self.settings.home).ensure_running()

    @cached_property
    def store(self) -> PostgresStore:
        """The event store, at the right schema.

        Raises:
            LedgerUnreachable, SchemaMissing, SchemaNewer: it can't be used, and what to do.
        """
        from ledger.store import migrate

        store = PostgresStore(self.dsn)
        if self.settings.dsn is None:
            self._ensure_embedded_schema(store)
        else:
            migrate.check(store.schema_revision())
        return store

    def _ensure_embedded_schema(self, store: PostgresStore) -> None:
        """The embedded ledger is the user's own: it is made, and migrated, without being asked."""
        from ledger.domain.errors import SchemaMissing
        from ledger.store import migrate

        try:
            migrate.check(store.schema_revision())
        except SchemaMissing:
            from ledger.service.setup import create_ledger

            migrate.upgrade(self.dsn)
            create_ledger(self.recorder_for(store), self.origin())

    def recorder_for(self, store: PostgresStore) -> Recorder:
        """Return a recorder over ``store``."""
        from ledger.configuration.secrets import redact_text

        return Recorder(store=store, clock=self.clock, redact=redact_text, cache=self._cached_state)

    @cached_property
    def recorder(self) -> Recorder:
        """The recorder over the ledger's store."""
        return self.recorder_for(self.store)

    def _cached_state(self, system: str) -> Any:
        from projections.system_state import cached_state

        return cached_state(self.store.connection, system)

    def origin(self, reason: str | None = None) -> Origin:
        """Return who acts here and why."""
        return Origin(actor=self.settings.actor, channel=Channel.CLI, reason=reason)

    def with_settings(self, **changes: Any) -> Runtime:
        """Return a runtime that differs in ``changes`` of its settings."""
        return Runtime(replace(self.settings, **changes))

    def close(self) -> None:
        """Close what was opened."""
        if "store" in self.__dict__:
            self.store.close()


pass_runtime = click.make_pass_decorator(Runtime)
