"""A v3 array as a v2 document: the same chunks where v2 can say it, else the same values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from anyzarr.errors import UnsupportedError
from anyzarr.metadata._build import array_document
from anyzarr.metadata._codecs import codec_json, role_of
from anyzarr.metadata._dtypes import has_byte_order
from anyzarr.metadata._model import ArrayMetadata, CodecSpec
from anyzarr.metadata._parse import to_document

__all__ = ["to_v2_equivalent"]

_CHECKSUMS = frozenset({"crc32c"})


def to_v2_equivalent(metadata: ArrayMetadata) -> dict[str, Any]:
    """Return a v2 document for an array, with its chunks and compressor as far as v2 has them.

    A v2 array gives its own document. For v3: chunks are the subchunks of shards, checksums are
    left out, a ``transpose`` that reverses the axes is order F, names of dimensions are left out.
    Whether stored chunks are the same in both is for the caller to compare.

    Parameters
    ----------
    metadata
        Of the array.

    Raises
    ------
    UnsupportedError
        v2 has no such grid, data type or codec.
    """
    if metadata.zarr_format == 2:
        return to_document(metadata)
    sharding = metadata.sharding
    chunks = metadata.grid.chunk_shape if sharding is None else sharding.subchunk_shape
    if chunks is None:
        raise UnsupportedError(
            "its chunks are of several lengths along an axis, which Zarr v2 cannot express; give "
            "chunks="
        )
    chain = metadata.codecs if sharding is None else sharding.codecs
    dtype: Any = metadata.data_type
    if _is_big(chain) and has_byte_order(metadata.dtype):
        dtype = metadata.dtype.newbyteorder(">")
    return array_document(
        shape=metadata.shape,
        dtype=dtype,
        chunks=tuple(max(1, n) for n in chunks),
        filters=_filters(chain),
        compressors=_compressor(chain),
        fill_value=metadata.fill_value,
        order=_order(chain, metadata.ndim),
        zarr_format=2,
        attributes=to_document(metadata).get("attributes"),
        chunk_key_encoding=metadata.key_encoding.separator,
    )


def _is_big(chain: Sequence[CodecSpec]) -> bool:
    return any(c.name == "bytes" and c.configuration.get("endian") == "big" for c in chain)


def _order(chain: Sequence[CodecSpec], ndim: int) -> Literal["C", "F"]:
    orders = [c.configuration.get("order") for c in chain if c.name == "transpose"]
    reverse = list(range(ndim))[::-1]
    return "F" if len(orders) == 1 and list(orders[0] or ()) == reverse else "C"


def _filters(chain: Sequence[CodecSpec]) -> Any:
    names = ("array to array",)
    found = [codec_json(c) for c in chain if role_of(c.name) in names and c.name != "transpose"]
    return found or "auto"


def _compressor(chain: Sequence[CodecSpec]) -> Any:
    found = [c for c in chain if role_of(c.name) in {"bytes to bytes", None}]
    kept = [codec_json(c) for c in found if c.name not in _CHECKSUMS]
    if len(kept) > 1:
        raise UnsupportedError(
            f"it has the compressors {[c['name'] for c in kept]}, and Zarr v2 takes one; give "
            "compressor="
        )
    return kept[0] if kept else None
