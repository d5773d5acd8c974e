"""What the metadata of all OME-Zarr groups has in common: where it lies, how it is taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyzarr.errors import MetadataError

__all__ = [
    "documents_of",
    "integer_of",
    "merged",
    "ome_of",
    "rest_of",
    "stated",
    "text_of",
    "version_of",
]


def ome_of(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the OME-Zarr metadata of a group: within ``ome`` since 0.5, beside others before."""
    nested = attributes.get("ome")
    return nested if isinstance(nested, Mapping) else attributes


def merged(
    attributes: Mapping[str, Any], version: str, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return attributes with OME-Zarr metadata changed; all others stay."""
    if version < "0.5":
        return {**attributes, **changes}
    nested = attributes.get("ome")
    before = nested if isinstance(nested, Mapping) else {}
    return {**attributes, "ome": {**before, "version": version, **changes}}


def documents_of(value: Any, what: str) -> list[Mapping[str, Any]]:
    """Return a list of documents, or raise :class:`MetadataError` naming ``what``."""
    if not isinstance(value, list) or not all(isinstance(d, Mapping) for d in value):
        raise MetadataError(f"{what!r} must be a list of documents, not {value!r}")
    return value


def rest_of(document: Mapping[str, Any], *known: str) -> dict[str, Any]:
    """Return the keys of a document that are not known."""
    return {k: v for k, v in document.items() if k not in known}


def stated(**values: Any) -> dict[str, Any]:
    """Return the values that are not None."""
    return {k: v for k, v in values.items() if v is not None}


def integer_of(value: Any, what: str) -> int | None:
    """Return a whole number or None, or raise :class:`MetadataError` naming ``what``."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise MetadataError(f"{what} must be a whole number, not {value!r}")


def text_of(document: Mapping[str, Any], key: str, what: str) -> str:
    """Return a string that a document must have, or raise naming ``what``."""
    value = document.get(key)
    if not isinstance(value, str):
        raise MetadataError(f"{what} needs a {key!r} that is a string, not {value!r}")
    return value


def version_of(attributes: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Return the version that a group's attributes state, or the object in them, or their form."""
    version = ome_of(attributes).get("version") or document.get("version")
    return str(version or ("0.5" if "ome" in attributes else "0.4"))
