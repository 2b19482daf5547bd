"""The exception tree: codes, exit codes, and the pages that show them."""

from __future__ import annotations

import re
from collections import Counter

import ledger.domain.errors as errors_module
from docs import generate
from ledger.domain.errors import LedgerError

# DESIGN: the exit code of each family. A class takes its family's; the first digit of its code says which.
EXIT_CODE_OF_FAMILY = {
    "0": 1,
    "1": 2,
    "2": 3,
    "3": 5,
    "4": 6,
    "5": 7,
    "6": 8,
    "7": 9,
    "8": 1,
    "9": 4,
}


def test_codes_are_unique_and_well_formed() -> None:
    """A code, once used, means one thing."""
    codes = Counter(error.code for error in generate.errors())
    assert [code for code, times in codes.items() if times > 1] == []
    assert all(re.fullmatch(r"L[0-9]{3}", code) for code in codes)


def test_every_class_has_a_code_of_its_own() -> None:
    """A code that is inherited would name two things."""
    assert [error.__name__ for error in generate.errors() if "code" not in vars(error)] == []


def test_exit_codes_are_the_documented_ones() -> None:
    """Exit codes are part of the interface: each family of errors has its own."""
    wrong = {
        error.__name__: error.exit_code
        for error in generate.errors()
        if error.exit_code != EXIT_CODE_OF_FAMILY[error.code[1]]
    }
    assert wrong == {}
    assert {error.exit_code for error in generate.errors()} <= generate.EXIT_CODES.keys()


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    """A reader trusts the drawing, so it has every class, its code and its exit code."""
    line = re.compile(r"([A-Z]\w+) +(L[0-9]{3})  exit ([0-9])")
    drawn = {
        match[1]: (match[2], int(match[3])) for match in line.finditer(errors_module.__doc__ or "")
    }
    actual = {error.__name__: (error.code, error.exit_code) for error in generate.errors()}
    assert drawn == actual


def test_an_error_says_what_it_means() -> None:
    """Each class has a sentence of its own, which the reference page shows."""
    bare = [
        error.__name__
        for error in generate.errors()
        if not (vars(error).get("__doc__") or "").strip()
    ]
    assert bare == []


def test_an_error_is_a_sentence_with_a_next_step() -> None:
    """The message is what a person reads; the hint is the next step."""
    error = LedgerError("The file is not there.", hint="make it")
    assert str(error) == error.message == "The file is not there."
    assert error.hint == "make it"
