"""The composition root: builds what a front end needs, when it needs it. Importing it opens nothing."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import nullcontext, suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from psycopg import Connection

from ledger import files
from ledger.clock import clock_of, clock_that_tells
from ledger.domain.errors import FileProblem, LedgerUnreachable, RightMissing, SchemaMissing
from ledger.service.core.creation import create_ledger
from ledger.service.core.local_cache import LocalMemory, memory_at, memory_of
from ledger.service.core.recorder import Origin, Recorder
from ledger.service.core.session import Finished, Ledger
from ledger.service.offline import drain, unusable
from ledger.store import migrate
from ledger.store.connect import AUDITOR, WRITER
from ledger.store.dsn import place_of
from ledger.store.guards import open_read_models, require_plain_read_models
from ledger.store.postgres import ANSWER_SECONDS, PostgresStore
from runtime.front import Front, Progress
from runtime.settings import Settings

if TYPE_CHECKING:
    from ledger.configuration.keys import SecretKey
    from projections.engine.runner import Projector

TIMEOUT_SECONDS: Final = 10
PAUSE_TIMEOUT_SECONDS: Final = 2
WATCH_TIMEOUT_SECONDS: Final = 4
# Up to eleven words that are short, or of small letters only: no secret looks like that (a mnemonic has
# twelve), and a pause need not load what would find one.
HARMLESS: Final = re.compile(
    r"(?:(?:[\w./,;!?()-]{1,15}|[a-z./_-]{1,200}) ){0,10}(?:[\w./,;!?()-]{0,15}|[a-z./_-]{1,200})"
)
INCIDENTS_BYTES_MAX: Final = 256 * 1024 * 1024


class Runtime:
    """One front end's view of the ledger. Everything is made on first use."""

    def __init__(self, settings: Settings, front: Front) -> None:
        self.settings = settings
        self.front = front
        self.clock = clock_of(os.environ)
        self._timeout_seconds = TIMEOUT_SECONDS
        self._answer_seconds = ANSWER_SECONDS
        self.makes_ledger = False
        """The command may make the embedded ledger where there is none: it is where one begins."""

    def say(self, message: str) -> None:
        """Tell whoever looks something that is no result."""
        self.front.say(message)

    def progress(self, what: str) -> Progress:
        """Return what is told how far ``what`` is."""
        return self.front.progress(what, self.clock)

    @cached_property
    def dsn(self) -> str:
        """The conninfo of the ledger's database; starts the embedded one if need be.

        Raises:
            LedgerUnreachable: it can't be started; or there is none, and the command makes none.
        """
        if self.settings.dsn is not None:
            return self.settings.dsn
        from ledger.store.embedded import EmbeddedPostgres

        server = EmbeddedPostgres(self.settings.home)
        if not server.files.data.exists():
            self._require_making()
        return server.ensure_running(timeout_seconds=self._timeout_seconds * 3)

    def _require_making(self) -> None:
        """Raise unless a new embedded ledger is wanted: an empty one says that nothing ever happened."""
        if not self.makes_ledger:
            raise LedgerUnreachable(
                f"There is no ledger in {self.settings.home}.",
                hint="Is it elsewhere? Set ROLLOUT_HOME, or ROLLOUT_DSN. To begin one here: rollout init",
            )

    @cached_property
    def store(self) -> PostgresStore:
        """The event store, at the right schema.

        Raises:
            LedgerUnreachable, SchemaMissing, SchemaNewer: it can't be used, and what to do.
        """
        store = self._opened()
        if self.settings.dsn is None:
            self._ensure_embedded_schema(store)
            return store
        try:
            revision = store.schema_revision()
        except RightMissing:
            if self._hurried:
                raise  # a pause that can't be recorded in the ledger is recorded here
            store = self._opened(AUDITOR)
            revision = store.schema_revision()
        migrate.check(revision)
        return store

    def _opened(self, role: str = WRITER) -> PostgresStore:
        return PostgresStore(
            self.dsn,
            role=role,
            timeout_seconds=self._timeout_seconds,
            answer_seconds=self._answer_seconds,
        )

    @property
    def _hurried(self) -> bool:
        return self._timeout_seconds <= PAUSE_TIMEOUT_SECONDS

    def _ensure_embedded_schema(self, store: PostgresStore) -> None:
        """The embedded ledger is the user's own: migrated, and where one begins made, without ado."""
        try:
            migrate.check(store.schema_revision())
        except SchemaMissing:
            if store.schema_revision() is None:
                self._require_making()
                self.say(f"a new ledger is made in {self.settings.home}")
            migrate.upgrade(self.dsn)
            create_ledger(self.recorder_for(store), self.origin())

    def recorder_for(self, store: PostgresStore, memory: LocalMemory | None = None) -> Recorder:
        """Return a recorder over ``store``; without ``memory`` it folds every state anew."""
        return Recorder(
            store=store,
            clock=self.clock,
            redact=self._redact,
            memory=memory,
            tell_folding=self._tell_folding,
        )

    def _tell_folding(self, system: str, count: int) -> None:
        self.say(f"{count:,} events of {system} are read: this machine remembers none of them")

    def keys(self) -> SecretKey:
        """Return the key that secrets are digested under: read, or made, when the first one is met."""
        return self._key

    @cached_property
    def _key(self) -> SecretKey:
        from ledger.configuration.keys import load_key
        from ledger.service.configurations.registration import adopted_key, require_key

        # A key is made for a ledger that has none yet: under another, every secret would look changed.
        store = self.__dict__.get("store")
        adopted = adopted_key(store)[0] if store is not None else None
        if adopted is not None and not self._has_key:
            require_key(adopted, None, self.settings.home)
        key = load_key(self.settings.home, create=store is not None)
        if adopted is not None:
            require_key(adopted, key.key_id, self.settings.home)
        return key

    @property
    def _has_key(self) -> bool:
        from ledger.configuration.keys import KEY_FILE, KEY_VARIABLE

        return bool(os.environ.get(KEY_VARIABLE)) or (self.settings.home / KEY_FILE).exists()

    def _redact(self, text: str, *, prose: bool = False) -> str:
        if HARMLESS.fullmatch(text):
            return text
        from ledger.configuration.secrets import redact_text

        return redact_text(text, self.keys, prose=prose)

    @cached_property
    def recorder(self) -> Recorder:
        """The recorder over the ledger's store."""
        return self.recorder_for(self.store, self._memory)

    @cached_property
    def _memory(self) -> LocalMemory:
        first = self.store.get(1)
        name = str(first.event_id) if first is not None else None
        return memory_of(self.settings.home, name, self._place)

    @property
    def ledger_without_draining(self) -> Ledger:
        """What use cases work with, for commands that look after the spool themselves."""
        return self._ledger_over(self.recorder, self._memory)

    @cached_property
    def ledger(self) -> Ledger:
        """What use cases work with. Whatever this machine did without the ledger is appended first."""
        ledger = self.ledger_without_draining
        if (self.settings.home / "spool").exists():
            try:
                count = drain(ledger).total()
            except RightMissing as problem:  # who may only read still may
                self.say(
                    f"warning: what this machine did without the ledger waits: {problem.message}"
                )
                return ledger
            if count:
                self.say(f"{count} events from the time without the ledger were appended")
        return ledger

    @cached_property
    def ledger_to_come(self) -> Ledger:
        """The ledger before it is known to answer: for who goes on without it until it does.

        Raises:
            LedgerUnreachable: the embedded server can't be started.
        """
        store = self._opened()
        memory = memory_at(self.settings.home, self._place)
        return self._ledger_over(self.recorder_for(store, memory), memory)

    def wait_briefly(self) -> None:
        """Give up on a server that hangs after seconds: for a watch, which has to act all the same."""
        self._timeout_seconds = self._answer_seconds = WATCH_TIMEOUT_SECONDS

    @property
    def ledger_for_pause(self) -> Ledger:
        """The ledger as `ledger` has it, given up on after two seconds: a pause must not wait for it.

        Raises:
            LedgerUnreachable: it is away, and the pause goes ahead without it.
        """
        self._timeout_seconds = PAUSE_TIMEOUT_SECONDS
        self.clock, wrong = clock_that_tells(self.clock)
        if wrong is not None:
            self._tell(f"the machine's own time is taken: {wrong}")
        try:
            return self.ledger
        except LedgerUnreachable:
            raise
        except Exception as problem:  # noqa: BLE001 - what waits in the spool can wait a little longer
            self._tell(unusable(problem).message)
            return self.ledger_without_draining

    def _tell(self, warning: str) -> None:
        """Warn whoever looks. Whether that can be heard stops no pause."""
        with suppress(OSError) if self._hurried else nullcontext():
            self.say(f"warning: {warning}")

    @cached_property
    def offline_ledger(self) -> Ledger:
        """The same without a database: for what still works while Postgres is away."""
        from ledger.store.memory import MemoryStore

        recorder = Recorder(store=MemoryStore(self.clock), clock=self.clock, redact=self._redact)
        return self._ledger_over(recorder, memory_at(self.settings.home, self._place))

    @property
    def _place(self) -> str:
        return place_of(self.settings.dsn, os.environ)

    def _ledger_over(self, recorder: Recorder, memory: LocalMemory) -> Ledger:
        return Ledger(
            recorder=recorder,
            home=self.settings.home,
            warn=self._tell,
            keys=self.keys,
            memory=memory,
            finish=_finish_dead_operations,
        )

    @cached_property
    def projector(self) -> Projector:
        """What keeps the read models up to the log."""
        from projections.engine.runner import Projector

        # A partial, since a rebuild sends it to a second process.
        return Projector(partial(open_read_models, self.store_dsn), self.clock, report=self.say)

    @property
    def store_dsn(self) -> str:
        """The conninfo of a database that holds the ledger at the right schema."""
        _ = self.store
        return self.dsn

    def catch_up(self) -> None:
        """Bring the read models and incidents.json up to the end of the log."""
        self.projector.catch_up()
        self._write_incidents()

    def _write_incidents(self) -> None:
        """Keep HOME/incidents.json at what the log says."""
        from projections.models import incidents

        path = self.settings.home / "incidents.json"
        wanted = incidents.export_sha256(self.projector.db)
        standing = files.read_bounded(path, bytes_max=INCIDENTS_BYTES_MAX)
        if wanted and (standing is None or hashlib.sha256(standing).hexdigest() != wanted):
            content = incidents.export(self.projector.db)
            try:
                files.write_atomically(path, content, create_folder=True)
            except FileProblem as problem:  # a copy for convenience: what the command did stands
                self.say(f"warning: {problem.message}")

    def systems(self) -> list[str]:
        """Return the names of all systems."""
        rows = self.readmodel.execute("SELECT system FROM readmodel.system_state ORDER BY system")
        return [str(row[0]) for row in rows]

    @property
    def readmodel(self) -> Connection[tuple[Any, ...]]:
        """The read models, caught up: what was appended before this call can be read.

        A login that may not write them reads them as they stand, and is told how far behind that is.
        Whoever reads a ledger that was restored in part is told, too.
        """
        end = self.store.restored_up_to()
        if end is not None:
            self.say(
                f"warning: a restore up to #{end} is under way or was interrupted: this is not all of the log"
            )
        try:
            self.catch_up()
        except RightMissing as problem:
            return self._readmodel_as_it_stands(problem)
        return self.projector.db

    def _readmodel_as_it_stands(self, problem: RightMissing) -> Connection[tuple[Any, ...]]:
        from projections.engine import checkpoint

        db = self.store.connection
        require_plain_read_models(db)
        stands = checkpoint.standing(db)
        if stands.problem is not None:
            raise RightMissing(
                f"The read models have to be built, because {stands.problem}. {problem.message}",
                hint="Somebody who may: rollout projections rebuild",
            ) from None
        behind = self.store.head().position - stands.position
        if behind:
            self.say(
                f"{behind} events behind: this login may read the read models, not catch them up"
            )
        return db

    def server_version(self) -> str:
        """Return the PostgreSQL server's version."""
        number = self.store.connection.info.server_version
        return f"PostgreSQL {number // 10000}.{number % 10000}"

    def secret_key_id(self) -> str | None:
        """Return the id of the key that secrets are digested under, if this machine has one."""
        return self.keys().key_id if self._has_key else None

    def origin(self, reason: str | None = None) -> Origin:
        """Return who acts here and why."""
        return Origin(actor=self.settings.actor, channel=self.front.channel, reason=reason)

    def close(self) -> None:
        """Close what was opened."""
        if "store" in self.__dict__:
            self.store.close()
        if "projector" in self.__dict__:
            self.projector.close()


def _finish_dead_operations(ledger: Ledger, system: str, origin: Origin) -> Finished:
    # A pause finishes nothing, and must not wait for what would.
    from ledger.service.recovery import finish_dead_operations

    return finish_dead_operations(ledger, system, origin)
