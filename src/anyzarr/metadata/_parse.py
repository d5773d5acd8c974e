"""The one entrance: documents become frozen values here, once for each content."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeAlias

from anyzarr.errors import AnyzarrError, MetadataError
from anyzarr.metadata._check import invalid, unsupported
from anyzarr.metadata._documents import canonical, copied, is_array_document, plain
from anyzarr.metadata._model import ArrayMetadata, GroupMetadata
from anyzarr.metadata._v2 import parse_v2_array, parse_v2_group
from anyzarr.metadata._v3 import parse_v3_array, parse_v3_group

__all__ = ["parse", "parse_array", "parse_group", "parse_stored", "to_document", "with_attributes"]

_Copy: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]

_MAX_ENTRIES = 1024
_MAX_CHARACTERS = 32 * 2**20


class _Cache:
    """Parsed arrays by the content of their document: bounded, safe across threads."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, tuple[ArrayMetadata, int]] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()

    def get(self, content: Hashable) -> ArrayMetadata | None:
        with self._lock:
            found = self._entries.get(content)
            if found is None:
                return None
            self._entries.move_to_end(content)
            return found[0]

    def put(self, content: Hashable, metadata: ArrayMetadata, size: int) -> ArrayMetadata:
        """Keep an entry and return it, or the one another thread has put there meanwhile."""
        with self._lock:
            known = self._entries.get(content)
            if known is not None:
                return known[0]
            self._entries[content] = metadata, size
            self._characters += size
            while self._entries and (
                len(self._entries) > _MAX_ENTRIES or self._characters > _MAX_CHARACTERS
            ):
                _, (_, oldest) = self._entries.popitem(last=False)
                self._characters -= oldest
            return metadata

    def __len__(self) -> int:
        return len(self._entries)


_cache = _Cache()
_stored = _Cache()


def _after_fork() -> None:
    # The locks may have been held by a thread that does not exist in the child.
    global _cache, _stored
    _cache, _stored = _Cache(), _Cache()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def parse(
    document: Mapping[str, Any] | ArrayMetadata | GroupMetadata, *, path: str | None = None
) -> ArrayMetadata | GroupMetadata:
    """Return the checked metadata of an array or a group.

    Parameters
    ----------
    document
        A v3 document, or a v2 one in merged form (``attributes`` inside). Copied. Metadata
        that is parsed already is returned as it is.
    path
        Path of the node, for the errors.

    Raises
    ------
    MetadataError
        The document breaks a rule of its specification.
    UnsupportedError
        It names a data type, grid, key encoding or field that cannot be read.
    MissingDependencyError
        Its data type needs ml_dtypes.

    Examples
    --------
    >>> from anyzarr.metadata import array_document, parse
    >>> parse(array_document(shape=(100, 200), dtype="uint16", chunks=(50, 50))).shape
    (100, 200)
    """
    if isinstance(document, ArrayMetadata | GroupMetadata):
        return document
    try:
        return _parse(document, plain)
    except AnyzarrError as error:
        if path is not None and error.path is None:
            error.path = path
            error.message = f"{error.message} (node {path or '/'!r})"
        raise


def parse_stored(
    found: Sequence[bytes | None], decode: Callable[[], Mapping[str, Any]]
) -> ArrayMetadata | GroupMetadata:
    """Return the checked metadata of stored bytes; those of arrays are decoded once.

    Parameters
    ----------
    found
        The content of the node's documents, always in the same order.
    decode
        Makes the document of them. Called only for bytes that are not known.

    Raises
    ------
    MetadataError, UnsupportedError, MissingDependencyError
        See :func:`parse`; also what ``decode`` raises.

    Examples
    --------
    >>> from anyzarr.metadata import decode_document, parse_stored
    >>> data = b'{"zarr_format": 3, "node_type": "group"}'
    >>> parse_stored((data,), lambda: decode_document(data)).zarr_format
    3
    """
    # A store of someone else may give what has no hash and can change.
    key = tuple([None if data is None else bytes(data) for data in found])
    cached = _stored.get(key)
    if cached is not None:
        return cached
    # What was just decoded is of plain types, and nobody else's.
    metadata = _parse(decode(), dict)
    if isinstance(metadata, ArrayMetadata):
        _stored.put(key, metadata, sum(map(len, filter(None, key))))
    return metadata


def parse_array(
    document: Mapping[str, Any] | ArrayMetadata, *, path: str | None = None
) -> ArrayMetadata:
    """Return the checked metadata of an array; the same object for the same content.

    See :func:`parse`. What is parsed is cached by content, within bounds.

    Raises
    ------
    MetadataError
        Also if the document is that of a group.
    """
    metadata = parse(document, path=path)
    if not isinstance(metadata, ArrayMetadata):
        raise MetadataError("the metadata document is that of a group, not of an array", path=path)
    return metadata


def parse_group(
    document: Mapping[str, Any] | GroupMetadata, *, path: str | None = None
) -> GroupMetadata:
    """Return the checked metadata of a group; see :func:`parse`.

    Raises
    ------
    MetadataError
        Also if the document is that of an array.
    """
    metadata = parse(document, path=path)
    if not isinstance(metadata, GroupMetadata):
        raise MetadataError("the metadata document is that of an array, not of a group", path=path)
    return metadata


def with_attributes(metadata: ArrayMetadata, attributes: Mapping[str, Any]) -> ArrayMetadata:
    """Return the metadata of an array with other attributes, which are copied."""
    content = canonical({**metadata.document, "attributes": attributes})
    known = _cache.get(content)
    if known is not None:
        return known
    own = copied(attributes)
    document = MappingProxyType({**metadata.document, "attributes": own})
    changed = replace(metadata, attributes=own, document=document, content=content)
    return _cache.put(content, changed, len(content))


def to_document(metadata: ArrayMetadata | GroupMetadata) -> dict[str, Any]:
    """Return the document of parsed metadata, unknown fields included, as a copy of one's own.

    Examples
    --------
    >>> from anyzarr.metadata import group_document, parse, to_document
    >>> to_document(parse(group_document())) == group_document()
    True
    """
    return plain(metadata.document)


def _check_format(document: Mapping[str, Any]) -> None:
    if not isinstance(document, Mapping):
        raise invalid("the metadata document", document, "must be a mapping")
    zarr_format = document.get("zarr_format")
    if not isinstance(zarr_format, int) or isinstance(zarr_format, bool):
        raise invalid("zarr_format", zarr_format, "must be 2 or 3")
    if zarr_format not in (2, 3):
        raise unsupported("zarr_format", zarr_format, "only Zarr 2 and 3 can be read")
    if zarr_format == 3 and document.get("node_type") not in ("array", "group"):
        raise invalid("node_type", document.get("node_type"), 'must be "array" or "group"')


def _parse(document: Mapping[str, Any], own: _Copy) -> ArrayMetadata | GroupMetadata:
    """Return the checked metadata of a document, of which ``own`` makes what will be kept."""
    _check_format(document)
    if is_array_document(document):
        return _parse_array(document, own)
    read = parse_v3_group if document["zarr_format"] == 3 else parse_v2_group
    return read(MappingProxyType(own(document)))


def _parse_array(document: Mapping[str, Any], own: _Copy) -> ArrayMetadata:
    content = canonical(document)
    cached = _cache.get(content)
    if cached is not None:
        return cached
    read = parse_v3_array if document["zarr_format"] == 3 else parse_v2_array
    return _cache.put(content, read(MappingProxyType(own(document)), content), len(content))
