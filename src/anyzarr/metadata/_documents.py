"""Metadata documents as bytes: the JSON of ``zarr.json``, ``.zarray``, ``.zgroup``, ``.zattrs``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from anyzarr.errors import MetadataError
from anyzarr.metadata._check import invalid, show

__all__ = [
    "canonical",
    "copied",
    "decode_document",
    "document_keys",
    "encode_alike",
    "encode_documents",
    "encode_json",
    "is_array_document",
    "merge_v2",
    "plain",
]

# The order of the specifications' own examples; a person reads these files.
_ORDER = (
    "zarr_format", "node_type", "shape", "data_type", "dtype", "chunk_grid", "chunks",
    "chunk_key_encoding", "dimension_separator", "fill_value", "order", "codecs", "filters",
    "compressor", "dimension_names", "storage_transformers", "attributes",
)  # fmt: skip
_RANK = {name: rank for rank, name in enumerate(_ORDER)}

# Attributes that no document has, as they are encoded: others are put in their place.
_ABSENT = "\x00anyzarr\x00"
_LINE, _DEEPER = "\n", "\n  "
_TEMPLATE = json.dumps({_ABSENT: None}, indent=2).replace(_LINE, _DEEPER)


def _to_json(value: object) -> Any:
    """Turn what a caller may put into a document, and JSON does not know, into what it does."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def canonical(document: Mapping[str, Any]) -> str:
    """Return one text for each content, whatever the order of keys and the types of containers.

    Raises
    ------
    MetadataError
        It holds what JSON cannot, or is nested too deep, or refers to itself.
    """
    if not isinstance(document, Mapping):
        raise MetadataError(f"a metadata document must be an object, got {show(document)}")
    try:
        return json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_to_json
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise MetadataError(
            f"the metadata document cannot be written as JSON ({error}); "
            "use only strings, numbers, booleans, None, lists and dicts with string keys"
        ) from None


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy made of the plain JSON types."""
    canonical(document)
    return copied(document)


def copied(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy of what is known to be JSON, made of the plain types."""
    copy: dict[str, Any] = json.loads(json.dumps(content, default=_to_json))
    return copy


