"""Files that people write for us: what does not fit is told with file, line, key and the right word."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import pytest
from pydantic import Field, model_validator

from ledger.configuration.strict import Misfit, Strict, read_model
from ledger.domain.errors import BadInput


class Http(Strict):
    kind: Literal["http"]
    url: str


class File(Strict):
    kind: Literal["file"]
    path: str
    count: int = 1


class Plan(Strict):
    name: str
    checks: tuple[Annotated[Http | File, Field(discriminator="kind")], ...]
    more: dict[str, File] = {}
    where: Literal["staging", "production"] = "staging"
    base: str = ""

    @model_validator(mode="after")
    def _other(self) -> Self:
        if self.base in self.more:
            raise Misfit(("more", self.base), "is the base")
        return self


def test_what_fits_is_read() -> None:
    plan = read_model(b"name: x\nchecks:\n  - {kind: http, url: u}\n", "p.yaml", Plan)
    assert plan == Plan(name="x", checks=(Http(kind="http", url="u"),))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: x\nchecks:\n - kind: http\n", "p.yaml, line 3: checks[0].url is missing"),
        (
            "name: x\nchecks:\n - kind: http\n   urll: u\n   url: u\n",
            "p.yaml, line 4: there is no key checks[0].urll; did you mean 'url'?",
        ),
        ("name: 3\nchecks: []\n", "p.yaml, line 1: name: input should be a valid string"),
        (
            "name: a\nchekcs: []\nchecks: []\n",
            "p.yaml, line 2: there is no key chekcs; did you mean 'checks'?",
        ),
        (
            "name: a\nchecks:\n - kind: file\n   path: x\n   count: '3'\n",
            "p.yaml, line 5: checks[0].count: input should be a valid integer",
        ),
        (
            "name: a\nchecks: []\nmore:\n  z: {kind: file, path: x, q: 1}\n",
            "p.yaml, line 4: there is no key more.z.q; known here: count, kind, path",
        ),
        (
            "name: a\nchecks:\n - {kind: flie, path: x}\n",
            "p.yaml, line 3: checks[0].kind: 'flie' is none of http, file; did you mean 'file'?",
        ),
        ("name: a\nchecks:\n - path: x\n", "p.yaml, line 3: checks[0].kind is missing"),
        (
            "name: a\nchecks: []\nwhere: pro\n",
            "line 3: where: 'pro' is none of staging, production; did you mean 'production'?",
        ),
        ("name: a\nchecks: []\nwhere: x\n", "line 3: where: 'x' is none of staging, production"),
        (
            "name: a\nchecks: []\nbase: a\nmore:\n  a: {kind: file, path: x}\n",
            "p.yaml, line 5: more.a: is the base",
        ),
        ("[]\n", "p.yaml: the file: "),
    ],
)
def test_what_does_not_fit_is_told_with_line_key_and_the_right_word(text: str, told: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_model(text.encode(), "p.yaml", Plan)
    assert told in refused.value.message
