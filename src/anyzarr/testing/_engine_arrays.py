"""The arrays of the engine contract: one document per thing an engine can get wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.metadata import ArrayMetadata, parse_array

__all__ = ["ArrayCase", "array_cases", "random_values"]

Json = Mapping[str, Any]


@dataclass(frozen=True)
class ArrayCase:
    """One array of the contract.

    Attributes
    ----------
    name
        What is special about it.
    document
        Its metadata document (v2 with ``attributes`` inside).
    is_checked
        Whether any change to a stored object can be told from its bytes: a checksum covers it.
    """

    name: str
    document: Json
    is_checked: bool = False

    @property
    def metadata(self) -> ArrayMetadata:
        """The parsed document."""
        return parse_array(self.document)

    def __str__(self) -> str:
        return self.name


LITTLE: Json = {"name": "bytes", "configuration": {"endian": "little"}}
BIG: Json = {"name": "bytes", "configuration": {"endian": "big"}}
BYTES: Json = {"name": "bytes"}
VLEN_BYTES: Json = {"name": "vlen-bytes"}
VLEN_UTF8: Json = {"name": "vlen-utf8"}
CRC: Json = {"name": "crc32c"}
ZSTD: Json = {"name": "zstd", "configuration": {"level": 1, "checksum": False}}
GZIP: Json = {"name": "gzip", "configuration": {"level": 1}}


def _blosc(cname: str, shuffle: str, typesize: int) -> Json:
    configuration = {
        "cname": cname,
        "clevel": 3,
        "shuffle": shuffle,
        "typesize": typesize,
        "blocksize": 0,
    }
    return {"name": "blosc", "configuration": configuration}


def _transpose(*order: int) -> Json:
    return {"name": "transpose", "configuration": {"order": list(order)}}


def _shard(
    chunk_shape: Sequence[int],
    codecs: Sequence[Json],
    index_codecs: Sequence[Json] = (LITTLE, CRC),
    location: str = "end",
) -> Json:
    configuration = {
        "chunk_shape": list(chunk_shape),
        "codecs": list(codecs),
        "index_codecs": list(index_codecs),
        "index_location": location,
    }
    return {"name": "sharding_indexed", "configuration": configuration}


def _v3(
    data_type: Any,
    shape: Sequence[int],
    chunks: Sequence[int],
    codecs: Sequence[Json],
    fill_value: Any = 0,
    *,
    key_encoding: Json | None = None,
    edges: Sequence[Sequence[int]] | None = None,
) -> Json:
    grid: Json = {"name": "regular", "configuration": {"chunk_shape": list(chunks)}}
    if edges is not None:
        configuration = {"kind": "inline", "chunk_shapes": [list(e) for e in edges]}
        grid = {"name": "rectilinear", "configuration": configuration}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": data_type,
        "chunk_grid": grid,
        "chunk_key_encoding": key_encoding
        or {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill_value,
        "codecs": list(codecs),
        "attributes": {},
    }


def _v2(
    dtype: Any,
    shape: Sequence[int],
    chunks: Sequence[int],
    compressor: Json | None,
    *,
    fill_value: Any = 0,
    order: str = "C",
    filters: Sequence[Json] | None = None,
    separator: str = ".",
) -> Json:
    return {
        "zarr_format": 2,
        "shape": list(shape),
        "dtype": dtype,
        "chunks": list(chunks),
        "compressor": compressor,
        "fill_value": fill_value,
        "order": order,
        "filters": None if filters is None else list(filters),
        "dimension_separator": separator,
        "attributes": {},
    }


def _v3_codecs() -> list[ArrayCase]:
    v2_keys: Json = {"name": "v2", "configuration": {"separator": "."}}
    nested = _shard([4, 4], [_shard([2, 2], [LITTLE, ZSTD])])
    return [
        ArrayCase("v3-uncompressed", _v3("uint16", (7, 5), (3, 2), [LITTLE], 3)),
        ArrayCase("v3-big-endian", _v3("int64", (7, 5), (3, 2), [BIG], -5)),
        ArrayCase("v3-zstd", _v3("float32", (5, 6, 7), (2, 6, 3), [LITTLE, ZSTD])),
        ArrayCase("v3-gzip", _v3("int8", (20,), (6,), [BYTES, GZIP], -1), is_checked=True),
        ArrayCase(
            "v3-blosc-lz4-shuffle",
            _v3("uint16", (9, 8), (4, 4), [LITTLE, _blosc("lz4", "shuffle", 2)]),
        ),
        ArrayCase(
            "v3-blosc-zstd-bitshuffle",
            _v3("float64", (9, 8), (4, 4), [LITTLE, _blosc("zstd", "bitshuffle", 8)]),
        ),
        ArrayCase("v3-crc32c", _v3("int32", (9, 8), (4, 4), [LITTLE, CRC]), is_checked=True),
        ArrayCase(
            "v3-zstd-crc32c", _v3("uint32", (9, 8), (4, 4), [LITTLE, ZSTD, CRC]), is_checked=True
        ),
        ArrayCase(
            "v3-transpose", _v3("uint16", (4, 5, 6), (2, 3, 4), [_transpose(2, 0, 1), BIG, ZSTD])
        ),
        ArrayCase("v3-v2-keys", _v3("uint8", (5, 5), (2, 2), [BYTES], key_encoding=v2_keys)),
        ArrayCase(
            "v3-rectilinear",
            _v3("uint16", (7, 5), (), [LITTLE, ZSTD], 9, edges=([2, 4, 1], [3, 2])),
        ),
        ArrayCase("v3-chunk-larger-than-array", _v3("uint8", (3, 2), (8, 8), [BYTES, GZIP], 7)),
        ArrayCase("v3-no-dimensions", _v3("float32", (), (), [LITTLE, ZSTD], 1.5)),
        ArrayCase("v3-no-elements", _v3("uint8", (0, 4), (2, 2), [BYTES])),
        ArrayCase("v3-sharded", _v3("uint16", (13, 9), (8, 4), [_shard((2, 2), [LITTLE, ZSTD])])),
        ArrayCase(
            "v3-sharded-uncompressed", _v3("uint16", (9, 9), (4, 4), [_shard((2, 4), [BIG])], 1)
        ),
        ArrayCase(
            "v3-sharded-index-first-without-checksum",
            _v3(
                "int32",
                (9, 9),
                (6, 6),
                [_shard((3, 2), [_transpose(1, 0), LITTLE, GZIP, CRC], [BIG], "start")],
                -2,
            ),
        ),
        ArrayCase("v3-sharded-twice", _v3("uint8", (17, 8), (8, 8), [nested])),
        ArrayCase(
            "v3-sharded-inside-others",
            _v3("uint16", (9, 9), (4, 4), [_transpose(1, 0), _shard((2, 2), [LITTLE]), GZIP]),
        ),
    ]


def _v3_data_types() -> list[ArrayCase]:
    def case(name: str, data_type: Any, fill_value: Any, codec: Json = LITTLE) -> ArrayCase:
        return ArrayCase(f"v3-{name}", _v3(data_type, (5, 4), (2, 3), [codec, ZSTD], fill_value))

    seconds = {"unit": "ms", "scale_factor": 1}
    return [
        case("bool", "bool", True, BYTES),
        case("uint64", "uint64", 2**64 - 1),
        case("float16-nan", "float16", "NaN"),
        case("float64-negative-zero", "float64", -0.0),
        case("complex64", "complex64", [0.0, "NaN"]),
        case("complex128", "complex128", ["-Infinity", 1.0], BIG),
        case("bfloat16", "bfloat16", 0.5),
        case("raw", "r24", [1, 2, 3], BYTES),
        case("datetime64", {"name": "numpy.datetime64", "configuration": seconds}, "NaT"),
        case("timedelta64", {"name": "numpy.timedelta64", "configuration": seconds}, 0),
        case(
            "utf32",
            {"name": "fixed_length_utf32", "configuration": {"length_bytes": 12}},
            "ab",
        ),
        case(
            "struct",
            {
                "name": "struct",
                "configuration": {
                    "fields": [
                        {"name": "a", "data_type": "uint8"},
                        {"name": "b", "data_type": "float32"},
                    ]
                },
            },
            {"a": 1, "b": 0.0},
        ),
        case("string", "string", "none", VLEN_UTF8),
        case("bytes", "bytes", "", VLEN_BYTES),
        ArrayCase(
            "v3-bytes-uncompressed", _v3("variable_length_bytes", (5, 4), (1, 1), [VLEN_BYTES], "")
        ),
        ArrayCase(
            "v3-bytes-blosc",
            _v3("bytes", (7, 5), (4, 2), [VLEN_BYTES, _blosc("lz4", "noshuffle", 1)], "YWI="),
        ),
        ArrayCase(
            "v3-bytes-sharded",
            _v3("bytes", (5, 6), (4, 4), [_shard((1, 1), [VLEN_BYTES, ZSTD])], ""),
        ),
        ArrayCase(
            "v3-string-sharded",
            _v3("string", (7, 5), (4, 6), [_shard((2, 3), [VLEN_UTF8, GZIP])], "ß"),
        ),
    ]


def _v2_arrays() -> list[ArrayCase]:
    blosc: Json = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
    zstd: Json = {"id": "zstd", "level": 1}
    zlib: Json = {"id": "zlib", "level": 1}
    delta: Json = {"id": "delta", "dtype": "<i4"}
    shuffle: Json = {"id": "shuffle", "elementsize": 4}
    return [
        ArrayCase("v2-uncompressed-big-endian", _v2(">f4", (7, 5), (3, 2), None, fill_value=2.5)),
        ArrayCase(
            "v2-order-f-zlib", _v2("<i2", (7, 5, 3), (3, 2, 2), zlib, order="F"), is_checked=True
        ),
        ArrayCase("v2-blosc", _v2("<u2", (9, 8), (4, 4), blosc)),
        ArrayCase("v2-zstd-nested-keys", _v2("|u1", (9, 8), (4, 4), zstd, separator="/")),
        ArrayCase("v2-gzip-null-fill", _v2("<f8", (9,), (4,), {"id": "gzip", "level": 1},
                                           fill_value=None), is_checked=True),
        ArrayCase("v2-lz4", _v2("<i4", (9, 8), (4, 4), {"id": "lz4", "acceleration": 1})),
        ArrayCase("v2-delta-zstd", _v2("<i4", (9, 8), (4, 4), zstd, filters=[delta])),
        ArrayCase("v2-shuffle-zlib", _v2("<i4", (9,), (4,), zlib, filters=[shuffle])),
        ArrayCase("v2-bytes", _v2("|S3", (5, 4), (2, 3), zstd, fill_value="")),
        ArrayCase("v2-string", _v2("|O", (7, 5), (3, 2), zstd, fill_value="",
                                   filters=[{"id": "vlen-utf8"}])),
        ArrayCase("v2-vlen-bytes-order-f", _v2("|O", (7, 5), (3, 2), zstd, fill_value="", order="F",
                                               filters=[{"id": "vlen-bytes"}])),
        ArrayCase("v2-datetime64-big-endian", _v2(">M8[us]", (5,), (2,), zstd, fill_value="NaT")),
        ArrayCase("v2-no-dimensions", _v2(">u4", (), (), zlib, fill_value=7), is_checked=True),
    ]  # fmt: skip


def array_cases() -> list[ArrayCase]:
    """Return the arrays of the contract.

    Examples
    --------
    >>> from anyzarr.testing._engine_arrays import array_cases
    >>> len({case.name for case in array_cases()}) == len(array_cases())
    True
    """
    return [*_v3_codecs(), *_v3_data_types(), *_v2_arrays()]


_FLOATS = (0.0, -0.0, 1.0, -2.5, np.nan, np.inf, -np.inf)


def random_values(
    metadata: ArrayMetadata, shape: Sequence[int], seed: int | np.random.Generator
) -> npt.NDArray[Any]:
    """Return values of an array's dtype: random, with the odd ones, and the fill value often."""
    rng = np.random.default_rng(seed)
    dtype = metadata.dtype
    values: npt.NDArray[Any] = np.empty(tuple(shape), dtype)
    values[...] = _draw(dtype, values.shape, rng, is_bytes=metadata.data_type.name == "bytes")
    keep_fill = rng.random(values.shape) < 0.3
    values[keep_fill] = metadata.fill
    return values


