"""What a value of JSON, YAML or a model's dump is, in terms that a type checker can go by."""

from __future__ import annotations

from typing import Any, TypeGuard


def is_mapping(value: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether a value is a mapping; the keys of JSON's are texts."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Tell whether a value is a list."""
    return isinstance(value, list)


def is_tuple(value: object) -> TypeGuard[tuple[Any, ...]]:
    """Tell whether a value is a tuple: a list, in a frozen model."""
    return isinstance(value, tuple)
