"""Checks on single fields of a document, and the errors they raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyzarr.errors import MetadataError, UnsupportedError

__all__ = [
    "MAX_LENGTH",
    "Named",
    "as_int",
    "as_ints",
    "as_list",
    "as_mapping",
    "invalid",
    "named",
    "show",
    "unsupported",
]

MAX_LENGTH = 2**63 - 1
"""The longest dimension or chunk edge: what a signed 64-bit index can address."""

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Named:
    """An extension object (or its short-hand name) of a v3 document."""

    name: str
    configuration: Mapping[str, Any]
    must_understand: bool = True


def show(value: object) -> str:
    """Return a value's repr for a message, cut to one line's length."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # An integer of thousands of digits, or a value nested too deep, has no repr.
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def invalid(field: str, value: object, rule: str) -> MetadataError:
    """Return the error for a field whose value breaks a rule ("must be …")."""
    return MetadataError(f"{field} is {show(value)}, but it {rule}")


def unsupported(field: str, value: object, reason: str) -> UnsupportedError:
    """Return the error for a field that is valid, or may be, but that nothing here can read."""
    return UnsupportedError(f"{field} is {show(value)}: {reason}")


def as_int(value: object, field: str, *, minimum: int = 0, maximum: int = MAX_LENGTH) -> int:
    """Return an integer of a document within ``[minimum, maximum]``; true and 1.0 are none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(field, value, "must be an integer")
    if not minimum <= value <= maximum:
        raise invalid(field, value, f"must lie in [{minimum}, {maximum}]")
    return int(value)


def as_list(value: object, field: str) -> list[Any]:
    """Return a JSON array of a document."""
    if not isinstance(value, list):
        raise invalid(field, value, "must be an array")
    return value


def as_ints(
    value: object, field: str, *, length: int | None = None, minimum: int = 0
) -> tuple[int, ...]:
    """Return a JSON array of integers, of ``length`` entries if that is given."""
    entries = as_list(value, field)
    if length is not None and len(entries) != length:
        raise invalid(field, value, f"must have one entry for each of {length} dimensions")
    return tuple(as_int(v, f"{field}[{i}]", minimum=minimum) for i, v in enumerate(entries))


def as_mapping(value: object, field: str) -> dict[str, Any]:
    """Return a JSON object of a document."""
    if not isinstance(value, dict):
        raise invalid(field, value, "must be an object")
    return value


def named(value: object, field: str) -> Named:
    """Return an extension definition: ``"name"`` or ``{"name": …, "configuration": {…}}``."""
    if isinstance(value, str):
        return Named(value, {})
    if not isinstance(value, dict):
        raise invalid(field, value, 'must be a name or an object with a "name"')
    name = value.get("name")
    if not isinstance(name, str) or not name:
        raise invalid(f"{field}.name", name, "must be a non-empty string")
    configuration = as_mapping(value.get("configuration", {}), f"{field}.configuration")
    return Named(name, configuration, value.get("must_understand") is not False)
