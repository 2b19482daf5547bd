"""A number of a report: as it was recorded or computed, or absent, and then why. Never invented (I8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final

from projections.reports.words import Words

_EXACT: Final = Context(prec=40, traps=[])
DIGITS: Final = 12
"""More than anybody measured; hides how a sum was rounded."""
READ: Final = 6
"""Digits that people read; files for programs have all of them."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. Build it with `of` or `absent`, never both."""

    value: Decimal | None = None
    unit: str = ""
    why: str = ""
    """Where it is absent: a key of the words' table ``absent``."""
    about: tuple[tuple[str, str], ...] = field(default=())
    """What the sentence of ``why`` names."""

    def text(self, words: Words) -> str:
        """Return it as people read it: ``0.585``, ``762 ms``, or ``— (no samples of ece)``."""
        if self.value is None:
            return words("word.absent", reason=self.reason(words))
        whole = self.value == self.value.to_integral_value()
        shown = self.value if whole else Context(prec=READ).plus(self.value)
        return f"{number_text(shown)} {self.unit}".rstrip()

    def reason(self, words: Words) -> str:
        """Return why it is absent; nothing where it is not."""
        return words(f"absent.{self.why}", **dict(self.about)) if self.value is None else ""

    def as_json(self, words: Words) -> dict[str, Any]:
        """Return ``{"value": "0.585", "unit": "ms"}``, or ``{"value": null, "absent": …, "reason": …}``."""
        if self.value is None:
            return {"value": None, "absent": self.why, "reason": self.reason(words)}
        shown = {"value": number_text(self.value)}
        return shown | {"unit": self.unit} if self.unit else shown

    def cell(self) -> str:
        """Return it as a cell of a CSV file: empty where it is absent."""
        return "" if self.value is None else number_text(self.value)


def of(value: Decimal | int | str, unit: str = "") -> Figure:
    """Return the figure of a number, given exactly: text and integers, never a float."""
    return Figure(Decimal(value), unit)


def absent(why: str, **about: str) -> Figure:
    """Return a figure that is not there; ``why`` is a key of the table ``absent`` in words/*.toml."""
    return Figure(why=why, about=tuple(sorted(about.items())))


def mean(values: Iterable[Decimal], why: str, unit: str = "", **about: str) -> Figure:
    """Return the mean, or what `absent` says where there are no values."""
    total, count = Decimal(0), 0
    for value in values:
        total, count = _EXACT.add(total, value), count + 1
    if not count:
        return absent(why, **about)
    return Figure(rounded(_EXACT.divide(total, Decimal(count))), unit)


def ratio(part: int, whole: int, why: str, **about: str) -> Figure:
    """Return ``part`` of ``whole`` in per cent, or what `absent` says where the whole is nothing."""
    if not whole:
        return absent(why, **about)
    return Figure(rounded(_EXACT.divide(Decimal(100 * part), Decimal(whole))), "%")


def quantile(values: Iterable[Decimal], percent: int, why: str, unit: str = "") -> Figure:
    """Return the value that ``percent`` of the values don't exceed: one of them, nearest rank."""
    ordered = sorted(values)
    if not ordered:
        return absent(why)
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return Figure(ordered[max(rank, 1) - 1], unit)


def finite(text: str) -> Decimal | None:
    """Return a recorded value as a number; None where it is NaN or infinite."""
    try:
        value = _EXACT.create_decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def rounded(value: Decimal) -> Decimal:
    """Return ``value`` with as many digits as a report shows."""
    return Context(prec=DIGITS).plus(value)


def number_text(value: Decimal) -> str:
    """Return a number without an exponent, and without noughts at its end: ``0.58``, ``1200``."""
    shown = f"{value:f}"
    if "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown
