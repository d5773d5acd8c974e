"""Our metadata and stores in zarr-python's terms; imports zarr, so import it lazily.

Shared by the engines ``zarr`` and ``zarrs-python``. Nothing here reads or changes zarr's global
configuration beyond what constructing its objects reads, and nothing is looked up in a store.
"""

from __future__ import annotations

import dataclasses
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
import zarr
import zarr.core.chunk_grids
import zarr.core.codec_pipeline
from zarr.abc.codec import CodecPipeline
from zarr.abc.store import Store
from zarr.codecs._v2 import V2Codec
from zarr.core.array import AsyncArray
from zarr.core.array_spec import ArrayConfig, ArraySpec
from zarr.core.buffer import BufferPrototype
from zarr.core.buffer.cpu import Buffer, NDBuffer
from zarr.core.metadata import ArrayV2Metadata, ArrayV3Metadata
from zarr.core.sync import sync
from zarr.storage import StorePath

from anyzarr.engines._cache import BoundedCache
from anyzarr.engines._zarr_codecs import hardened
from anyzarr.metadata import ArrayMetadata, CodecSpec, respelled

__all__ = [
    "ZarrCodec",
    "array_config",
    "chunk_spec",
    "ndbuffer",
    "new_array",
    "quietly",
    "silenced",
    "zarr_metadata",
]

ZarrMetadata = ArrayV2Metadata | ArrayV3Metadata

PROTOTYPE = BufferPrototype(buffer=Buffer, nd_buffer=NDBuffer)

# Zarr's own pipelines, whatever the user's configuration says: the fused one (3.4 and later)
# needs no event loop per chunk where the store is synchronous, as ours are.
_PIPELINE: Any = getattr(
    zarr.core.codec_pipeline,
    "FusedCodecPipeline",
    zarr.core.codec_pipeline.BatchedCodecPipeline,
)

_compiled: BoundedCache[ZarrMetadata] = BoundedCache(256)
_warnings_lock = threading.RLock()


def zarr_metadata(metadata: ArrayMetadata) -> ZarrMetadata:
    """Return zarr's metadata object; raises whatever zarr raises if it cannot read it."""
    return _compiled.get_or_make(metadata.content, lambda: _compile(metadata))


def _compile(metadata: ArrayMetadata) -> ZarrMetadata:
    with quietly(metadata):
        if metadata.zarr_format == 2:
            document = {k: v for k, v in metadata.document.items() if k != "attributes"}
            # An empty list of filters means none; zarr warns of it.
            return hardened(
                ArrayV2Metadata.from_dict({**document, "filters": document.get("filters") or None})
            )
        return hardened(ArrayV3Metadata.from_dict(_v3_document(metadata)))


def _v3_document(metadata: ArrayMetadata) -> dict[str, Any]:
    document = respelled(metadata, "zarr-python")
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": document["shape"],
        "data_type": document["data_type"],
        "chunk_grid": document["chunk_grid"],
        "chunk_key_encoding": {
            "name": metadata.key_encoding.name,
            "configuration": {"separator": metadata.key_encoding.separator},
        },
        "fill_value": document["fill_value"],
        "codecs": [_codec_json(codec) for codec in metadata.codecs],
        "attributes": {},
    }


def _codec_json(codec: CodecSpec) -> dict[str, Any]:
    return {"name": codec.name, "configuration": dict(codec.configuration)}


@contextmanager
def quietly(metadata: ArrayMetadata) -> Iterator[None]:
    """Keep zarr's remarks on what a document says from the user, who did not write it.

    Entered only where zarr is known to remark (sharding inside another codec; ``numcodecs.*``
    codecs before 3.2), one thread at a time: before Python 3.14 warning filters are the whole
    process's, so they are left alone everywhere else.
    """
    names = _codec_names(metadata)
    if "sharding_indexed" not in names and not any(n.startswith("numcodecs.") for n in names):
        yield
        return
    with silenced(UserWarning):
        yield


@contextmanager
def silenced(category: type[Warning]) -> Iterator[None]:
    """Ignore a category of warnings, one thread at a time."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


def _codec_names(metadata: ArrayMetadata) -> list[str]:
    names = [c.name for c in metadata.codecs]
    if metadata.sharding is not None:
        names += [c.name for c in metadata.sharding.codecs]
        if metadata.is_exclusively_sharded and "sharding_indexed" in names:
            names.remove("sharding_indexed")
    return names


def array_config(write_empty_chunks: bool) -> ArrayConfig:
    """Return zarr's run-time settings of one array."""
    return ArrayConfig(order="C", write_empty_chunks=write_empty_chunks)


def chunk_spec(metadata: ArrayMetadata, *, write_empty_chunks: bool) -> ArraySpec:
    """Return what zarr's codecs need to know of one chunk of a regular grid."""
    compiled = zarr_metadata(metadata)
    assert metadata.grid.chunk_shape is not None
    order = compiled.order if isinstance(compiled, ArrayV2Metadata) else "C"
    return ArraySpec(
        shape=metadata.grid.chunk_shape,
        dtype=compiled.dtype,
        fill_value=compiled.fill_value,
        config=ArrayConfig(order=order, write_empty_chunks=write_empty_chunks),
        prototype=PROTOTYPE,
    )


