"""Arrays of one Zarr format as documents of the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from anyzarr.errors import UnsupportedError
from anyzarr.metadata import (
    ArrayMetadata,
    array_document,
    parse_array,
    to_document,
    to_v3_equivalent,
)
from anyzarr.metadata._to_v2 import to_v2_equivalent

__all__ = ["DIMENSIONS", "as_v2", "as_v3", "with_dimensions"]

DIMENSIONS: Final = "_ARRAY_DIMENSIONS"
"""The attribute by which xarray names the dimensions of v2 arrays."""

Document = Mapping[str, Any]


def as_v3(metadata: ArrayMetadata, path: str, *, recoded: bool) -> Document:
    """Return the document of a v2 array in v3; ``recoded``: its codecs need no counterpart."""
    try:
        return to_v3_equivalent(metadata)
    except UnsupportedError as error:
        if recoded:
            return array_document(
                shape=metadata.shape,
                dtype=metadata.dtype.newbyteorder("="),
                chunks=metadata.grid.chunk_shape or metadata.shape,
                fill_value=metadata.fill,
                attributes=metadata.attributes,
            )
        raise UnsupportedError(
            f"the array {path!r} cannot become Zarr v3 as it is stored: {error.message}; convert "
            "it to a new place with other codecs (compressor=...), which changes no value",
            path=path,
        ) from error


def as_v2(metadata: ArrayMetadata, path: str, *, recoded: bool) -> Document:
    """Return the document of a v3 array in v2; ``recoded``: its codecs need no counterpart.

    Names of dimensions are left out.
    """
    try:
        return to_v2_equivalent(_without_compressors(metadata) if recoded else metadata)
    except UnsupportedError as error:
        raise UnsupportedError(
            f"the array {path or '/'!r} cannot become Zarr v2: {error.message}", path=path
        ) from error


def with_dimensions(document: Document, names: Sequence[str | None] | None) -> Document:
    """Return the document of a v2 array with the names of its dimensions, if all have one."""
    if not names or not all(names):
        return document
    return {
        **document,
        "attributes": {**(document.get("attributes") or {}), DIMENSIONS: list(names)},
    }


def _without_compressors(metadata: ArrayMetadata) -> ArrayMetadata:
    """Return an array as if it had no compressors, for those that are asked for replace them."""
    document = to_document(metadata)
    sharding = metadata.sharding
    grid = metadata.grid.chunk_shape if sharding is None else sharding.subchunk_shape
    if grid is None:
        return metadata
    document["chunk_grid"] = {"name": "regular", "configuration": {"chunk_shape": list(grid)}}
    chain = metadata.codecs if sharding is None else sharding.codecs
    kept = [c for c in chain if c.name in {"bytes", "vlen-utf8", "vlen-bytes"}]
    document["codecs"] = [{"name": c.name, "configuration": dict(c.configuration)} for c in kept]
    return parse_array(document)
