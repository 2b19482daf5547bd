"""YAML (or JSON, TOML) files that people write for us, read by strict pydantic models.

Whatever does not fit is told with file, line and key, what was expected, and the nearest right word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from ledger.configuration.loader import parse
from ledger.configuration.source import Source, decode
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import Value, key_path
from ledger.domain.values.spelling import did_you_mean

if TYPE_CHECKING:
    from ledger.configuration.yaml_tree import Node

PROBLEMS_SHOWN: Final = 8
Model = TypeVar("Model", bound=BaseModel)


class Misfit(ValueError):
    """A model's own objection to a part of it, at ``path`` below it: the message names its line."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


class Strict(BaseModel):
    """A piece of such a file: closed and frozen, and no text is taken for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def read_model(content: bytes, name: str, model: type[Model]) -> Model:
    """Return what the file ``name`` says.

    Raises:
        BadInput: it can't be read, or does not fit ``model``: a line for each problem.
    """
    source = decode(name, content)
    return fit(source, parse(source), model)


def fit(source: Source, value: Value, model: type[Model]) -> Model:
    """Return ``value``, which ``source`` means, as ``model``. Raises as `read_model` does."""
    try:
        # By way of Python values in lax containers: a YAML list is a tuple's natural form.
        return model.model_validate(_frozen(value))
    except ValidationError as error:
        problems = [_told(source, model, problem) for problem in error.errors(include_url=False)]
    shown = "\n".join(problems[:PROBLEMS_SHOWN])
    more = len(problems) - PROBLEMS_SHOWN
    raise BadInput(shown + (f"\n… and {more} more" if more > 0 else ""))


def _frozen(value: Value) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value


def _told(source: Source, model: type[BaseModel], problem: Mapping[str, Any]) -> str:
    context: Mapping[str, Any] = problem.get("ctx", {})
    path = _written(problem["loc"], model)
    if problem["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        path = (*path, str(context["discriminator"]).strip("'"))
    elif isinstance(misfit := context.get("error"), Misfit):
        path = (*path, *misfit.path)
    key = key_path(path) if path else "the file"
    where = place_of(source, path)
    if problem["type"] == "extra_forbidden":
        allowed = sorted(_fields_at(model, problem["loc"][:-1]))
        wanted = did_you_mean(str(problem["loc"][-1]), allowed)
        return f"{where}: there is no key {key}; {wanted or 'known here: ' + ', '.join(allowed)}"
    if problem["type"] in {"missing", "union_tag_not_found"}:
        return f"{where}: {key} is missing"
    if problem["type"] == "union_tag_invalid":
        return f"{where}: {key}: {_none_of(context['tag'], context['expected_tags'])}"
    if problem["type"] == "literal_error" and isinstance(problem["input"], str):
        return f"{where}: {key}: {_none_of(problem['input'], context['expected'])}"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"{where}: {key}: {message[:1].lower()}{message[1:]}"


def _none_of(given: str, expected: str) -> str:
    """Return what is wrong with a word that is none of the ``expected`` ones, quoted in a row."""
    allowed = re.findall(r"'([^']*)'", expected)
    wanted = did_you_mean(given, allowed)
    return f"{given!r} is none of {', '.join(allowed)}" + (f"; {wanted}" if wanted else "")


def place_of(source: Source, path: Sequence[str | int]) -> str:
    """Return ``FILE, line N`` of the value at ``path``, or the file alone if the line is unknown."""
    line = line_of(source, path)
    return f"{source.name}, line {line}" if line else source.name


def _written(location: Sequence[int | str], model: type[BaseModel]) -> tuple[str | int, ...]:
    """Return the path as it stands in the file: without the tags that pydantic puts in for unions."""
    written: list[str | int] = []
    types: list[Any] = [model]
    for step in location:
        if isinstance(step, str) and _tagged(types, step):
            types = _tagged(types, step)
            continue
        written.append(step)
        types = [t for inner in types for t in _step_into(inner, step)]
    return tuple(written)


def _fields_at(model: type[BaseModel], location: Sequence[int | str]) -> set[str]:
    types: list[Any] = [model]
    for step in location:
        tagged = _tagged(types, step) if isinstance(step, str) else []
        types = tagged or [t for inner in types for t in _step_into(inner, step)]
    return {
        field.alias or name
        for annotation in types
        if isinstance(annotation, type) and issubclass(annotation, BaseModel)
        for name, field in annotation.model_fields.items()
    }


def _tagged(types: Sequence[Any], tag: str) -> list[Any]:
    """Return the models of a union that ``tag`` means, by their ``kind``."""
    if len(types) < 2:
        return []
    return [
        annotation
        for annotation in types
        if isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and "kind" in annotation.model_fields
        and tag in get_args(annotation.model_fields["kind"].annotation)
    ]


def _step_into(annotation: Any, step: int | str) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if step in {field.alias, name}:
                yield from _alternatives(field.annotation)
        return
    for inner in get_args(annotation):
        yield from _alternatives(inner)


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Yield the types that a value may have, unions taken apart."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for each in get_args(annotation):
            yield from _alternatives(each)
    elif annotation is not NoneType:
        yield annotation


def line_of(source: Source, path: Sequence[str | int]) -> int | None:
    """Return the line on which the value at ``path`` begins, or what is left of it; None if unknown."""
    if source.format != "yaml":
        return None
    from ledger.configuration import yaml_tree

    node: Any = yaml_tree.compose(source).root
    for step in path:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            break
    offset = next(_starts(node), None)
    if offset is None and path:  # an empty list holds nothing that stands somewhere
        key = re.search(rf"^[\s-]*{re.escape(str(path[-1]))}\s*:", source.text, re.MULTILINE)
        offset = key.end() if key else None
    return None if offset is None else source.text.count("\n", 0, offset) + 1


def _starts(node: Node) -> Iterator[int]:
    if isinstance(node, list | dict):
        for child in node if isinstance(node, list) else node.values():
            yield from _starts(child)
    else:
        yield node.start
