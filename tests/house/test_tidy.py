"""House rules: each names what to do instead. An allow-list may only get shorter."""

from __future__ import annotations

import ast
import re

from tests.house.sources import Source, functions, modules, product, texts

FILE_LINES_MAX = 400
TEST_LINES_MAX = 500  # a list of cases reads on
FUNCTION_LINES_MAX = 70
# file -> lines it had when the rule came. Nothing is added here.
STILL_LONG: dict[str, int] = {}

# call -> what to use instead
BANNED_CALLS = {
    "datetime.now": "clock.now(): time is given, so that tests and replays own it",
    "datetime.utcnow": "clock.now()",
    "datetime.today": "clock.now()",
    "date.today": "clock.now()",
    "time.time": "clock.now(), or clock.monotonic() for a duration",
    "time.sleep": "clock.sleep()",
    "print": "cli.output: data on stdout, talk on stderr",
}
CLOCK = "ledger/clock.py"

# Written in two pieces, so that this file keeps the rule that it checks.
BANNED_TEXTS = {
    "FIX" + "ME": "nothing: finish it",
    "TO" + "DO": "nothing: finish it",
    "XX" + "X:": "nothing: finish it",
    "/wo" + "rk/": "a path within the project",
    "/ro" + "ot/": "a path within the project",
    "/opt/" + "pypi": "nothing: the lock has hashes and needs no index",
    "pypi" + ".org": "nothing: the lock has hashes and needs no index",
    "python" + "hosted": "nothing: the lock has hashes and needs no index",
    "registry." + "npmjs": "the client's own default",
    "--extra-" + "index-url": "nothing: the lock has hashes and needs no index",
    "--find" + "-links": "nothing: the lock has hashes and needs no index",
}
# Words that tell the reader how to feel and nothing else.
BANNED_WORDS = ("simply", "obviously", "seamless", "utilize", "blazing", "cutting-edge")

NOQA = re.compile(r"#\s*noqa\b(?P<rest>.*)", re.IGNORECASE)
NOQA_WITH_REASON = re.compile(r":\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*\s+(?:--?|#)?\s*\w+")
IGNORE = re.compile(r"#\s*(?:type|pyright):\s*ignore(?P<rest>.*)")
IGNORE_WITH_REASON = re.compile(r"\[[\w, -]+\]\s+(?:--?|#)?\s*\w+")


def test_time_and_output_go_through_their_one_door() -> None:
    """I13: only the clock reads the clock, and only cli.output prints."""
    found = [
        f"{source.name}:{node.lineno}: {name}(): use {BANNED_CALLS[name]}"
        for source in product()
        if source.name != CLOCK
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and (name := _dotted(node.func)) in BANNED_CALLS
    ]
    assert not found, "\n".join(found)


def test_nothing_unfinished_and_no_machine_in_the_text() -> None:
    """No unfinished business, no path of one machine, no address of a registry."""
    found = [
        f"{source.name}:{number}: {text!r}: use {instead}"
        for source in texts()
        for number, line in enumerate(source.lines, 1)
        for text, instead in BANNED_TEXTS.items()
        if text in line
    ]
    assert not found, "\n".join(found)


def test_words_say_something() -> None:
    """Prose states facts; the reader decides how they feel."""
    banned = re.compile(rf"\b({'|'.join(BANNED_WORDS)})\b", re.IGNORECASE)
    found = [
        f"{source.name}:{number}: {match.group()!r}: leave it out"
        for source in texts()
        if source.name != "tests/house/test_tidy.py" and source.name != "LICENSE"
        for number, line in enumerate(source.lines, 1)
        if (match := banned.search(line))
    ]
    assert not found, "\n".join(found)


def test_modules_are_short() -> None:
    """A module that outgrows one sitting is two modules."""
    found = [
        f"{source.name}: {len(source.lines)} lines, more than {allowed}: split it"
        for source in modules()
        if len(source.lines) > (allowed := STILL_LONG.get(source.name, _lines_max(source)))
    ]
    assert not found, "\n".join(found)


def test_the_list_of_long_modules_only_gets_shorter() -> None:
    """What was split leaves the list."""
    lengths = {source.name: len(source.lines) for source in modules()}
    assert [name for name in STILL_LONG if lengths.get(name, 0) <= TEST_LINES_MAX] == []


def _lines_max(source: Source) -> int:
    return TEST_LINES_MAX if source.name.startswith("tests/") else FILE_LINES_MAX


def test_functions_are_short() -> None:
    """A function fits on a screen."""
    found = [
        f"{source.name}:{function.lineno}: {function.name} has {length} lines, more than "
        f"{FUNCTION_LINES_MAX}: name its parts"
        for source in modules()
        for function in functions(source)
        if (length := _length(function)) > FUNCTION_LINES_MAX
    ]
    assert not found, "\n".join(found)


def test_a_silenced_check_says_why() -> None:
    """`# noqa: RULE -- reason`, `# type: ignore[rule] -- reason`."""
    found = [
        f"{source.name}:{number}: {match.group().strip()!r}: name the rule, then ' -- ' and the reason"
        for source in modules()
        for number, line in _comments(source)
        for pattern, good in ((NOQA, NOQA_WITH_REASON), (IGNORE, IGNORE_WITH_REASON))
        if (match := pattern.search(line)) and not good.match(match["rest"])
    ]
    assert not found, "\n".join(found)


def test_public_names_of_the_product_are_documented() -> None:
    """Each module, and each public class and function in one, says what it is for."""
    found: list[str] = []
    for source in product():
        if source.text.strip() and ast.get_docstring(source.tree) is None:
            found.append(f"{source.name}: the module has no docstring")
        found += [
            f"{source.name}:{node.lineno}: {node.name} has no docstring"
            for node in source.tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and ast.get_docstring(node) is None
        ]
    assert not found, "\n".join(found)


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    """A test that is not run proves nothing."""
    marks = (
        "pytest.mark." + "skip",
        "pytest." + "skip(",
        "pytest.mark." + "xfail",
        "pytest." + "xfail(",
    )
    found = [
        f"{source.name}:{number}: {line.strip()}"
        for source in modules()
        for number, line in enumerate(source.lines, 1)
        if any(mark in line for mark in marks)
    ]
    assert not found, "\n".join(found)


def _dotted(node: ast.expr) -> str:
    """Return ``a.b`` of an attribute of a name, else the name, else nothing."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _comments(source: Source) -> list[tuple[int, str]]:
    import io
    import tokenize

    tokens = tokenize.generate_tokens(io.StringIO(source.text).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
