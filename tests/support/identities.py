"""The users whom this machine lets us be: root and an ordinary one, or just the ordinary one."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody to be; ``uid`` None is whoever runs the tests."""

    name: str
    uid: int | None = None

    def command(
        self,
        home: Path,
        action: str,
        *,
        programs: Path | None = None,
        timeout_seconds: float = 60,
        env: Mapping[str, str] | None = None,
        umask: int = 0o022,
    ) -> Command:
        """Start a command on the embedded server of ``home``; see `tests.support.embedded_command`.

        It becomes this user after its imports, so that it works where only root can read the
        interpreter and the checkout.
        """
        words = [
            home,
            action,
            programs or "",
            timeout_seconds,
            "" if self.uid is None else self.uid,
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.embedded_command", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(CHECKOUT),
                "PYTHONDONTWRITEBYTECODE": "1",
                **(env or {}),
            },
            start_new_session=True,
            umask=umask,
        )
        return Command(process)

    def run(self, home: Path, action: str, **options: object) -> Answer:
        """Run a command to its end."""
        return self.command(home, action, **options).answer()  # pyright: ignore[reportArgumentType] -- command() checks

    def give(self, folder: Path) -> None:
        """Make ``folder`` this user's own, and nobody else's."""
        folder.chmod(0o700)
        if self.uid is not None:
            os.chown(folder, self.uid, self.uid)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said: either a conninfo (or None) or an error."""

    code: int
    conninfo: str | None = None
    error: str = ""
    hint: str = ""
    state: str = ""
    seconds: float = 0

    def dsn(self) -> str:
        """Return the conninfo, after making sure that there is one."""
        assert self.code == 0, f"{self.error} | {self.hint}"
        assert self.conninfo is not None
        return self.conninfo


@dataclass(frozen=True, slots=True)
class Command:
    """A command that runs."""

    process: subprocess.Popen[str]

    def answer(self) -> Answer:
        """Wait for it to end and return what it said."""
        out, err = self.process.communicate(timeout=120)
        assert out, f"the command said nothing and ended with {self.process.returncode}: {err}"
        return Answer(code=self.process.returncode, **json.loads(out))


ORDINARY = Identity("user", pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None)
IDENTITIES = [Identity("root"), ORDINARY] if os.geteuid() == 0 else [ORDINARY]
