"""What README and docs show is run: console blocks below a `<!-- run -->` mark, page by page.

The whole of README is: its running text names commands that there are, and no block is without the mark.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house.sources import ROOT, texts
from tests.support import commands
from tests.support.commands import Told
from tests.support.postgres import new_folder, stop_by_any_means

# <!-- run --> or, where a refusal is shown, <!-- run: exit 3 --> for the block's last command. A command
# may say by itself how it ends, in its remark: # … (exit code 3)
BLOCK = re.compile(
    r"<!-- run(?:: exit (?P<exit>\d+))? -->\n+```console\n(?P<body>.*?)^```", re.M | re.S
)
EXIT_CODE = re.compile(r"# .*\(exit code (\d+)\)")
ELSEWHERE = "# in a terminal of its own"
# What a shell makes something of; where there is none of it, a command line is its words.
OF_THE_SHELL = re.compile(r"[|&;<>$`*?~\n]")


@dataclass(frozen=True)
class Step:
    """One command of a page, as a person would type it."""

    command: str
    exit_code: int = 0
    shown: tuple[str, ...] = ()
    """Lines of its output, in order, though not all of them; "…" stands for anything."""


def steps_of(page: str) -> list[Step]:
    """Return the commands of a page's marked blocks, in order, with what the page shows of their output."""
    steps: list[Step] = []
    for block in BLOCK.finditer(page):
        typed: list[str] = []
        shown: list[list[str]] = []
        continued = False
        for line in block["body"].splitlines():
            if line.startswith("$ "):
                typed.append(line[2:])
                shown.append([])
            elif continued or line.startswith("> "):
                typed[-1] += "\n" + line.removeprefix("> ")
            else:
                shown[-1].append(line)
                continue
            continued = line.endswith("\\")
        codes = [int(said[1]) if (said := EXIT_CODE.search(text)) else 0 for text in typed]
        codes[-1] = codes[-1] or int(block["exit"] or 0)
        steps += map(Step, typed, codes, map(tuple, shown))
    return steps


def missing(shown: tuple[str, ...], output: str) -> str | None:
    """Return the first shown line that does not follow in the output. Spaces and milliseconds may differ."""
    lines = iter(" ".join(line.split()) for line in output.splitlines())
    for expected in shown:
        pattern = re.escape(" ".join(expected.split())).replace("…", ".*")
        pattern = re.sub(r"\d+\\ ms", r"\\d+\\ ms", pattern)
        if not any(re.fullmatch(pattern, line) for line in lines):
            return expected
    return None


MARKDOWN = [source for source in texts() if source.path.suffix == ".md"]
PAGES = {source.name: steps for source in MARKDOWN if (steps := steps_of(source.text))}


def words_of(command: str) -> list[str] | None:
    """Return the words after ``rollout``; None where a shell has more to do than to part them."""
    words = shlex.split(command, comments=True)
    is_ours = words[0] == "rollout" and not OF_THE_SHELL.search(command.partition(" #")[0])
    return words[1:] if is_ours else None


@dataclass(frozen=True)
class Reader:
    """Somebody who types what a page shows, in a new folder of their own."""

    folder: Path
    env: Mapping[str, str]

    def types(self, command: str) -> Told:
        """Run one command to its end, as the shell would."""
        words = words_of(command)
        if words is not None:
            return commands.run(words, env=self.env, cwd=self.folder)
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=self.folder, env=self.env, capture_output=True,
            stdin=subprocess.DEVNULL, text=True, check=False, timeout=120,
        )  # fmt: skip
        return Told(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def in_another_terminal(self, command: str) -> Iterator[None]:
        """Run a command beside what follows, and end it after that."""
        words = words_of(command)
        assert words is not None, command
        with commands.start(words, env=self.env, cwd=self.folder) as process:
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                told, _ = process.communicate(timeout=60)
        assert process.returncode == 0, told
        assert "Traceback" not in told, told


@pytest.fixture
def reader() -> Iterator[Reader]:
    """A reader with a program of theirs to start, and no ledger."""
    folder = new_folder()
    place = folder / "reader"
    (place / "src").mkdir(parents=True)
    (place / "src" / "main.py").write_text("print('trading')\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith("ROLLOUT_")} | {
        "ROLLOUT_HOME": str(folder / "home"),
        "ROLLOUT_ACTOR": "human:you",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    yield Reader(place, env)
    stop_by_any_means(folder / "home")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_shows(page: str, reader: Reader) -> None:
    """Each command of the page ends as the page says, one after the other, in one new ledger."""
    with ExitStack() as terminals:
        for step in PAGES[page]:
            if ELSEWHERE in step.command:
                terminals.enter_context(reader.in_another_terminal(step.command))
                continue
            result = reader.types(step.command)
            told = f"$ {step.command}\n{result.out}{result.err}"
            assert result.code == step.exit_code, told
            assert "Traceback" not in result.err, told
            assert missing(step.shown, result.out + result.err) is None, told


def test_blocks_are_read_as_a_person_reads_them() -> None:
    """Only marked blocks; `$` lines and what continues them are commands, the rest is output."""
    page = (
        "```console\n$ not marked\n```\n<!-- run -->\n```console\n$ one \\\n  two\nits output\n$ three\n```\n"
        "<!-- run: exit 3 -->\n```console\n$ cat <<E\n> line\n> E\nline\n```\n"
        "<!-- run -->\n```console\n$ five  # says no (exit code 3)\n$ six\n```\n"
    )
    assert steps_of(page) == [
        Step("one \\\n  two", 0, ("its output",)),
        Step("three"),
        Step("cat <<E\nline\nE", 3, ("line",)),
        Step("five  # says no (exit code 3)", 3),
        Step("six"),
    ]


def test_what_a_page_shows_must_be_printed() -> None:
    """Lines in order, some may be left out; an ellipsis stands for anything."""
    output = "first\n✔ bot is mock (by control_file, 17 ms)\nkey   old\nsha256:1f\n"
    assert missing(("✔ bot is mock (by control_file, 3 ms)", "key old", "sha256:…"), output) is None
    assert missing(("key old", "first"), output) == "first"
    assert missing(("✔ bot is real (by control_file, 3 ms)",), output) is not None


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("rollout at bot '#9'  # then", ["at", "bot", "#9"]),
        ("rollout log bot | head", None),
        ('eval "$(rollout completion bash)"', None),
    ],
)
def test_what_needs_a_shell_is_given_to_one(command: str, words: list[str] | None) -> None:
    """All else is run by what has the program loaded, and spares its imports."""
    assert words_of(command) == words


def test_the_readme_is_run_as_a_whole() -> None:
    """No block of commands is without the mark, and what `make` is asked for in it there is."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(BLOCK.findall(text)) == text.count("```console") > 5
    targets = re.findall(r"^([a-z]+):.* ## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    asked = set(re.findall(r"(?:^    |`)make (\w+)", text, re.M))
    assert {"demo", "test", "install"} <= asked <= set(targets)
