"""Parameters: declared with their defaults by a profile, given by ``--param``, put in for ``${name}``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from ledger.configuration import patterns
from ledger.configuration.names import Hint, hint_of
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import child_key, key_path
from ledger.domain.values.shapes import is_mapping, is_tuple
from ledger.domain.values.spelling import did_you_mean
from ledger.preflight.context import Scalar
from ledger.preflight.fields import PLACEHOLDER, RESOLVED
from ledger.preflight.specs import Check

BUILT_IN: Final = frozenset({"system"})
"""Parameters that are always there."""
_NOT_PUT_IN: Final = frozenset({"dsn"})
"""``${VARIABLE}`` in these means the environment: what is a parameter is recorded, and shown."""
_YES_NO: Final = {"true": True, "yes": True, "false": False, "no": False}


def effective(declared: Mapping[str, Scalar | None], given: Mapping[str, str]) -> dict[str, Scalar]:
    """Return the parameters of a run: what is ``given`` over the defaults, in the type of the default.

    A default of None means that there is none; such a parameter that is not given is left out, and
    only a check that needs it complains.

    Raises:
        BadInput: one that is not declared, not of its default's type, or a secret.
    """
    params = {name: value for name, value in declared.items() if value is not None}
    for name, text in given.items():
        if name not in declared:
            raise BadInput(
                f"there is no parameter {name!r}{nearest(name, declared)}",
                hint=f"the plan declares: {', '.join(sorted(declared)) or 'none'}",
            )
        params[name] = _typed(name, text, declared[name])
    for name, value in params.items():
        if isinstance(value, str) and _is_secret(name, value):
            raise BadInput(
                f"the parameter {name} holds a secret, and parameters are recorded",
                hint="put it into the environment of the programs that need it",
            )
    return params


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``; did you mean '…'?``, or nothing."""
    meant = did_you_mean(name, names)
    return f"; {meant}" if meant else ""


def check_placeholders(check: Check, declared: Iterable[str], where: str = "") -> None:
    """See that each ``${name}`` of ``check`` is a declared parameter, whether it has a value or not.

    Raises:
        BadInput: names check, key and the nearest right word, after ``where``.
    """
    parameters = BUILT_IN.union(declared)
    for key, text in _texts(_data(check), ""):
        for match in PLACEHOLDER.finditer(text):
            if match[1] is not None and match[1] not in parameters:
                raise BadInput(
                    f"{where}check {check.name}, {key}: ${{{match[1]}}} is no parameter of the plan"
                    f"{nearest(match[1], parameters)}",
                    hint="declare it under params: with a default, or null if it has to be given",
                )


def resolved(check: Check, params: Mapping[str, Scalar]) -> Check:
    """Return ``check`` with its parameters put in.

    Raises:
        BadInput: one has no value, or what comes out does not fit; names check and key.
    """
    written = _data(check)
    value = {
        key: item if key in _NOT_PUT_IN else _put_in(check, key, item, params)
        for key, item in written.items()
    }
    try:
        return type(check).model_validate(value, context=RESOLVED)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        raise BadInput(
            f"check {check.name}, {key_path(first['loc'])}: {message[:1].lower()}{message[1:]}"
        ) from None


def _typed(name: str, text: str, default: Scalar | None) -> Scalar:
    if isinstance(default, bool):
        value, wanted = _YES_NO.get(text.lower()), "true or false"
    elif isinstance(default, int | float):
        value, wanted = _number(text), "a number"
    else:
        return text
    if value is None:
        raise BadInput(f"the parameter {name} takes {wanted}, and was given {text!r}")
    return value


def _is_secret(name: str, value: str) -> bool:
    named = hint_of(name) is Hint.SECRET and not patterns.is_placeholder(value)
    return named or bool(patterns.find(f"{name}={value}"))


def _number(text: str) -> float | None:
    try:
        number = json.loads(text, parse_constant=lambda _: None)
    except ValueError:
        return None
    return number if isinstance(number, int | float) and not isinstance(number, bool) else None


def _data(check: Check) -> dict[str, Any]:
    return check.model_dump(exclude_unset=True)


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif is_mapping(value):
        for name, item in value.items():
            if key or name not in _NOT_PUT_IN:
                yield from _texts(item, child_key(key, name))
    elif is_tuple(value):
        for index, item in enumerate(value):
            yield from _texts(item, f"{key}[{index}]")


def _put_in(check: Check, key: str, value: Any, params: Mapping[str, Scalar]) -> Any:
    if is_mapping(value):
        return {
            name: _put_in(check, child_key(key, name), item, params) for name, item in value.items()
        }
    if is_tuple(value):
        return tuple(
            _put_in(check, f"{key}[{index}]", item, params) for index, item in enumerate(value)
        )
    if not isinstance(value, str):
        return value
    whole = PLACEHOLDER.fullmatch(value)
    if whole and whole[1] is not None:  # alone it keeps its type: a number stays one
        return _value(check, key, whole[1], params)
    return PLACEHOLDER.sub(
        lambda match: "$" if match[1] is None else _text(_value(check, key, match[1], params)),
        value,
    )


def _value(check: Check, key: str, name: str, params: Mapping[str, Scalar]) -> Scalar:
    if name not in params:
        raise BadInput(
            f"check {check.name}, {key}: ${{{name}}} has no value{nearest(name, params)}",
            hint=f"give it with --param {name}=…, or a default under params: in the plan",
        )
    return params[name]


def _text(value: Scalar) -> str:
    return value if isinstance(value, str) else json.dumps(value)
