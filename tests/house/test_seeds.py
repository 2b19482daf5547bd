"""docs/seeds.md names all that the go-live guides name, and what it points to is there."""

from __future__ import annotations

import ast
import re

import yaml

from ledger.profiles import shipped
from tests.house.sources import ROOT, modules

PAGE = (ROOT / "docs" / "seeds.md").read_text(encoding="utf-8")
# What the guides name, by kind: modes, commands, checks (P), thresholds, alerts, rollbacks, people; lessons,
# scenarios. Nothing may be left out: it is software, or a reason why not.
ITEMS = {"M": 25, "C": 30, "P": 27, "T": 26, "A": 20, "R": 14, "W": 5, "L": 10, "S": 14, "": 50}
ROW = re.compile(
    r"^\| (?P<kind>[A-Z]?)(?P<first>\d+)(?:-[A-Z](?P<last>\d+))? \|(?P<rest>.*)\|$", re.M
)
CODE = re.compile(r"`([^`]+)`")


def test_every_item_of_the_guides_is_named_once() -> None:
    """An item that nobody decided on is one that was forgotten."""
    named: dict[str, list[int]] = {kind: [] for kind in ITEMS}
    for row in ROW.finditer(PAGE):
        first = int(row["first"])
        named[row["kind"]] += range(first, int(row["last"] or first) + 1)
        assert all(cell.strip() for cell in row["rest"].split("|")), row.group()
    assert named == {kind: list(range(1, last + 1)) for kind, last in ITEMS.items()}


def test_the_tests_that_it_names_exist() -> None:
    """A test that was renamed is named anew."""
    known = {source.path.stem for source in modules()} | {
        node.name
        for source in modules()
        if source.name.startswith("tests/")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef)
    }
    named = {name for name in CODE.findall(PAGE) if re.fullmatch(r"test_\w+", name)}
    assert len(named) > 30
    assert sorted(named - known) == []


def test_the_commands_and_options_that_it_names_exist() -> None:
    """`rollout X Y --option`, as the reference has them."""
    reference = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^##+ (rollout.*?)\n(.*?)(?=^##|\Z)", reference, re.M | re.S))
    wrong: list[str] = []
    for text in CODE.findall(PAGE):
        words = text.split(" -- ")[0].split()
        if words[:1] != ["rollout"]:
            continue
        names = [word for word in words if word.islower() and word.isascii() and word.isalpha()]
        command = " ".join(names[:3] if " ".join(names[:3]) in sections else names[:2])
        options = [word for word in words if word.startswith("--") and word != "--help"]
        known = sections.get(command, "") + sections.get(f"{command} to", "")
        wrong += [f"{text}: {o}" for o in options if o not in known]
        wrong += [] if command in sections or text == "rollout --help" else [text]
    assert wrong == []


def test_the_rules_checks_and_phases_that_it_names_are_shipped() -> None:
    """What stands beside the words rule, check, phase and mitigation is in a profile."""
    named_there: set[str] = set()
    for path in shipped.FOLDER.rglob("*.yaml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in document.get("groups", []):
            named_there |= {rule["alert"] for rule in group["rules"]}
        for name in ("checks", "phases", "metrics"):
            named_there |= {item["name"] for item in document.get(name, [])}
        named_there |= document.get("mitigations", {}).keys()
        for phase in document.get("phases", []):
            for name in ("success", "kill"):
                named_there |= {item["name"] for item in phase.get(name, [])}
    kinds = "rules?|checks?|phases?|mitigations?|criterion"
    spoken = re.findall(rf"\b(?:{kinds}) ((?:`[\w-]+`(?: \(\w+\))?(?:, )?)+)", PAGE)
    named = {name for run in spoken for name in CODE.findall(run)}
    assert len(named) > 50
    assert sorted(named - named_there) == []
