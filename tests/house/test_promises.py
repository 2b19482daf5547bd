"""Every promise of the design is defended by a test that names it."""

from __future__ import annotations

import ast
import re

from tests.house.sources import modules

PROMISES = {f"I{number}" for number in range(1, 17)}
PROMISE = re.compile(r"\bI(?:1[0-6]|[1-9])\b")


def test_every_promise_is_cited_by_a_test() -> None:
    """A promise that no test defends is a hope."""
    cited: set[str] = set()
    for source in modules():
        if source.name.startswith("tests/"):
            for node in ast.walk(source.tree):
                cited |= _cited_by(node)
    assert sorted(PROMISES - cited) == []


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