def new_pipeline(metadata: ArrayMetadata) -> CodecPipeline:
    """Return zarr's own codec pipeline for an array of a regular grid."""
    compiled = zarr_metadata(metadata)
    if isinstance(compiled, ArrayV2Metadata):
        codecs: Any = [V2Codec(filters=compiled.filters, compressor=compiled.compressor)]
    else:
        codecs = compiled.codecs
    pipeline: CodecPipeline = _PIPELINE.from_codecs(codecs)
    return _fitted(pipeline, chunk_spec(metadata, write_empty_chunks=False))


def _fitted(pipeline: CodecPipeline, spec: ArraySpec) -> CodecPipeline:
    """Return the pipeline for chunks of this kind."""
    if hasattr(zarr.core.codec_pipeline, "FusedCodecPipeline"):
        return pipeline.evolve_from_array_spec(spec)
    # Before zarr 3.2 that method exhausts a generator before it reads it.
    chain: Any = pipeline
    codecs: Any = [codec.evolve_from_array_spec(spec) for codec in chain]
    return type(pipeline).from_codecs(codecs)


def new_array(
    metadata: ArrayMetadata,
    store: Store,
    path: str,
    *,
    write_empty_chunks: bool,
    pipeline: CodecPipeline | None = None,
) -> zarr.Array[Any]:
    """Return zarr's array for our metadata; nothing is looked up in the store."""
    with quietly(metadata):
        chosen = new_pipeline(metadata) if pipeline is None else pipeline
        made = _assembled(
            metadata=zarr_metadata(metadata),
            store_path=StorePath(store, path),
            config=array_config(write_empty_chunks),
            codec_pipeline=chosen,
        )
    return zarr.Array(made)


def _assembled(**values: Any) -> AsyncArray[Any]:
    """Return zarr's asynchronous array with these fields.

    Its constructor would make another pipeline first, of the class that zarr's global
    configuration names. That is the user's affair, or another library's, and not ours.
    """
    names = {field.name for field in dataclasses.fields(AsyncArray)}
    if "_chunk_grid" in names:
        values["_chunk_grid"] = zarr.core.chunk_grids.ChunkGrid.from_metadata(values["metadata"])
    if names != set(values):
        pipeline = values.pop("codec_pipeline")
        made = AsyncArray(**{n: v for n, v in values.items() if not n.startswith("_")})
        object.__setattr__(made, "codec_pipeline", pipeline)
        return made
    assembled: AsyncArray[Any] = object.__new__(AsyncArray)
    for name, value in values.items():
        object.__setattr__(assembled, name, value)
    return assembled


def ndbuffer(array: npt.NDArray[Any]) -> NDBuffer:
    """Return zarr's view of an array; nothing is copied."""
    return NDBuffer.from_numpy_array(array)


def compares_loosely(metadata: ArrayMetadata) -> bool:
    """Return whether zarr takes other values for the fill value when it drops chunks.

    Complex numbers whatever the signs of their zeros and the payloads and places of their NaN.
    """
    fill = metadata.fill_value
    is_nan = metadata.dtype.kind == "f" and fill is not None and fill != fill
    return metadata.dtype.kind in "cVO" or bool(is_nan)


class ZarrCodec:
    """The codec chain of one chunk shape, through zarr's codec pipeline."""

    def __init__(self, metadata: ArrayMetadata) -> None:
        self._spec = chunk_spec(metadata, write_empty_chunks=False)
        self._full_spec = chunk_spec(metadata, write_empty_chunks=True)
        # Where zarr takes other numbers for the fill value, it is to leave nothing out.
        is_loose = compares_loosely(metadata) and metadata.dtype.kind != "O"
        specs = (self._spec, self._full_spec)
        self._encoding = specs[1:] if is_loose else specs
        with quietly(metadata):
            self._pipeline = new_pipeline(metadata)

    def decode(self, data: bytes | bytearray | memoryview) -> npt.NDArray[Any]:
        """Return the chunk, as zarr gives it."""
        encoded = Buffer.from_bytes(bytes(data))
        (decoded,) = sync(self._pipeline.decode([(encoded, self._spec)]))
        assert decoded is not None
        return decoded.as_numpy_array()

    def encode(self, value: npt.NDArray[Any]) -> bytes:
        """Return the encoded chunk; subchunks that are all fill value are left out of shards."""
        if value.dtype.kind == "O" and not value.flags.writeable:
            value = value.copy()  # numcodecs asks for objects as a writable buffer
        for spec in self._encoding:
            # A shard without a single subchunk encodes to nothing at all: the second round
            # keeps them.
            (encoded,) = sync(self._pipeline.encode([(ndbuffer(value), spec)]))
            if encoded is not None:
                return encoded.to_bytes()
        raise AssertionError("zarr encoded a chunk to nothing")
