"""What README and docs show is run: console blocks below a `<!-- run -->` mark, page by page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house.sources import texts
from tests.support.postgres import new_folder, stop_by_any_means

# <!-- run --> or, where a refusal is shown, <!-- run: exit 3 --> for the block's last command.
BLOCK = re.compile(
    r"<!-- run(?:: exit (?P<exit>\d+))? -->\n+```console\n(?P<body>.*?)^```", re.M | re.S
)


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
        commands: list[str] = []
        shown: list[list[str]] = []
        continued = False
        for line in block["body"].splitlines():
            if line.startswith("$ "):
                commands.append(line[2:])
                shown.append([])
            elif continued or line.startswith("> "):
                commands[-1] += "\n" + line.removeprefix("> ")
            else:
                shown[-1].append(line)
                continue
            continued = line.endswith("\\")
        codes = [0] * (len(commands) - 1) + [int(block["exit"] or 0)]
        steps += map(Step, commands, codes, map(tuple, shown))
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


@pytest.fixture
def place() -> Iterator[Path]:
    """Return an empty folder to work in, with the ledger's home beside the reader's files."""
    folder = new_folder()
    yield folder
    stop_by_any_means(folder / "home")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_shows(page: str, place: Path) -> None:
    """Each command of the page ends as the page says, one after the other, in one new ledger."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("ROLLOUT_")
    } | {
        "ROLLOUT_HOME": str(place / "home"),
        "ROLLOUT_ACTOR": "human:you",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for step in PAGES[page]:
        result = subprocess.run(
            ["/bin/sh", "-c", step.command], cwd=place, env=environment, capture_output=True,
            stdin=subprocess.DEVNULL, text=True, check=False, timeout=120,
        )  # fmt: skip
        told = f"$ {step.command}\n{result.stdout}{result.stderr}"
        assert result.returncode == step.exit_code, told
        assert "Traceback" not in result.stderr, told
        assert missing(step.shown, result.stdout + result.stderr) is None, told


def test_blocks_are_read_as_a_person_reads_them() -> None:
    """Only marked blocks; `$` lines and what continues them are commands, the rest is output."""
    page = (
        "```console\n$ not marked\n```\n<!-- run -->\n```console\n$ one \\\n  two\nits output\n$ three\n```\n"
        "<!-- run: exit 3 -->\n```console\n$ cat <<E\n> line\n> E\nline\n```\n"
    )
    assert steps_of(page) == [
        Step("one \\\n  two", 0, ("its output",)),
        Step("three"),
        Step("cat <<E\nline\nE", 3, ("line",)),
    ]


def test_what_a_page_shows_must_be_printed() -> None:
    """Lines in order, some may be left out; an ellipsis stands for anything."""
    output = "first\n✔ bot is mock (by control_file, 17 ms)\nkey   old\nsha256:1f\n"
    assert missing(("✔ bot is mock (by control_file, 3 ms)", "key old", "sha256:…"), output) is None
    assert missing(("key old", "first"), output) == "first"
    assert missing(("✔ bot is real (by control_file, 3 ms)",), output) is not None


def test_the_pages_that_teach_are_run() -> None:
    """The README shows the main job, and it is run."""
    assert "README.md" in PAGES
