"""The `rollout` command: global options, and errors as sentences with an exit code."""

from __future__ import annotations

import errno
import os
import sys
import threading
from contextlib import suppress
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any, Final, NoReturn, TextIO

import click

from cli import collecting
from cli.output import say
from cli.terminal import Terminal
from ledger.domain.errors import LedgerError, UnknownSystem
from runtime.settings import resolve_actor, settings_of

# command -> (module in cli.commands, one-line help). Modules are imported when their command runs:
# `rollout pause` must not wait for DuckDB.
COMMANDS: Final = {
    "init": ("setup", "Make the ledger, or bring it up to this version."),
    "doctor": ("setup", "Tell what is in use, and whether it works."),
    "version": ("setup", "Tell the version, and what it runs on."),
    "completion": ("setup", "Print the tab completion script for a shell."),
    "demo": ("demo", "Play a whole rollout on an embedded Postgres, and show it."),
    "system": ("system", "Register systems and show them."),
    "status": ("status", "Show the current state of a system, or of all."),
    "log": ("log", "Show what happened: who, when, what, why."),
    "show": ("log", "Show one event, whole."),
    "correct": ("correct", "Say what is right where an event can't be read."),
    "at": ("at", "Show a system's state as of a moment."),
    "explain": ("explain", "Tell why a system is in the state it is in."),
    "config": ("config", "Keep, compare, apply and blame configurations."),
    "fingerprint": ("fingerprint", "Print a configuration's fingerprint; needs no ledger."),
    "switch": ("modes", "Switch a system's mode."),
    "pause": ("modes", "Pause a system. Works without Postgres too."),
    "resume": ("modes", "Bring a paused system back to mock."),
    "rollback": ("rollback", "Roll a system back to a prior configuration, byte for byte."),
    "recover": ("recover", "Finish or give up what was begun; tell what to resume from."),
    "drift": ("recover", "Compare the world with the ledger, key by key."),
    "watch": ("watch", "Watch over a system by its plan: evaluate, act, record."),
    "run": ("run", "Run a program under supervision: checks, countdown, record, report."),
    "preflight": ("preflight", "Run the plan's checks, and record the verdict."),
    "phase": ("phase", "Enter, advance, hold and abort the plan's phases."),
    "gate": ("gate", "Evaluate exit gates of phases; waive, break the glass."),
    "approve": ("approve", "Request, grant, deny and list approvals."),
    "profile": ("profile", "List, copy, check, adopt and show rollout plans."),
    "rules": ("rules", "Check, test, convert and replay alert rules."),
    "alert": ("alert", "Raise, list, acknowledge and resolve alerts."),
    "incident": ("incident", "Open, list, note, close and export incidents."),
    "mitigation": ("mitigation", "List, apply and lift mitigations."),
    "metrics": ("metrics", "Record measured values."),
    "report": ("report", "Write reports, derived from the ledger."),
    "stats": ("stats", "Show time in mode, time to restore, change failures, rollbacks."),
    "sql": ("sql", "Ask the audit replica in SQL."),
    "projections": ("projections", "Show, rebuild and verify the read models."),
    "verify": ("verify", "Recompute the hash chain and name the first bad position."),
    "checkpoint": ("verify", "Write the log's position, hash and time, to keep elsewhere."),
    "export": ("export", "Write the log to files: the archive, and for other programs."),
    "backup": ("backup", "Create, verify, restore and prune backups of the ledger."),
    "server": ("server", "Look after the embedded PostgreSQL: is it up, stop it."),
    "import": ("import_", "Bring in a past: change logs, git history, audit files."),
}


class _Commands(click.Group):
    """Commands that are loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"cli.commands.{COMMANDS[cmd_name][0]}")
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(module, name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Name the nearest system when one is misspelt."""
        try:
            return super().invoke(ctx)
        except UnknownSystem as problem:
            near = _nearest_system(ctx, problem.system)
            if near is not None:
                problem.hint = f"Did you mean {near}? {problem.hint}"
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])


def _tell_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        # It loads the core, which `rollout --help` needs none of.
        from cli.commands.setup import version_text

        click.echo(version_text())
        context.exit()


def _nearest_system(context: click.Context, name: str) -> str | None:
    try:
        systems: list[str] = context.obj.systems()
    except Exception:  # noqa: BLE001 -- a courtesy; whatever keeps it from being paid, the error is told
        return None
    from ledger.domain.values.spelling import nearest

    return nearest(name, systems)


