"""Strategies that draw array documents of every layout the native engine covers."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

Json = dict[str, Any]

FILLS: dict[str, list[Any]] = {
    "bool": [False, True],
    "int8": [0, -1],
    "uint8": [0, 255],
    "int16": [0, -2],
    "uint16": [0, 513],
    "int32": [-5],
    "uint32": [0, 2**32 - 1],
    "int64": [0, -(2**60)],
    "uint64": [0, 2**64 - 1],
    "float16": [0.0, "NaN"],
    "float32": [0.0, "-Infinity", "NaN"],
    "float64": [-0.0, 0.1],
    "complex64": [[0.0, 0.0], [1.0, "NaN"]],
    "complex128": [[-0.0, 2.5]],
}


def codec(name: str, **configuration: Any) -> Json:
    return {"name": name, "configuration": configuration} if configuration else {"name": name}


@st.composite
def bytes_codecs(draw: st.DrawFn, itemsize: int) -> list[Json]:
    level = st.integers(1, 6)
    blosc = st.builds(
        lambda cname, clevel, shuffle, blocksize: codec(
            "blosc",
            cname=cname,
            clevel=clevel,
            shuffle=shuffle,
            typesize=itemsize,
            blocksize=blocksize,
        ),
        st.sampled_from(["lz4", "lz4hc", "blosclz", "zlib", "zstd"]),
        st.integers(0, 9),
        st.sampled_from(["noshuffle", "shuffle", "bitshuffle"]),
        st.sampled_from([0, 0, 128, 1000]),
    )
    one = st.one_of(
        st.builds(lambda n, c: codec("zstd", level=n, checksum=c), level, st.booleans()),
        level.map(lambda n: codec("gzip", level=n)),
        blosc,
        st.just(codec("crc32c")),
    )
    made = draw(st.lists(one, max_size=2))
    for after in made[1:]:
        # zarrista cannot read what it writes if Blosc gets no whole number of elements.
        if after["name"] == "blosc":
            after["configuration"]["typesize"] = 1
    return made


@st.composite
def chains(draw: st.DrawFn, itemsize: int, ndim: int) -> list[Json]:
    made = []
    if ndim > 1 and draw(st.booleans()):
        made.append(codec("transpose", order=draw(st.permutations(range(ndim)))))
    endian = draw(st.sampled_from(["little", "big"]))
    made.append(codec("bytes", endian=endian) if itemsize > 1 else codec("bytes"))
    return made + draw(bytes_codecs(itemsize))


def sharded(draw: st.DrawFn, chunk: list[int], chain: list[Json], around: bool) -> list[Json]:
    index_codecs = [codec("bytes", endian=draw(st.sampled_from(["little", "big"])))]
    if draw(st.booleans()):
        index_codecs.append(codec("crc32c"))
    shard = codec(
        "sharding_indexed",
        chunk_shape=chunk,
        codecs=chain,
        index_codecs=index_codecs,
        index_location=draw(st.sampled_from(["start", "end"])),
    )
    after = [codec("crc32c")] if around and draw(st.integers(0, 3)) == 0 else []
    return [shard, *after]


@st.composite
def arrays_v3(draw: st.DrawFn) -> Json:
    name = draw(st.sampled_from(sorted(FILLS)))
    ndim = draw(st.integers(1, 4))
    chain = draw(chains(np.dtype(name).itemsize, ndim))
    chunk = [draw(st.integers(1, 9 if ndim < 3 else 4)) for _ in range(ndim)]
    for depth in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        chain = sharded(draw, chunk, chain, around=depth == 0)
        chunk = [n * draw(st.integers(1, 3)) for n in chunk]
    separator = draw(st.sampled_from(["/", "."]))
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [draw(st.integers(1, 30 if ndim < 3 else 9)) for _ in range(ndim)],
        "data_type": name,
        "chunk_grid": codec("regular", chunk_shape=chunk),
        "chunk_key_encoding": codec(draw(st.sampled_from(["default", "v2"])), separator=separator),
        "fill_value": draw(st.sampled_from(FILLS[name])),
        "codecs": chain,
        "attributes": {},
    }


V2_DTYPES = ["|b1", "|i1", "|u1", "<i2", ">u2", "<i4", ">i4", "<u8", ">i8", ">f4", "<f8", "<c8"]


@st.composite
def arrays_v2(draw: st.DrawFn) -> Json:
    dtype = np.dtype(
        draw(
            st.sampled_from(
                ["|b1", "|i1", "|u1", "<i2", ">u2", "<i4", ">i4", "<u8", ">i8", ">f4", "<f8", "<c8"]
            )
        )
    )
    level = draw(st.integers(1, 6))
    blosc = {
        "id": "blosc",
        "cname": draw(st.sampled_from(["lz4", "zstd", "zlib", "blosclz"])),
        "clevel": level,
        "shuffle": draw(st.sampled_from([0, 1, 2, -1])),
        "blocksize": 0,
    }
    compressor = draw(
        st.sampled_from(
            [
                None,
                {"id": "zstd", "level": level},
                {"id": "gzip", "level": level},
                {"id": "zlib", "level": level},
                {"id": "lz4", "acceleration": level},
                blosc,
            ]
        )
    )
    filters = []
    if dtype.kind in "iu" and draw(st.booleans()):
        filters.append({"id": "delta", "dtype": dtype.str})
    if draw(st.booleans()):
        filters.append({"id": "shuffle", "elementsize": dtype.itemsize})
    ndim = draw(st.integers(1, 3))
    return {
        "zarr_format": 2,
        "shape": [draw(st.integers(1, 20)) for _ in range(ndim)],
        "chunks": [draw(st.integers(1, 9)) for _ in range(ndim)],
        "dtype": dtype.str,
        "compressor": compressor,
        "filters": filters or None,
        "order": draw(st.sampled_from("CF")),
        "fill_value": draw(st.sampled_from([None, 0])) if dtype.kind != "c" else None,
        "dimension_separator": draw(st.sampled_from("./")),
        "attributes": {},
    }


@st.composite
def rectilinear_axis(draw: st.DrawFn, size: int, unit: int) -> Any:
    """Edges of one dimension, all multiples of ``unit``; the last may reach past the array."""
    kind = draw(st.sampled_from(["edges", "edges", "runs", "one"]))
    if kind == "one":
        return unit * draw(st.integers(1, 3))
    entries: list[Any] = []
    end = 0
    while end < size or not entries:
        edge = unit * draw(st.integers(1, 4))
        count = draw(st.integers(1, 3)) if kind == "runs" else 1
        entries.append([edge, count] if kind == "runs" else edge)
        end += edge * count
    # Chunks beyond the array are allowed too.
    return entries + ([unit] if draw(st.booleans()) else [])


@st.composite
def arrays_rectilinear(draw: st.DrawFn) -> Json:
    """Arrays of format 3 whose chunks differ in shape, maybe sharded."""
    document = draw(arrays_v3())
    shape = document["shape"][:3]
    ndim = len(shape)
    chain = draw(chains(np.dtype(document["data_type"]).itemsize, ndim))
    unit = [1] * ndim
    for depth in range(draw(st.sampled_from([0, 0, 1, 2]))):
        unit = [n * draw(st.integers(1, 3)) for n in unit]
        chain = sharded(draw, unit, chain, around=depth == 0)
        unit = list(unit)
    axes = [draw(rectilinear_axis(n, u)) for n, u in zip(shape, unit, strict=True)]
    grid = codec("rectilinear", kind="inline", chunk_shapes=axes)
    return {**document, "shape": shape, "chunk_grid": grid, "codecs": chain}