def _draw(
    dtype: np.dtype[Any], shape: tuple[int, ...], rng: np.random.Generator, *, is_bytes: bool
) -> Any:
    size = int(np.prod(shape))
    if dtype.kind in "OT":
        words = [("", "a", "ß€😀", "word" * 9)[i] for i in rng.integers(0, 4, size)]
        flat = np.empty(size, dtype)
        flat[:] = [w.encode() for w in words] if is_bytes else words
        return flat.reshape(shape)
    if dtype.kind in "SU":
        return rng.choice(np.array(["", "a", "ab", "xyz"], dtype), shape)
    if dtype.names is not None:
        record = np.empty(shape, dtype)
        for name in dtype.names:
            record[name] = _draw(dtype[name], shape, rng, is_bytes=is_bytes)
        return record
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iuMm" or dtype.type is np.void:
        raw = rng.integers(0, 256, (size, dtype.itemsize), np.uint8)
        return np.frombuffer(raw.tobytes(), dtype).reshape(shape)
    real = _float_draw(shape, rng)
    if dtype.kind == "c":
        mixed = np.empty(shape, dtype)
        mixed.real, mixed.imag = real, _float_draw(shape, rng)
        return mixed
    with np.errstate(all="ignore"):
        return real.astype(dtype)


def _float_draw(shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    odd: Callable[..., npt.NDArray[np.float64]] = rng.choice
    return np.where(rng.random(shape) < 0.3, odd(np.array(_FLOATS), shape), rng.normal(size=shape))
