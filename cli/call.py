"""One call of a command: who asks what of which system, and the way that every decision takes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import click

from cli import options
from cli.output import Output
from ledger.domain.decision import Decision
from ledger.domain.errors import ReasonRequired, Refused
from ledger.domain.log.ids import Actor
from ledger.domain.state import SystemState
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from runtime.wiring import Runtime

if TYPE_CHECKING:
    from projections.core.base import Db

Form: TypeAlias = Callable[[Callable[..., Any]], click.Command]
Options: TypeAlias = tuple[Callable[[Any], Any], ...]

_pass_runtime = click.make_pass_decorator(Runtime)


@dataclass(frozen=True, slots=True)
class Call:
    """What a command is given: the ledger, the system that it is about, the reason, where results go."""

    runtime: Runtime
    output: Output
    system: str
    """Empty for a command that is about no single one."""
    reason: str | None

    @property
    def ledger(self) -> Ledger:
        """What use cases work with. Whatever this machine did without the ledger is appended first."""
        return self.runtime.ledger

    @property
    def origin(self) -> Origin:
        """Who acts here and why."""
        return self.runtime.origin(self.reason)

    @property
    def actor(self) -> Actor:
        """Who acts here."""
        return self.runtime.settings.actor

    @property
    def readmodel(self) -> Db:
        """The read models, caught up."""
        return self.runtime.readmodel

    def now(self) -> datetime:
        """Return the time."""
        return self.runtime.clock.now()

    def moment(self, text: str | None) -> datetime | None:
        """Return the time that ``text`` means, as people write it; None where none is given.

        Raises:
            BadInput: it means none.
        """
        from runtime.times import parse_time  # a pause names no time

        return parse_time(text, self.now()) if text else None

    def state(self) -> SystemState:
        """Return the system as it is.

        Raises:
            UnknownName: the ledger knows no such system.
        """
        return self.ledger.load(self.system)

    def decide(self, rule: Callable[[SystemState], Decision], said: str) -> None:
        """Decide by ``rule``, append what comes of it, and tell: ``said``, or why nothing is to be done."""
        self.finish(self.ledger.decide(self.system, rule, self.origin), said)

    def finish(self, decision: Decision, said: str) -> None:
        """Tell what was decided, or why nothing was, and bring the read models up to it."""
        if decision.skipped is not None:
            self.skip(decision.skipped)
        else:
            opened = [
                e.payload()["incident"] for e in decision.events if e.type == "IncidentOpened"
            ]
            record = {
                "system": self.system,
                "outcome": "recorded",
                "events": [event.type for event in decision.events],
                "incident": opened[0] if opened else None,
            }
            self.output.record(record, said + (f"; incident {opened[0]} is open" if opened else ""))
        self.runtime.catch_up()

    @staticmethod
    def exit(code: int) -> NoReturn:
        """End the command with an exit code."""
        click.get_current_context().exit(code)

    def skip(self, why: str) -> None:
        """Tell that there is nothing to do (I16)."""
        record = {"system": self.system, "outcome": "skipped", "explanation": why}
        self.output.record(record, f"skipped ({why})")

    @property
    def has_reason(self) -> bool:
        """Whether the reason says anything."""
        return says_something(self.reason)

    def require_reason(self, what: str, hint: str = "Say why: --reason TEXT") -> None:
        """Raise unless a reason is given.

        Raises:
            ReasonRequired: there is none.
        """
        if not self.has_reason:
            raise ReasonRequired(what, hint=hint)

    def require_yes(self, what: str, *, yes: bool) -> None:
        """Raise unless a reason is given and somebody says yes, at the terminal or by --yes.

        Raises:
            ReasonRequired: no reason, or nobody to ask.
            Refused: the answer was no.
        """
        self.require_reason(f"{what}: that needs a reason.")
        if yes:
            return
        if not sys.stdin.isatty():
            raise ReasonRequired(
                f"{what}: that needs a yes, and there is no terminal to ask at.", hint="Add --yes"
            )
        if not click.confirm(f"{what}. Go ahead?", err=True):
            raise Refused("You said no: nothing was done.")


def says_something(text: str | None) -> bool:
    """Tell whether a text is more than blanks."""
    return bool(text and text.strip())


def pass_call(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command its `Call`; of the system, the reason and the output it names what it wants besides."""
    parameters = inspect.signature(function).parameters
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    wanted = parameters.keys()

    @_pass_runtime
    @wraps(function)
    def called(runtime: Runtime, **given: Any) -> Any:
        output, reason = given.pop("output", Output()), given.pop("reason", None)
        call = Call(runtime, output, given.get("system") or "", reason)
        kept = {name: value for name, value in given.items() if takes_any or name in wanted}
        return function(call, **kept)

    return called


def command(name: str, group: click.Group | None = None, *, output: bool = True) -> Form:
    """Make a command of ``group``, or of `rollout` itself. ``output``: it takes how results are printed."""
    return _form(name, group, before=(), after=(options.output,) if output else ())


def system_command(name: str, group: click.Group | None = None) -> Form:
    """Make a command about a SYSTEM, its first argument."""
    return _form(name, group, before=(options.system,), after=(options.output,))


def decision_command(
    name: str, group: click.Group | None = None, *, asks: bool = False, previews: bool = False
) -> Form:
    """Make a command that decides something about a SYSTEM, for a reason, and says what came of it.

    ``asks``: it wants a yes, by `Call.require_yes`. ``previews``: --dry-run only shows what it would do.
    """
    after = (options.reason, *[options.yes] * asks, *[options.dry_run] * previews, options.output)
    return _form(name, group, before=(options.system,), after=after)


def _form(name: str, group: click.Group | None, *, before: Options, after: Options) -> Form:
    """Return what makes a command: the function's own parameters stand between ``before`` and ``after``."""

    def make(function: Callable[..., Any]) -> click.Command:
        own: list[click.Parameter] = function.__dict__.pop("__click_params__", [])
        called: Any = options.stack(*after)(pass_call(function))
        called.__click_params__ = [*getattr(called, "__click_params__", ()), *own]
        called = options.stack(*before)(called)
        # An example is printed as it stands: click would fill its lines.
        help_ = inspect.cleandoc(function.__doc__ or "").replace("\nExample:", "\n\b\nExample:")
        made = (
            group.command(name, help=help_)
            if group is not None
            else click.command(name, help=help_)
        )
        return made(called)

    return make