def decode_document(
    data: bytes | bytearray | memoryview, *, key: str | None = None
) -> dict[str, Any]:
    """Return the JSON object stored in a metadata document.

    The tokens ``NaN``, ``Infinity`` and ``-Infinity`` are read, because zarr-python writes them.

    Parameters
    ----------
    data
        The stored bytes.
    key
        The key they were read from, for the error.

    Raises
    ------
    MetadataError
        Not UTF-8, not JSON (truncated, say), not an object, or nested too deep.

    Examples
    --------
    >>> from anyzarr.metadata import decode_document
    >>> decode_document(b'{"zarr_format": 3, "node_type": "group"}')
    {'zarr_format': 3, 'node_type': 'group'}
    """
    subject = "the metadata document" if key is None else f"the metadata document {key!r}"
    try:
        value = json.loads(bytes(data).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MetadataError(
            f"{subject} is not UTF-8: {error.reason} at byte {error.start}", key=key
        ) from None
    except RecursionError:
        raise MetadataError(f"{subject} is nested too deep to be read", key=key) from None
    except ValueError as error:
        size = len(bytes(data))
        raise MetadataError(
            f"{subject} ({size} bytes) is not valid JSON, it may be truncated: {error}", key=key
        ) from None
    if not isinstance(value, dict):
        raise MetadataError(f"{subject} must hold a JSON object, got {show(value)}", key=key)
    return value


def merge_v2(
    node: bytes, attributes: bytes | None, *, path: str = "", name: str = ".zarray"
) -> dict[str, Any]:
    """Return the merged form of a v2 node: ``.zarray`` or ``.zgroup`` with ``attributes`` inside.

    Parameters
    ----------
    node
        Content of ``.zarray`` or ``.zgroup``.
    attributes
        Content of ``.zattrs``; None where there is none, and the result has no attributes then.
    path, name
        Where ``node`` was read, for the errors.
    """
    document = decode_document(node, key=_join(path, name))
    document.pop("attributes", None)
    if attributes is not None:
        document["attributes"] = decode_document(attributes, key=_join(path, ".zattrs"))
    return document


def is_array_document(document: Mapping[str, Any]) -> bool:
    """Return whether a (merged) document describes an array rather than a group.

    Examples
    --------
    >>> from anyzarr.metadata import group_document, is_array_document
    >>> is_array_document(group_document())
    False
    """
    if document.get("zarr_format") == 3:
        return document.get("node_type") == "array"
    return "shape" in document or "chunks" in document or "dtype" in document


def document_keys(document: Mapping[str, Any], path: str = "") -> tuple[str, ...]:
    """Return the keys a node's documents are stored under, the one that makes it a node last."""
    if document.get("zarr_format") == 3:
        return (_join(path, "zarr.json"),)
    own = ".zarray" if is_array_document(document) else ".zgroup"
    return _join(path, ".zattrs"), _join(path, own)


def encode_documents(document: Mapping[str, Any], path: str = "") -> dict[str, bytes]:
    """Return what to store for a node, by key, in the order to store it.

    v3 gives ``zarr.json``. v2 gives ``.zattrs`` (if the document has attributes) and then
    ``.zarray`` or ``.zgroup``, so that a node never appears without its attributes. The JSON is
    indented by two spaces and the same for the same content.

    Parameters
    ----------
    document
        A document in merged form, as :func:`to_document` and :func:`array_document` give it.
    path
        Path of the node; ``""`` is the root.

    Raises
    ------
    MetadataError
        ``zarr_format`` is neither 2 nor 3, or a v3 document holds a NaN or an infinity, which
        JSON (RFC 8259) does not have.

    Examples
    --------
    >>> from anyzarr.metadata import encode_documents, group_document
    >>> sorted(encode_documents(group_document(zarr_format=2), "a"))
    ['a/.zattrs', 'a/.zgroup']
    """
    content = plain(document)
    zarr_format = content.get("zarr_format")
    if zarr_format not in (2, 3) or isinstance(zarr_format, bool):
        raise invalid("zarr_format", zarr_format, "must be 2 or 3")
    if isinstance(content.get("fill_value"), float):
        content["fill_value"] = _number(content["fill_value"])
    if zarr_format == 3:
        data = encode_json(_in_order(content))
        if b"NaN" in data or b"Infinity" in data:  # in numbers as in text
            for field, value in _not_finite(content, ""):
                raise invalid(
                    field, value, 'must be a JSON number; write it as a string, such as "NaN"'
                )
        return {_join(path, "zarr.json"): data}
    attributes = content.pop("attributes", None)
    encoded = {} if attributes is None else {_join(path, ".zattrs"): encode_json(attributes)}
    own = ".zarray" if is_array_document(content) else ".zgroup"
    return {**encoded, _join(path, own): encode_json(_in_order(content))}


def encode_alike(
    document: Mapping[str, Any], attributes: Iterable[Mapping[str, Any]]
) -> Iterator[bytes]:
    """Return ``zarr.json`` for each of many nodes of v3 that differ in their attributes alone.

    The bytes are those of :func:`encode_documents`; what the nodes have in common is encoded once.

    Parameters
    ----------
    document
        A v3 document in merged form, whose own attributes do not matter.
    attributes
        Attributes of each node.

    Raises
    ------
    MetadataError
        As of :func:`encode_documents`.
    """
    template = encode_documents({**document, "attributes": {_ABSENT: None}})["zarr.json"].decode()
    before, _, after = template.partition(_TEMPLATE)
    for own in attributes:
        try:
            text = json.dumps(own, indent=2, ensure_ascii=False, default=_to_json)
            data = f"{before}{text.replace(_LINE, _DEEPER)}{after}".encode()
        except (TypeError, ValueError, RecursionError):
            data = b"NaN"
        if b"NaN" in data or b"Infinity" in data:
            data = encode_documents({**document, "attributes": own})["zarr.json"]
        yield data


def _number(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _not_finite(value: Any, field: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield field, value
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from _not_finite(entry, f"{field}.{name}" if field else name)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _not_finite(entry, f"{field}[{index}]")


def _in_order(content: dict[str, Any]) -> dict[str, Any]:
    return {k: content[k] for k in sorted(content, key=lambda k: _RANK.get(k, len(_RANK)))}


def encode_json(content: dict[str, Any]) -> bytes:
    """Return JSON as documents are stored: indented, in UTF-8."""
    try:
        return json.dumps(content, indent=2, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8 form, but it has a JSON escape.
        return json.dumps(content, indent=2).encode()


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
