"""rollout run."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import click

from cli import collecting, options
from cli.call import Call, pass_call
from cli.commands.preflight import report
from cli.output import say
from ledger.domain.errors import LedgerError, LedgerUnreachable
from ledger.domain.gates import decide as gates
from ledger.domain.state import SystemState
from ledger.service import recovery
from ledger.service.backups import recording
from ledger.service.configurations import snapshots
from ledger.service.core.actuators import world_of
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.gates import preflight
from ledger.service.runs import run as running, start as starting, supervisor
from ledger.service.runs.start import RunResult
from runtime import backups
from runtime.wiring import Runtime

COUNTDOWN_SECONDS: Final = 5


@click.command(context_settings={"ignore_unknown_options": True})
@options.system
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option("--run-tag", metavar="TAG", help="Default: RUN_TAG, or date, time and system.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("artifacts/runtime"),
              show_default=True, help="Where run_tag.txt and the like are written.")  # fmt: skip
@click.option("--countdown", type=click.IntRange(0, 60), default=COUNTDOWN_SECONDS, show_default=True,
              help="Seconds to think again before the start.")  # fmt: skip
@click.option("--backup", is_flag=True,
              help="Make a backup before the start; where, and for whom it is encrypted, say the variables "
                   "of backup create. Without it only the place in the log is noted.")  # fmt: skip
@options.reason
@pass_call
def run(
    call: Call,
    command: tuple[str, ...],
    run_tag: str | None,
    out: Path,
    countdown: int,
    backup: bool,
) -> None:
    """Run COMMAND under supervision: checks, backup point, risk parameters, countdown, start, stop report.

    The mode that was last recorded is restored first; without the ledger that is paused/halt. Signals
    are passed on. How it ended is recorded, and is the exit code.

    \b
    Example:
      rollout run polyarb-x --reason "phase 1, day 1" -- python src/main.py
    """
    collecting.stay()
    supervisor.require_program(command)
    now = call.now()
    named = run_tag or os.environ.get("RUN_TAG")
    tag = named or f"{now:%Y%m%d_%H%M%S}_{call.system.replace('/', '-')}"
    call.runtime.offline_ledger.recorder.require_plain(tag, "run tag")
    origin = call.origin
    with starting.alone_here(call.runtime.offline_ledger, call.system, tag) as lock:
        code = _run(
            call.runtime,
            call.system,
            command,
            tag,
            out.absolute(),
            countdown,
            origin,
            lock,
            backup=backup,
        )
    call.exit(code)


def _run(
    runtime: Runtime,
    system: str,
    command: tuple[str, ...],
    tag: str,
    out: Path,
    countdown: int,
    origin: Origin,
    lock: int,
    *,
    backup: bool,
) -> int:
    away = False
    try:
        ledger = runtime.ledger
        _prepare(runtime, ledger, system, origin, out, backup=backup)
    except LedgerUnreachable as problem:
        say(f"warning: {problem.message.rstrip('.')}. The system is put into paused/halt.")
        ledger, away = runtime.offline_ledger, True
        starting.halt(ledger, system, origin, problem, say)
    _count_down(runtime, countdown)
    with contextlib.ExitStack() as held:
        program = supervisor.Program(command, runtime.clock, say, lock)
        start = starting.RunStart(tag, command, program, held, out, say, click.echo)
        # Only now: somebody may have paused it, or taken its configuration back, while we counted.
        if away:
            result = starting.start_without_ledger(ledger, system, start, origin)
        else:
            result = starting.start(ledger, system, start, origin)
        _report_end(runtime, ledger, tag, result, out)
    return result.ended.exit_status


def _prepare(
    runtime: Runtime, ledger: Ledger, system: str, origin: Origin, out: Path, *, backup: bool
) -> None:
    """Finish what a crash left, run the checks, keep a way back, show what is at stake."""
    state = ledger.load(system)
    starting.require_alone(ledger, state)
    crash = starting.finish(ledger, system, origin)
    if crash is not None:
        say(f"warning: {crash}")
    recovery.recover(ledger, system, origin)
    state = ledger.load(system)
    _require_go(runtime, state, origin)
    world = world_of(state.actuators, ledger.recorder.clock)
    if world.configs is not None:
        snapshots.save_unknown(ledger, state, world, origin)
    if backup:
        _backup(runtime, origin)
    _backup_point(ledger, out)
    _show_risk(ledger, ledger.load(system))


def _require_go(runtime: Runtime, state: SystemState, origin: Origin) -> None:
    if state.profile is None or not plan_of(runtime.ledger, state).profile.checks:
        return
    done = preflight.run(
        runtime.ledger, state.system, origin, params={}, skips={}, base=Path.cwd(), report=report
    )
    say(f"preflight: {done.verdict} (#{done.position})")
    gates.require_go(state, done.verdict)


def _backup(runtime: Runtime, origin: Origin) -> None:
    """Make a backup, or start nothing: whoever asked for one does not want to run without it."""
    made, _ = backups.made(
        runtime,
        backups.folder_of(runtime, None),
        os.environ.get(backups.RECIPIENTS, "").split(),
        backups.passphrase_of(backups.passphrase_file_named()),
        origin,
    )
    say(f"backup: {made.path} ({made.metadata.events:,} events)")


def _backup_point(ledger: Ledger, out: Path) -> None:
    """Note how far the log has come: with the configurations in it, that is what to go back to."""
    point = recording.point(ledger.recorder.store)
    running.write_out(out, {"backup_point.json": running.as_json(point)})
    verified = point["verified_backup"]
    last = f"the last verified backup is {verified}" if verified else "no backup was verified yet"
    say(f"backup point: #{point['position']}; {last}")


def _show_risk(ledger: Ledger, state: SystemState) -> None:
    """Show what the phase limits, and what the configuration says of it."""
    if state.phase is None or not state.phase.limits:
        return
    said = ledger.configuration(state.fingerprint) if state.fingerprint is not None else {}
    say(f"risk parameters of {state.phase.name}:")
    for key, limit in state.phase.limits.items():
        say(f"  {key} = {said.get(key, 'not set')} (limit {limit})")


def _count_down(runtime: Runtime, seconds: int) -> None:
    for left in range(seconds, 0, -1):
        say(f"starting in {left} s; Ctrl-C stops it here")
        runtime.clock.sleep(0.999)


def _report_end(runtime: Runtime, ledger: Ledger, tag: str, result: RunResult, out: Path) -> None:
    """Tell how it ended; whatever else goes wrong from here on, the exit code is the program's."""
    ended, after = result.ended, result.after
    try:
        if result.problem is not None:
            say(f"warning: {tag} ended: {ended.told}; {result.problem}")
            return
        if after is None:
            say("the end of the run is journalled here, until the ledger is back", colour="yellow")
            return
        report = running.stop_report(ledger, after, result.since_revision, ended)
        running.write_out(out, {"stop_report.json": running.as_json({"run_tag": tag, **report})})
        say(f"{tag} ended after {ended.seconds} s: {ended.told}; mode {report['mode']}, "
            f"{len(report['alerts_fired'])} alerts, {report['rollbacks']} rollbacks")  # fmt: skip
        runtime.catch_up()
        _report(runtime, after, tag, out)
    except LedgerError as problem:
        with contextlib.suppress(OSError):
            say(f"warning: {tag} ended: {ended.told}; {problem.message}")
    except OSError:
        pass  # nobody reads what we say any more


def _report(runtime: Runtime, state: SystemState, tag: str, out: Path) -> None:
    """Write the stop report, if the plan asks for one."""
    from runtime.reports import write_stop_report  # a run may last for weeks

    if state.profile is None:
        return
    language = plan_of(runtime.ledger, state).profile.reports.stop
    if language is None:
        return
    folder = out / "stop_report"
    try:
        write_stop_report(runtime, state.system, tag, language, folder)
    except (LedgerError, OSError):
        raise
    except Exception as problem:  # noqa: BLE001 - a report must not change how the run ended
        say(f"warning: no stop report was written: {type(problem).__name__}")
    else:
        say(f"stop report: {folder}")
