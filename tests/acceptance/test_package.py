"""The project as users install it: a wheel in an environment of its own; an sdist builds the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ledger.profiles import shipped
from projections.audit.saved import all_saved
from projections.reports.canary_files import NAMES
from tests.house.sources import PACKAGES, ROOT
from tests.support.commands import Told
from tests.support.postgres import new_folder, stop_by_any_means

BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE")
HOOKS = """
import sys
from setuptools import build_meta
_, out, *kinds = sys.argv
for kind in kinds:
    getattr(build_meta, f"build_{kind}")(out)
"""
PLACES = f"""
import sys, {", ".join(PACKAGES)}
print(*sys.path, sep="\\n")
for name in {PACKAGES!r}:
    print(sys.modules[name].__path__[0])
"""


def build(source: Path, out: Path, *kinds: str) -> None:
    """Build an sdist or a wheel as an installer asks for it: by the hooks, from what the lock has."""
    subprocess.run(
        [sys.executable, "-c", HOOKS, str(out), *kinds],
        cwd=source, check=True, capture_output=True, timeout=120,
    )  # fmt: skip


def contents(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel."""
    with zipfile.ZipFile(wheel) as files:
        return {name: files.read(name) for name in files.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a clean copy of the source, with the sdist beside it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in PACKAGES:
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, source)
    build(source, out, "sdist", "wheel")
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's ``rollout``, in an environment that has what it depends on, and not the source."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile",
         "--no-index", "--no-deps", "--disable-pip-version-check", str(wheel)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (packages,) = folder.glob("lib/python*/site-packages")
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    # Path files of a folder that a path file names are not read, so what makes the source editable is not.
    (packages / "dependencies.pth").write_text("\n".join(places) + "\n")
    return folder / "bin" / "rollout"


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder to work in, which the user of the embedded server can enter."""
    folder = new_folder()
    yield folder
    stop_by_any_means(folder / "demo" / "home")


def environment() -> dict[str, str]:
    """Return an environment that leads to nothing of this run: no ledger, no source."""
    ours = ("ROLLOUT_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def run(words: Sequence[str | Path], cwd: Path, **env: str) -> Told:
    """Run a program of the installed environment to its end."""
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=environment() | env, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, check=False, timeout=240,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return Told(done.returncode, done.stdout, done.stderr)


def test_the_wheel_is_the_packages_and_an_sdist_builds_the_same(
    wheel: Path, tmp_path: Path
) -> None:
    """Samples, plans, rules, templates, SQL: whatever lies in the packages is installed, and nothing else."""
    built = contents(wheel)
    ours = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in built if ".dist-info/" not in name} == ours
    (sdist,) = wheel.parent.glob("*.tar.gz")
    subprocess.run(["tar", "-xf", sdist, "-C", tmp_path], check=True)  # 3.11.2 has no safe way
    (unpacked,) = tmp_path.iterdir()
    build(unpacked, tmp_path, "wheel")
    assert contents(tmp_path / wheel.name) == built


def test_what_is_installed_plays_the_demo_and_brings_its_plans(program: Path, place: Path) -> None:
    """Each kind of data that a command needs is found where nothing of the source can be imported."""
    python = program.with_name("python")
    found = run([python, "-c", PLACES], place).out.splitlines()
    assert str(ROOT) not in found
    assert all(Path(path).is_relative_to(program.parents[1]) for path in found[-len(PACKAGES) :])

    def rollout(*words: str | Path, exits: int = 0) -> Told:
        told = run([program, *words], place, ROLLOUT_HOME=str(place / "demo" / "home"))
        assert told.code == exits, (words, told)
        return told

    assert rollout("version").out.startswith("rollout-ledger ")
    assert "Every scene went as it should." in rollout("demo", "--keep", "--folder", "demo").out
    assert "already there" in rollout("init").out

    listed = rollout("profile", "list", "-o", "json").json
    assert [row["plan"] for row in listed] == shipped.names()
    name = "ofi-cvd-canary"
    copied = rollout("profile", "copy", name, "plans", "-o", "json").json
    assert copied["files"][:2] == [f"plans/{name}.yaml", f"plans/rules/{name}.yaml"]
    assert "is there already" in rollout("profile", "copy", name, "plans", exits=2).err

    rollout("profile", "adopt", "gridbot", f"plans/{name}.yaml", "--reason", "a try")
    assert "config-parses" in rollout("preflight", "run", "gridbot", exits=3).out
    rollout("report", "canary", "gridbot", "--out", "report", "--lang", "zh")
    assert set(NAMES) <= {path.name for path in (place / "report").iterdir()}
    questions = rollout("sql", "--list", "-o", "json").json
    assert len(questions) == len(all_saved())
    assert json.loads(rollout("incident", "export", "--schema").out)["$schema"]
    assert "sha256:" in rollout("fingerprint", "demo/config.yaml").out
