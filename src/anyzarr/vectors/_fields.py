"""Fields of the attributes of groups, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anyzarr.errors import MetadataError

__all__ = ["block", "integer_of", "numbers_of", "wrong_field"]


def block(attributes: Mapping[str, Any], name: str, what: str) -> Mapping[str, Any]:
    """Return the object of a name in a group's attributes.

    Parameters
    ----------
    attributes
        The attributes.
    name
        Of the object.
    what
        What the group is if it is there, in the words of the error.
    """
    own = attributes.get(name)
    if not isinstance(own, Mapping):
        raise MetadataError(
            f"this group is not {what}: its attributes have no {name!r}; they have "
            f"{', '.join(sorted(attributes)) or 'nothing'}",
            kind="not_vectors",
        )
    return own


def wrong_field(key: str, value: Any, rule: str) -> MetadataError:
    """Return the error for a field that is not what the rule says."""
    return MetadataError(f"the field {key!r} is {value!r}, and must be {rule}", kind=key)


def numbers_of(own: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """Return a field that is a list of numbers."""
    values = own.get(key)
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise wrong_field(key, values, "a list of numbers")
    try:
        return tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise wrong_field(key, values, "a list of numbers") from error


def integer_of(own: Mapping[str, Any], key: str, default: int) -> int:
    """Return a field that is a whole number, at least 0."""
    value = own.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise wrong_field(key, value, "a whole number, at least 0")
    return value
