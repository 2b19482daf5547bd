"""The pages hold together: links lead somewhere, and figures named in them exist."""

from __future__ import annotations

import json
import re

from jsonschema import Draft202012Validator

from tests.house.sources import ROOT, texts

LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def test_links_between_pages_lead_somewhere() -> None:
    """A link that is broken is a promise that is broken."""
    found = [
        f"{source.name}: {target}"
        for source in texts()
        if source.path.suffix == ".md"
        for target in LINK.findall(source.text)
        if not (source.path.parent / target).resolve().exists()
    ]
    assert found == []


def test_pages_that_the_code_points_to_exist() -> None:
    """A comment that says `see docs/...` sends nobody into the void."""
    found = [
        f"{source.name}: {target}"
        for source in texts()
        if source.path.suffix in {".py", ".sql"}
        for target in re.findall(r"\bdocs/[\w/-]+\.(?:md|json)\b", source.text)
        if not (ROOT / target).exists()
    ]
    assert found == []


def test_folders_of_the_project_are_in_the_map() -> None:
    """ARCHITECTURE.md names every package, so that a newcomer finds the way."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folders = sorted(
        path.name
        for parent in ("ledger", "ledger/domain", "ledger/service", "projections")
        for path in (ROOT / parent).iterdir()
        if (path / "__init__.py").exists()
    )
    assert [folder for folder in folders if f"{folder}/" not in page] == []


def test_the_published_schema_is_the_one_that_the_program_prints() -> None:
    """docs/incidents.schema.json is what `rollout incident export --schema` gives, and is a schema."""
    published = (ROOT / "docs" / "incidents.schema.json").read_bytes()
    assert published == (ROOT / "projections" / "incidents.schema.json").read_bytes()
    Draft202012Validator.check_schema(json.loads(published))
