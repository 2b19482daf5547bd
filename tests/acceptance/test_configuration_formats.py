"""Configurations in the formats of their programs: put, changed, blamed, rolled back, set by a phase."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Rollout

SECRET = "kQ7v9xZ2mPq4LrT8wYb3NcD6fGhJ5sKa"
FILES = {
    "config.json": (
        f'{{\n  // small\n  "stake": 25, /* was 50 */\n  "secret": "{SECRET}",\n  "pairs": ["A",],\n}}\n',
        ("stake", '"stake": 25,', '"stake": 50,'),
    ),
    "bot.json5": (f"{{stake: 25, // small\n secret: '{SECRET}',}}\n", ("stake", "25", "50")),
    "bot.hjson": (f"stake: 25 # small\nsecret: {SECRET}\n", ("stake", "25", "50")),
    ".env": (f"export STAKE=25 # small\nAPI_SECRET='{SECRET}'\n", ("STAKE", "25", "50")),
    "bot.ini": (f"; small\n[risk]\nstake = 25\nsecret = {SECRET}\n", ("risk.stake", "25", "50")),
    "bot.properties": (f"# small\nstake=25\nsecret: {SECRET}\n", ("stake", "25", "50")),
}
PLAN = """
profile: formats
environment: production
phases:
  - {{name: large, overlay: {{{key}: 50}}, exposure: {{{key}: 50}}}}
"""


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_kept_blamed_and_rolled_back_to_the_byte(
    name: str, tmp_path: Path, rollout: Rollout
) -> None:
    """I6, I10: as with YAML, whatever the program reads; the phase's overlay in the file's own words."""
    text, (key, old, new) = FILES[name]
    path = tmp_path / name
    path.write_text(text)
    (tmp_path / "plan.yaml").write_text(PLAN.format(key=key))
    rollout.env.update(ROLLOUT_REASON="agreed", ROLLOUT_YES="1")
    rollout("system", "add", "bot", "--config-file", path)
    put = rollout("config", "put", "bot", path, "--in-force", "--stable", "--tag", "v1")
    assert SECRET not in put.out + put.err
    rollout("profile", "adopt", "bot", tmp_path / "plan.yaml")
    rollout("phase", "enter", "bot", "large")
    assert path.read_text() == text.replace(old, new)
    rollout("drift", "bot", exits=0)
    rows = rollout("config", "list", "bot", "-o", "json").json
    (now,) = (row["fingerprint"] for row in rows if row["in_force"])
    changed = rollout("config", "diff", "bot", "v1", now, "-o", "json").json
    assert [row["key"] for row in changed] == [key]
    assert SECRET not in rollout("config", "blame", "bot").out
    rollout("config", "verify", "bot", exits=0)
    path.write_text(text.replace(old, new).replace("small", "edited by hand"))
    rollout("rollback", "bot", "--to", "v1")
    assert path.read_text() == text
    assert SECRET not in rollout("log", "bot", "-o", "jsonl").out


def test_a_pointer_is_no_configuration(tmp_path: Path, rollout: Rollout) -> None:
    """Refused as what it is, exit code 2: not "all keys removed"."""
    path = tmp_path / "config.yaml"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4cac\nsize 84977953\n")
    rollout("system", "add", "bot", "--config-file", path, ROLLOUT_REASON="r")
    told = rollout("config", "put", "bot", path, "--in-force", exits=2, ROLLOUT_REASON="r")
    assert "config.yaml is a Git LFS pointer" in told.err
    assert "git lfs pull" in told.err
