"""Facts of one array's metadata, in the words of the field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyzarr.abc import Engine, Store
from anyzarr.engines import choose
from anyzarr.errors import UnsupportedError
from anyzarr.metadata import ArrayMetadata, CodecSpec
from anyzarr.stores._shown import shown_root

__all__ = [
    "EngineChoice",
    "address",
    "chosen_engine",
    "chunk_shape",
    "codec_chain",
    "last_part",
    "memory_bytes",
    "shard_shape",
]


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Which engine would be used: its name and who does its I/O, or the reason there is none."""

    name: str | None
    io: str | None
    reason: str | None


def chosen_engine(
    metadata: ArrayMetadata, store: Store, path: str, engine: str | Engine | None = None
) -> EngineChoice:
    """Return the engine that would read the array; nothing is read.

    Raises
    ------
    UnsupportedError
        There is no engine of the name asked for (of ``kind`` ``unknown_engine``).
    """
    try:
        chosen = choose(metadata, store, engine)
    except UnsupportedError as error:
        if error.kind == "unknown_engine":
            raise
        return EngineChoice(None, None, error.message)
    uses_byte_layer = chosen.open(metadata, store, path).capabilities.byte_layer
    return EngineChoice(chosen.name, "byte layer" if uses_byte_layer else "own", None)


def chunk_shape(metadata: ArrayMetadata) -> tuple[int, ...] | None:
    """Return the shape of what can be read one by one; None on an irregular grid."""
    return metadata.subchunk_grid.chunk_shape


def shard_shape(metadata: ArrayMetadata) -> tuple[int, ...] | None:
    """Return the shape of the stored objects of a sharded array, else None."""
    return metadata.grid.chunk_shape if metadata.is_exclusively_sharded else None


def codec_chain(metadata: ArrayMetadata) -> tuple[str, ...]:
    """Return the codecs of a chunk (on a sharded array: of a subchunk) as short phrases."""
    codecs: Sequence[CodecSpec] = metadata.codecs
    while len(codecs) == 1 and codecs[0].name == "sharding_indexed":
        inner = _inner(codecs[0])
        if not inner:
            break
        codecs = inner
    return tuple(_phrase(codec) for codec in codecs)


def memory_bytes(metadata: ArrayMetadata) -> int | None:
    """Return the size of the array in memory; None where elements have no fixed size."""
    if metadata.data_type.is_variable_length:
        return None
    return math.prod(metadata.shape) * metadata.dtype.itemsize


def _inner(codec: CodecSpec) -> tuple[CodecSpec, ...]:
    documents = codec.configuration.get("codecs", ())
    return tuple(
        CodecSpec(d, {}) if isinstance(d, str) else CodecSpec(d["name"], d.get("configuration", {}))
        for d in documents
    )


def _phrase(codec: CodecSpec) -> str:
    name = codec.name.removeprefix("numcodecs.")
    words = [text for key in _TOLD if (text := _told(key, codec.configuration))]
    return f"{name} ({', '.join(words)})" if words else name


# Settings worth a reader's time, in this order; the rest is in the document.
_TOLD = ("cname", "level", "clevel", "shuffle", "endian", "order")


def _told(key: str, configuration: Mapping[str, Any]) -> str | None:
    value = configuration.get(key)
    if value is None or value == "noshuffle":
        return None
    if key in {"level", "clevel"}:
        return f"level {value}"
    if key == "endian":
        return f"{value} endian" if value == "big" else None
    if key == "order":
        return f"order {value}"
    if key == "shuffle" and not isinstance(value, str):
        return {1: "shuffle", 2: "bitshuffle"}.get(int(value))
    return str(value)


def address(store: Store, path: str) -> str:
    """Return the printable address of a node."""
    root = shown_root(store)
    return f"{root.rstrip('/')}/{path}" if path else root


def last_part(store: Store, path: str) -> str:
    """Return what a node is called: the last part of its address."""
    return path.rpartition("/")[2] or store.spec.root.rstrip("/").rpartition("/")[2]