class _Home(click.Path):
    """The folder of the home, taken as it is: what is wrong with it is no reason not to pause (I33)."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self.coerce_path_result(value)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home", type=_Home(path_type=Path, file_okay=False),
    envvar="ROLLOUT_HOME", show_envvar=True,
    help="Folder for the embedded Postgres, the replica, the spool and the key.",
)  # fmt: skip
@click.option(
    "--dsn", envvar="ROLLOUT_DSN", show_envvar=True,
    help="PostgreSQL to use instead of the embedded one. Put passwords in ROLLOUT_DSN or ~/.pgpass.",
)  # fmt: skip
@click.option(
    "--actor", envvar="ROLLOUT_ACTOR", show_envvar=True,
    help="Who acts: NAME, or human:, service:, agent: or rule:NAME. Default: your login.",
)  # fmt: skip
@click.option(
    "-V", "--version", is_flag=True, is_eager=True, expose_value=False, help="Tell the version, and exit.",
    callback=_tell_version,
)  # fmt: skip
@click.pass_context
def cli(context: click.Context, home: Path | None, dsn: str | None, actor: str | None) -> None:
    """Roll a live system out in steps, and keep an account of it that can't be changed.

    \b
    Example:
      rollout system add bot --control-file data/control/mode.json --config-file config.yaml
      rollout config put bot config.yaml --reason "first import"
      rollout switch bot --to mock --reason rehearsal
      rollout status bot
    """
    from ledger.store.dsn import dsn_from_option
    from runtime.wiring import Runtime

    if context.invoked_subcommand == "pause":
        actor = _actor_for_pause(context, actor)
    elif home is not None and os.path.isfile(home):  # noqa: PTH113 -- it never raises
        raise click.BadParameter(f"{home} is a file.", context, param_hint="--home (ROLLOUT_HOME)")
    on_command_line = context.get_parameter_source("dsn") is click.core.ParameterSource.COMMANDLINE
    if dsn and on_command_line:
        dsn = dsn_from_option(dsn)
    context.obj = Runtime(settings_of(home=home, dsn=dsn, actor=actor), Terminal())
    context.call_on_close(context.obj.close)


def _actor_for_pause(context: click.Context, actor: str | None) -> str | None:
    """Return who pauses: the login, where the environment names nobody that there can be (I33)."""
    if context.get_parameter_source("actor") is not click.core.ParameterSource.ENVIRONMENT:
        return actor
    try:
        resolve_actor(actor)
    except LedgerError as problem:
        with suppress(OSError):
            say(f"warning: your login is recorded: {problem.message}")
        return None
    return actor


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; never end in a traceback, unless ROLLOUT_DEBUG asks for one."""
    try:
        code = cli.main(args=arguments, prog_name="rollout", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except LedgerError as error:
        _fail(error.message, error.hint, error.exit_code)
    except click.exceptions.Abort:
        _fail("Interrupted.", None, 130)
    except click.ClickException as error:
        if isinstance(error, click.UsageError):
            from cli.words import explained

            error = explained(error)
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (head, less) has gone: not our error. Keep Python from complaining at exit.
        _give_to_nowhere(sys.stdout)
        sys.exit(141)
    except Exception as error:  # the last net; the cause is shown when asked for
        if os.environ.get("ROLLOUT_DEBUG"):
            raise
        _fail(*(_foreseen(error) or (
            f"Something went wrong that should not: {type(error).__name__}.",
            "Run it again with ROLLOUT_DEBUG=1 and report what it prints.",
            1,
        )))  # fmt: skip


def _foreseen(error: Exception) -> tuple[str, str | None, int] | None:
    """Return the message, the hint and the exit code of an error that comes from outside."""
    if isinstance(error, OSError):
        fault = (error.strerror or "it failed").lower()
        if error.filename is not None:
            return f"{error.filename}: {fault}.", None, 1
        if error.errno in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}:
            hint = "Free some space where it goes, then repeat the command."
            return f"What it prints can't be written: {fault}.", hint, 1
    if isinstance(error, RuntimeError) and str(error) == "Query interrupted":
        return "Interrupted.", None, 130  # DuckDB's own answer to Ctrl-C
    foreseen = _from_the_database(error)
    return (foreseen.message, foreseen.hint, foreseen.exit_code) if foreseen is not None else None


def _from_the_database(error: Exception) -> LedgerError | None:
    """Return what an error of the database driver means, if it is one."""
    if not type(error).__module__.startswith("psycopg"):
        return None
    import psycopg

    from ledger.store.postgres import translated

    return translated(error) if isinstance(error, psycopg.Error) else None


def _fail(message: str, hint: str | None, code: int) -> NoReturn:
    with suppress(OSError):  # where it can't be told, the exit code says it still
        _tell(message, hint)
    sys.exit(code)


def _tell(message: str, hint: str | None) -> None:
    say(f"rollout: {message}", colour="red")
    if hint:
        say(f"  next: {hint}")


def _written_out(code: int | str | None) -> int | str | None:
    """Write what is still held back; return the exit code, which a failure to write results may change."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = 141
        _give_to_nowhere(sys.stdout)
    except OSError as error:
        _give_to_nowhere(sys.stdout)
        if not code:
            code = 1
            unforeseen = (f"What it prints can't be written: {error}.", None, 1)
            message, hint, _ = _foreseen(error) or unforeseen
            with suppress(OSError):
                _tell(message, hint)
    try:
        sys.stderr.flush()
    except OSError:  # the talk is lost, and nobody is left to be told; what was done stays done
        _give_to_nowhere(sys.stderr)
    return code


def _give_to_nowhere(stream: TextIO) -> None:
    """Let go of what a stream could not write: Python would try it again at exit, and end with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open_closed_streams() -> None:
    """Give standard streams that were closed (``>&-``) to nowhere, before a file takes their numbers."""
    if None not in {sys.stdin, sys.stdout, sys.stderr}:
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8")
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


def run() -> None:
    """The `rollout` program: `main`, without what a process of a fifth of a second has no use for.

    Collecting cycles while modules load, and taking every object apart at the end, cost a quarter of a pause.
    """
    _open_closed_streams()
    collecting.hurry()
    code: int | str | None = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    code = _written_out(code)
    # Daemons, like the watchdog of a pause, are not waited for in any case.
    if any(t is not threading.main_thread() and not t.daemon for t in threading.enumerate()):
        sys.exit(code)
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    run()
