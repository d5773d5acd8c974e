"""Parsing of v3 documents (Zarr core specification 3.1, zarr-extensions registry)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from anyzarr.metadata._check import as_ints, as_list, as_mapping, invalid, named, unsupported
from anyzarr.metadata._codecs import parse_chain, validate_chain
from anyzarr.metadata._dtypes import parse_data_type
from anyzarr.metadata._fill import parse_fill
from anyzarr.metadata._grid import chunk_shapes, parse_grid, parse_key_encoding
from anyzarr.metadata._model import ArrayMetadata, ChunkGrid, DataType, GroupMetadata

__all__ = ["check_chunk_bytes", "parse_v3_array", "parse_v3_group"]

_REQUIRED = (
    "zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding",
    "fill_value", "codecs",
)  # fmt: skip
_ARRAY_FIELDS = frozenset({*_REQUIRED, "attributes", "storage_transformers", "dimension_names"})
# Not in the specification, but written by zarr-python and marked as ignorable by it.
_GROUP_FIELDS = frozenset({"zarr_format", "node_type", "attributes", "consolidated_metadata"})


def parse_v3_array(document: Mapping[str, Any], content: str) -> ArrayMetadata:
    """Return the array metadata of a v3 document of plain JSON types, which it keeps."""
    for name in _REQUIRED:
        if name not in document:
            raise invalid(name, None, "must be in the metadata document of an array")
    _check_node_type(document, "array")
    _check_unknown(document, _ARRAY_FIELDS, "array")
    _check_transformers(document.get("storage_transformers"))
    shape = as_ints(document["shape"], "shape")
    data_type = parse_data_type(document["data_type"])
    grid = parse_grid(document["chunk_grid"], shape)
    check_chunk_bytes(grid, data_type)
    codecs = parse_chain(document["codecs"])
    validate_chain(codecs, chunk_shapes(grid), data_type)
    return ArrayMetadata(
        zarr_format=3,
        shape=shape,
        data_type=data_type,
        grid=grid,
        key_encoding=parse_key_encoding(document["chunk_key_encoding"]),
        fill_value=parse_fill(document["fill_value"], data_type),
        codecs=codecs,
        attributes=as_mapping(document.get("attributes", {}), "attributes"),
        dimension_names=_dimension_names(document.get("dimension_names"), len(shape)),
        document=document,
        content=content,
    )


def parse_v3_group(document: Mapping[str, Any]) -> GroupMetadata:
    """Return the group metadata of a v3 document of plain JSON types, which it keeps."""
    _check_node_type(document, "group")
    _check_unknown(document, _GROUP_FIELDS, "group")
    attributes = as_mapping(document.get("attributes", {}), "attributes")
    return GroupMetadata(zarr_format=3, attributes=attributes, document=document)


def check_chunk_bytes(grid: ChunkGrid, data_type: DataType) -> None:
    """Refuse chunks whose size in bytes no machine can address."""
    for shape in chunk_shapes(grid):
        if math.prod(shape) * max(1, data_type.dtype.itemsize) >= 2**63:
            raise invalid("the chunk shape", shape, "must be of less than 2**63 bytes")


def _check_node_type(document: Mapping[str, Any], expected: str) -> None:
    if document.get("node_type") != expected:
        raise invalid("node_type", document.get("node_type"), f'must be "{expected}"')


def _check_unknown(document: Mapping[str, Any], known: frozenset[str], node: str) -> None:
    """Refuse fields that the specification forbids to ignore (its section on must_understand)."""
    for name, value in document.items():
        ignorable = isinstance(value, dict) and value.get("must_understand") is False
        if name not in known and not ignorable:
            raise unsupported(
                name,
                value,
                f"this field of the {node}'s metadata is not known, and without "
                '"must_understand": false it must not be ignored',
            )


def _check_transformers(value: object) -> None:
    for index, entry in enumerate([] if value is None else as_list(value, "storage_transformers")):
        definition = named(entry, f"storage_transformers[{index}]")
        if definition.must_understand:
            raise unsupported(
                "storage_transformers", definition.name, "no engine has storage transformers"
            )


def _dimension_names(value: object, ndim: int) -> tuple[str | None, ...] | None:
    if value is None:
        return None
    names = as_list(value, "dimension_names")
    if len(names) != ndim:
        raise invalid(
            "dimension_names", value, f"must have one entry for each of {ndim} dimensions"
        )
    for index, name in enumerate(names):
        if name is not None and not isinstance(name, str):
            raise invalid(f"dimension_names[{index}]", name, "must be a string or null")
    return tuple(names)
