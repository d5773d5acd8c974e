"""Parsing of v2 documents (Zarr specification version 2), in merged form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyzarr.metadata._check import as_ints, as_list, as_mapping, invalid
from anyzarr.metadata._codecs import V2_OBJECT_CODECS, v2_chain
from anyzarr.metadata._dtypes_v2 import v2_data_type
from anyzarr.metadata._fill import parse_fill
from anyzarr.metadata._grid import regular_shape
from anyzarr.metadata._model import ArrayMetadata, ChunkGrid, ChunkKeyEncoding, GroupMetadata
from anyzarr.metadata._v3 import check_chunk_bytes

__all__ = ["parse_v2_array", "parse_v2_group"]

# fill_value, filters and compressor are required too, but writers leave them out where null.
_REQUIRED = ("shape", "chunks", "dtype", "order")


def parse_v2_array(document: Mapping[str, Any], content: str) -> ArrayMetadata:
    """Return the array metadata of a v2 document of plain JSON types, which it keeps."""
    for name in _REQUIRED:
        if name not in document:
            raise invalid(name, None, "must be in the metadata document of an array")
    if document["order"] not in ("C", "F"):
        raise invalid("order", document["order"], 'must be "C" or "F"')
    shape = as_ints(document["shape"], "shape")
    grid = ChunkGrid(shape, regular_shape(document["chunks"], shape, "chunks"))
    data_type = v2_data_type(document["dtype"], _object_codec(document))
    check_chunk_bytes(grid, data_type)
    fill = document.get("fill_value")
    return ArrayMetadata(
        zarr_format=2,
        shape=shape,
        data_type=data_type,
        grid=grid,
        key_encoding=_key_encoding(document.get("dimension_separator", ".")),
        fill_value=None if fill is None else parse_fill(fill, data_type, zarr_format=2),
        codecs=v2_chain(document, len(shape), data_type.dtype),
        attributes=as_mapping(document.get("attributes", {}), "attributes"),
        dimension_names=None,
        document=document,
        content=content,
    )


def parse_v2_group(document: Mapping[str, Any]) -> GroupMetadata:
    """Return the group metadata of a v2 document of plain JSON types, which it keeps."""
    attributes = as_mapping(document.get("attributes", {}), "attributes")
    return GroupMetadata(zarr_format=2, attributes=attributes, document=document)


def _key_encoding(separator: Any) -> ChunkKeyEncoding:
    if separator not in ("/", "."):
        raise invalid("dimension_separator", separator, 'must be "/" or "."')
    return ChunkKeyEncoding("v2", separator)


def _object_codec(document: Mapping[str, Any]) -> str | None:
    """Return the id of the filter, or compressor, that serialises objects."""
    filters = document.get("filters")
    candidates = [] if filters is None else as_list(filters, "filters")
    for codec in (*candidates, document.get("compressor")):
        codec_id = codec.get("id") if isinstance(codec, dict) else None
        if isinstance(codec_id, str) and codec_id in V2_OBJECT_CODECS:
            return codec_id
    return None
