"""docs/checks.md: its examples are read as checks, and it leaves no kind and no key out."""

from __future__ import annotations

import re
import textwrap

from ledger.preflight.params import check_placeholders, effective, resolved
from tests.house.sources import ROOT
from tests.support.preflight import Plan, plan

PAGE = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def _plans() -> list[Plan]:
    return [
        plan(text if "checks:" in text else "checks:\n" + textwrap.indent(text, "  "))
        for text in EXAMPLES
    ]


def test_every_example_is_a_check() -> None:
    """What stands on the page can be copied."""
    given = {"http_admin_url": "http://127.0.0.1:8001"}
    for read in _plans():
        for check in read.checks:
            check_placeholders(check, read.params)
        params = effective(read.params, given if "http_admin_url" in read.params else {})
        assert [resolved(check, params).name for check in read.checks]


def test_every_kind_has_a_section_and_every_key_an_example() -> None:
    """A key that nobody shows is a key that nobody finds."""
    used: dict[str, set[str]] = {}
    for read in _plans():
        for check in read.checks:
            kind = getattr(check, "kind", "")
            used[kind] = used.get(kind, set()) | check.model_fields_set
    common = {"title", "priority", "category", "timeout"}
    for read in _plans():
        for check in read.checks:
            kind = getattr(check, "kind", "")
            assert set(type(check).model_fields) - used[kind] <= common, kind
    models = Plan.model_json_schema()["$defs"].values()
    kinds = {m["properties"]["kind"]["const"] for m in models if "kind" in m.get("properties", {})}
    assert used.keys() == kinds
    assert set(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)) == kinds
    assert common <= set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
