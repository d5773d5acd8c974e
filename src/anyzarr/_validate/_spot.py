"""A value in a document, with its place: what rules look at and complain about."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from anyzarr._validate._findings import Finding, Findings

__all__ = ["Spot", "is_integer", "is_number"]

_SHOWN = 60


def is_number(value: Any) -> bool:
    """Whether JSON calls it a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    """Whether JSON Schema calls it an integer: 3.0 is one, True is none."""
    return is_number(value) and (isinstance(value, int) or value.is_integer())


_KINDS: Final[dict[str, Callable[[Any], bool]]] = {
    "an object": lambda v: isinstance(v, Mapping),
    "a list": lambda v: isinstance(v, list),
    "a string": lambda v: isinstance(v, str),
    "a number": is_number,
    "an integer": is_integer,
    "true or false": lambda v: isinstance(v, bool),
}


@dataclass(frozen=True, slots=True)
class Spot:
    """A value and its place.

    Attributes
    ----------
    findings
        Where to complain.
    path
        Of the node.
    where
        In its attributes.
    value
        What is there.
    """

    findings: Findings
    path: str
    where: str
    value: Any

    def error(self, rule: str, message: str) -> None:
        """A MUST is broken here."""
        self.findings.error(Finding(self.path, self.where, rule, message))

    def warn(self, rule: str, message: str) -> None:
        """A SHOULD is broken here."""
        self.findings.warning(Finding(self.path, self.where, rule, message))

    @property
    def shown(self) -> str:
        """The value for a message, cut short."""
        try:
            text = json.dumps(self.value)
        except (TypeError, ValueError):
            text = repr(self.value)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

    def at(self, key: str | int, value: Any) -> Spot:
        """A place within this one."""
        step = f"[{key}]" if isinstance(key, int) else f".{key}" if self.where else str(key)
        return Spot(self.findings, self.path, f"{self.where}{step}", value)

    def has(self, key: str) -> bool:
        """Whether there is such a key; a value that is no object has none."""
        return isinstance(self.value, Mapping) and key in self.value

    def get(self, key: str) -> Any:
        """The value of a key, or None."""
        return self.value.get(key) if isinstance(self.value, Mapping) else None

    def is_a(self, kind: str, rule: str) -> bool:
        """Whether the value is of this kind; if not, complain."""
        if _KINDS[kind](self.value):
            return True
        self.error(rule, f"{self.shown} must be {kind}")
        return False

    def required(self, key: str, kind: str, rule: str) -> Spot | None:
        """The value of a key that must be there and of this kind; else complain, and None."""
        if self.has(key):
            return self.optional(key, kind, rule)
        self.error(rule, f"the key {key!r} is missing; it must be {kind}")
        return None

    def optional(self, key: str, kind: str, rule: str) -> Spot | None:
        """The value of a key that must be of this kind if it is there."""
        if not self.has(key):
            return None
        spot = self.at(key, self.get(key))
        return spot if spot.is_a(kind, rule) else None

    def recommended(self, key: str, rule: str) -> None:
        """Warn if a key is missing that should be there."""
        if not self.has(key):
            self.warn(rule, f"the key {key!r} should be given")

    def items(self) -> Iterator[Spot]:
        """The places of a list."""
        for index, value in enumerate(self.value):
            yield self.at(index, value)

    def objects(self, rule: str) -> Iterator[Spot]:
        """The places of a list of objects; complain about what is none."""
        return (spot for spot in self.items() if spot.is_a("an object", rule))

    def not_empty(self, rule: str, at_least: int = 1, at_most: int | None = None) -> bool:
        """Complain if the list has too few or too many entries."""
        n = len(self.value)
        if n >= at_least and (at_most is None or n <= at_most):
            return True
        bounds = f"at least {at_least}" if at_most is None else f"{at_least} to {at_most}"
        self.error(rule, f"{n} entries, where {bounds} are allowed")
        return False

    def unique(self, rule: str) -> None:
        """Complain if two entries of the list are equal."""
        seen: set[Any] = set()
        for spot in self.items():
            frozen = _frozen(spot.value)
            if frozen in seen:
                spot.error(rule, f"{spot.shown} is there twice")
            seen.add(frozen)

    def one_of(self, allowed: tuple[Any, ...], rule: str) -> bool:
        """Complain if the value is none of these."""
        if self.value in allowed and not isinstance(self.value, bool):
            return True
        listed = ", ".join(json.dumps(value) for value in allowed)
        self.error(rule, f"{self.shown} must be one of {listed}")
        return False

    def matches(self, pattern: re.Pattern[str], what: str, rule: str) -> bool:
        """Complain if the string is not of this form."""
        if pattern.fullmatch(self.value):
            return True
        self.error(rule, f"{self.shown} must be {what}")
        return False

    def at_least(self, least: float, rule: str) -> bool:
        """Complain if the number is smaller."""
        if self.value >= least:
            return True
        self.error(rule, f"{self.shown} must be at least {least}")
        return False


def _frozen(value: Any) -> Any:
    """Return a hashable that is equal where JSON Schema calls two values equal."""
    if isinstance(value, Mapping):
        return ("object", frozenset((k, _frozen(v)) for k, v in value.items()))
    if isinstance(value, list):
        return ("list", tuple(_frozen(v) for v in value))
    if isinstance(value, bool):
        return ("bool", value)
    return value
