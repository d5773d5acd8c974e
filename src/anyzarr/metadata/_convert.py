"""Metadata derived from metadata: one chunk, the subchunks, another shape, v3 for v2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata._codecs import byte_orders, chain_json, role_of
from anyzarr.metadata._dtypes import Dialect, data_type_json
from anyzarr.metadata._fill import fill_json
from anyzarr.metadata._grid import grid_json
from anyzarr.metadata._model import ArrayMetadata, ChunkGrid
from anyzarr.metadata._parse import parse_array, to_document

__all__ = ["resized", "respelled", "single_chunk", "subchunk", "to_v3_equivalent"]


def to_v3_equivalent(
    metadata: ArrayMetadata, *, filters_see_stored_order: bool = False
) -> dict[str, Any]:
    """Return a v3 document that describes the same stored chunks.

    A v3 array gives its own document. For v2: the chunk key encoding is ``v2``, order F a
    ``transpose``, big-endian data a ``bytes`` codec that says so, filters and compressor the
    codecs of :attr:`ArrayMetadata.codecs`, a null fill value the zero of the data type. In
    memory such an array has native byte order.

    Parameters
    ----------
    metadata
        Of the array.
    filters_see_stored_order
        Whether whoever reads the document applies filters such as ``delta`` to numbers in their
        stored byte order, as v2 does and v3 cannot say.

    Raises
    ------
    UnsupportedError
        v3 cannot say it; the message tells what.
    """
    if metadata.zarr_format == 3:
        return to_document(metadata)
    _check_expressible(metadata, filters_see_stored_order)
    encoding = metadata.key_encoding
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(metadata.shape),
        "data_type": data_type_json(metadata.data_type),
        "chunk_grid": grid_json(metadata.grid),
        "chunk_key_encoding": {
            "name": encoding.name,
            "configuration": {"separator": encoding.separator},
        },
        "fill_value": fill_json(metadata.fill, metadata.data_type, 3),
        "codecs": chain_json(metadata.codecs),
        "attributes": to_document(metadata).get("attributes", {}),
    }


def _check_expressible(metadata: ArrayMetadata, filters_see_stored_order: bool) -> None:
    names = [spec.name for spec in metadata.codecs]
    roles = [role_of(name) for name in names]
    orders = byte_orders(metadata.dtype)
    if len(orders) > 1:
        raise UnsupportedError(
            f"the v2 dtype {metadata.dtype} mixes byte orders, which Zarr v3 cannot express"
        )
    if None in roles:
        unknown = names[roles.index(None)]
        raise UnsupportedError(f"the v2 codec {unknown!r} has no counterpart in Zarr v3")
    ranks = ["array to array", "array to bytes", "bytes to bytes"]
    positions = [ranks.index(role) for role in roles if role is not None]
    if positions != sorted(positions):
        raise UnsupportedError(
            f"the v2 filters {names} turn bytes back into arrays, which Zarr v3 cannot express"
        )
    is_filtered = any(
        r == "array to array" and n != "transpose" for n, r in zip(names, roles, strict=True)
    )
    if is_filtered and "big" in orders and not filters_see_stored_order:
        raise UnsupportedError(
            f"v2 filters on big-endian data ({metadata.dtype}) work on the stored byte order, "
            "which Zarr v3 cannot express"
        )


def respelled(metadata: ArrayMetadata, dialect: Dialect) -> dict[str, Any]:
    """Return a v3 array's document with its data type and fill value as a library names them.

    The specifications and zarr-python differ in the names of raw bits and of variable-length
    bytes; each reads its own only. Nothing else is changed. A v2 array gives its own document.

    Parameters
    ----------
    metadata
        Of the array.
    dialect
        ``"core"`` (zarrs, tensorstore) or ``"zarr-python"``.
    """
    document = to_document(metadata)
    if metadata.zarr_format == 3:
        data_type = metadata.data_type
        document["data_type"] = data_type_json(data_type, dialect=dialect)
        fill = metadata.fill_value
        document["fill_value"] = fill_json(fill, data_type, 3, dialect=dialect)
    return document


def single_chunk(
    metadata: ArrayMetadata, chunk_shape: Sequence[int] | None = None
) -> ArrayMetadata:
    """Return the metadata of an array that is exactly one chunk of this one.

    The data type, fill value and codecs are the same, the format too; the key encoding is the
    default of the format; attributes and names are dropped. Used to run a codec chain.

    Parameters
    ----------
    metadata
        Of the array.
    chunk_shape
        Needed for a rectilinear grid; else the grid's chunk shape.

    Raises
    ------
    MetadataError
        The grid is rectilinear and ``chunk_shape`` is not given.
    """
    shape = metadata.grid.chunk_shape if chunk_shape is None else tuple(chunk_shape)
    if shape is None:
        raise MetadataError("a rectilinear grid has chunks of several shapes; give chunk_shape")
    document = to_document(metadata)
    for name in ("attributes", "dimension_names", "dimension_separator"):
        document.pop(name, None)
    document["shape"] = list(shape)
    if metadata.zarr_format == 2:
        return parse_array({**document, "chunks": list(shape)})
    grid = grid_json(ChunkGrid(shape, shape))
    return parse_array({**document, "chunk_grid": grid, "chunk_key_encoding": "default"})


def subchunk(metadata: ArrayMetadata) -> ArrayMetadata:
    """Return the metadata of the array of subchunks of a sharded array.

    Its grid is the subchunk grid and its codecs are those inside the shards, so that one of
    its chunks is one subchunk. Without sharding, or with codecs around the shards, a subchunk
    is a whole chunk and the metadata is returned as it is.
    """
    sharding = metadata.sharding
    if sharding is None or not metadata.is_exclusively_sharded:
        return metadata
    document = to_document(metadata)
    document["chunk_grid"] = grid_json(ChunkGrid(metadata.shape, sharding.subchunk_shape))
    document["codecs"] = chain_json(sharding.codecs)
    return parse_array(document)


def resized(metadata: ArrayMetadata, shape: Sequence[int]) -> ArrayMetadata:
    """Return the metadata with another shape of the same number of dimensions.

    A regular grid stays. A rectilinear one keeps its chunks; where they do not reach the new
    length, chunks as long as the last are added.

    Raises
    ------
    MetadataError
        The number of dimensions differs, or a length is negative.
    """
    if len(shape) != metadata.ndim:
        raise MetadataError(
            f"the shape {tuple(shape)} has {len(shape)} dimensions, the array has {metadata.ndim}"
        )
    document = {**to_document(metadata), "shape": [int(n) for n in shape]}
    if not metadata.grid.is_regular:
        shapes = document["chunk_grid"]["configuration"]["chunk_shapes"]
        document["chunk_grid"]["configuration"]["chunk_shapes"] = [
            _cover(entry, int(length)) for entry, length in zip(shapes, shape, strict=True)
        ]
    return parse_array(document)


def _cover(entry: Any, length: int) -> Any:
    """Extend the chunk lengths of a rectilinear dimension to cover ``length``."""
    if not isinstance(entry, list):
        return entry
    runs = [run if isinstance(run, list) else [run, 1] for run in entry]
    missing = length - sum(edge * count for edge, count in runs)
    if missing <= 0:
        return entry
    last = runs[-1][0]
    return [*entry, [last, -(-missing // last)]]
