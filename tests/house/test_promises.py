"""Every promise of the design is defended by a test that names it."""

from __future__ import annotations

import ast
import re

from tests.house.sources import ROOT, modules

PROMISES = {f"I{number}" for number in (*range(1, 17), 31, 32, 33)}
PROMISE = re.compile(r"\bI(?:1[0-6]|3[1-3]|[1-9])\b")


def test_every_promise_is_cited_by_a_test() -> None:
    """A promise that no test defends is a hope."""
    cited: set[str] = set()
    for source in modules():
        if source.name.startswith("tests/"):
            for node in ast.walk(source.tree):
                cited |= _cited_by(node)
    assert sorted(PROMISES - cited) == []


def test_the_map_says_where_each_promise_is_kept() -> None:
    """And each place that it names is there."""
    rows = re.findall(r"^\| (I\d+) \|.*\| (.*) \|$", (ROOT / "ARCHITECTURE.md").read_text(), re.M)
    assert {promise for promise, _ in rows} == PROMISES
    places = [
        place for _, kept_by in rows for place in re.findall(r"`([a-z_/]+(?:/[\w.]+)+)`", kept_by)
    ]
    assert [place for place in places if not (ROOT / place).exists()] == []


def _cited_by(node: ast.AST) -> set[str]:
    """Return the promises in the docstring of a test, of a stateful test's class or of its rules."""
    if isinstance(node, ast.ClassDef):
        is_test = True
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
        is_test = (
            node.name.startswith("test_") or "rule(" in decorators or "invariant(" in decorators
        )
    else:
        return set()
    return set(PROMISE.findall(ast.get_docstring(node) or "")) if is_test else set()
