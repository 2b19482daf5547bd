"""Processes of the command line that start without waiting for its imports.

One process for each worker of the tests has imported the whole program, and forks for each command. What
runs is a process like any other: its own standard streams, environment, folder, session, signals and exit
code, and kill -9 kills it. What only a start from nothing shows (what is imported, variables that the
interpreter reads, one hash seed apart from another) needs `subprocess.Popen`, as before.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, AnyStr, Final, TypedDict

ROOT: Final = Path(__file__).parents[2]
# Before any test changes it: whichever command comes first, all have the same server.
ENVIRONMENT: Final = dict(os.environ)
# What the interpreter, the C library or a module reads when it starts: another value needs another start.
READ_AT_START: Final = re.compile(r"PYTHON|LD_|LC_|LANG|TZ$|HOME$|XDG_|TMP|MALLOC|GLIBC|SSL_|MPL")
# What the program imports inside of functions, and takes a while to.
HEAVY: Final = (
    "alembic.config", "apprise", "detect_secrets.plugins.base", "dulwich.repo", "jinja2",
    "matplotlib.dates", "matplotlib.figure", "prometheus_client.parser", "psutil", "pyrage",
)  # fmt: skip
LENGTH: Final = struct.Struct("!Q")
STATUS: Final = struct.Struct("!i")


class Request(TypedDict):
    """What a process is to be: the words of its command line, and what it inherits."""

    words: list[str]
    env: dict[str, str]
    cwd: str
    umask: int
    own_session: bool


class Forked(subprocess.Popen[AnyStr]):
    """A process of the command line; ``args`` are the words after ``rollout``."""

    _ending: int  # it can be read as soon as the process has ended, and tells how

    def _execute_child(
        self, args: Sequence[str], executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any,
        cwd: str | Path | None, env: Mapping[str, str] | None, startupinfo: Any, creationflags: Any,
        shell: Any, p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int, errread: int,
        errwrite: int, restore_signals: Any, gid: Any, gids: Any, uid: Any, umask: int,
        start_new_session: bool, *_: Any,
    ) -> None:  # fmt: skip
        assert preexec_fn is None, "what is to happen before it starts needs a start of its own"
        request = Request(
            words=list(args),
            env=dict(os.environ if env is None else env),
            cwd=str(Path.cwd() / (cwd or "")),
            umask=_umask() if umask < 0 else umask,
            own_session=start_new_session,
        )
        self._ending, told = os.pipe()
        streams = (
            0 if p2cread == -1 else p2cread,
            1 if c2pwrite == -1 else c2pwrite,
            2 if errwrite == -1 else errwrite,
        )
        try:
            self.pid = server().fork(request, (*streams, told))
        finally:
            os.close(told)
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # pyright: ignore[reportAttributeAccessIssue] -- its own
        self._child_created = True

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; return the exit code."""
        code = self._ended(timeout)
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        return code

    def _ended(self, timeout: float | None) -> int | None:
        known: int | None = self.returncode
        if known is None:
            poller = select.poll()
            poller.register(self._ending, select.POLLIN)
            if not poller.poll(None if timeout is None else max(timeout, 0) * 1000):
                return None
            told = os.read(self._ending, STATUS.size)
            os.close(self._ending)
            self.returncode = known = os.waitstatus_to_exitcode(STATUS.unpack(told)[0])
        return known


def starts_alike(env: Mapping[str, str]) -> bool:
    """Return whether a process with this environment starts as the fork server did."""
    if not hasattr(os, "pidfd_open"):  # Linux has it
        return False
    names = {name for name in {*env, *ENVIRONMENT} if READ_AT_START.match(name)}
    if env.get("PYTHONPATH") == str(ROOT):  # for what it will start; it has this one itself
        names.discard("PYTHONPATH")
    return all(env.get(name) == ENVIRONMENT.get(name) for name in names)


@cache
def server() -> Server:
    """Return the fork server of this process; starts it."""
    return Server()


class Server:
    """The fork server, seen from the tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                env=ENVIRONMENT | {"OPENBLAS_NUM_THREADS": "1"}, pass_fds=[theirs.fileno()],
            )  # fmt: skip
        atexit.register(self.close)

    def fork(self, request: Request, descriptors: Sequence[int]) -> int:
        """Have a process made that has these descriptors; return its number."""
        body = json.dumps(request).encode()
        with self._lock:
            socket.send_fds(self._channel, [LENGTH.pack(len(body))], descriptors)
            self._channel.sendall(body)
            return STATUS.unpack(_read(self._channel, STATUS.size))[0]

    def close(self) -> None:
        """End it."""
        self._channel.close()
        self._process.wait()


# --- the server's own process ---


def serve(channel: socket.socket) -> tuple[Request, list[int]] | None:
    """Fork for each request. Returns in the new process, with what it is to be; None at the end."""
    ways: dict[int, tuple[int, int]] = {}  # pidfd -> process, where its end is told
    poller = select.poll()
    poller.register(channel, select.POLLIN)
    while True:
        for ready, _ in poller.poll():
            if ready in ways:
                poller.unregister(ready)
                pid, told = ways.pop(ready)
                _tell_the_end(pid, told)
                os.close(ready)
                continue
            head, given, _, _ = socket.recv_fds(channel, LENGTH.size, 4)
            if not head:
                return None
            request: Request = json.loads(_read(channel, LENGTH.unpack(head)[0]))
            pid = os.fork()
            if not pid:
                return request, given
            descriptor = os.pidfd_open(pid)
            ways[descriptor] = (pid, given.pop())
            poller.register(descriptor, select.POLLIN)
            for number in given:
                os.close(number)
            channel.sendall(STATUS.pack(pid))


def _tell_the_end(pid: int, told: int) -> None:
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):  # nobody waits for it
        os.write(told, STATUS.pack(status))
    os.close(told)


def become(request: Request, descriptors: Sequence[int]) -> None:
    """Turn this new process into the one that was asked for."""
    for number, given in enumerate(descriptors[:3]):
        os.dup2(given, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["own_session"]:
        os.setsid()
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[0] = request["cwd"]
    sys.argv[1:] = request["words"]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        stream = open(  # noqa: SIM115 -- it stays open, and is a descriptor
            number, "w" if number else "r", 1 if name == "stderr" else -1,
            encoding=old.encoding, errors=old.errors, newline="\n", closefd=False,
        )  # fmt: skip
        stream.reconfigure(write_through=old.write_through)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def load() -> None:
    """Import the program, all of it, and what its functions import."""
    for name in ("cli", "runtime", "ledger", "projections"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)
    for name in HEAVY:
        importlib.import_module(name)
    tasks = Path("/proc/self/task")
    assert len(list(tasks.iterdir())) == 1, "a thread would be missing in each fork"
    gc.collect()
    gc.freeze()


def main(descriptor: str) -> None:
    """Be the fork server, or one of its forks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load()
    asked = serve(socket.socket(fileno=int(descriptor)))
    if asked is None:
        os._exit(0)
    become(*asked)
    importlib.import_module("cli.main").run()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _read(channel: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        part = channel.recv(count - len(content))
        if not part:
            raise EOFError("the fork server's other end has gone")
        content += part
    return content


if __name__ == "__main__":
    main(sys.argv[1])
