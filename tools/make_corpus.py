"""Write ``tests/data/corpus-<writer>.zip``: the same arrays as three other libraries store them.

The libraries are used through their own interfaces, so that nothing of anyzarr decides what is
in the files. No values are stored: :func:`expected` says what every array holds.

Run ``python tools/make_corpus.py`` to write the archives anew, one per writer; those of a
library that is not installed are left as they are.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Json = dict[str, Any]
Values = npt.NDArray[Any]

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "data"

# ------------------------------------------------------------------ what is in the arrays

SHAPE = (20, 24)
CHUNKS = (16, 16)
LONG_SHAPE = (60, 90)
LONG_CHUNKS = (64, 64)


def expected(document: Mapping[str, Any]) -> Values:
    """Return what the array of this metadata document holds.

    The first cell of the innermost chunk grid is all fill value, so that a chunk (or a subchunk)
    is missing; the others hold numbers that are neither constant nor random.
    """
    dtype = _dtype(document)
    shape = tuple(document["shape"])
    index: npt.NDArray[np.int64] = np.arange(int(np.prod(shape)), dtype="i8").reshape(shape)
    number = index // 7 + index * index % 97 + 1
    if dtype.kind == "b":
        values: Values = number % 3 == 0
    elif dtype.kind in "iu":
        values = (number * 40503).astype(f"u{dtype.itemsize}").view(f"i{dtype.itemsize}")
        values = values.astype(dtype)
    elif dtype.kind == "f":
        values = ((number - 50) / 8).astype(dtype)
    elif dtype.kind == "c":
        values = ((number - 50) / 8 - 0.5j * (number % 5)).astype(dtype)
    elif dtype.kind in "mM":
        values = (number * 86_399).astype("i8").view(dtype.newbyteorder("=")).astype(dtype)
    else:
        values = (number % 1000).astype("U4").astype(dtype)
    values[tuple(slice(0, n) for n in _cell(document))] = _fill(dtype)
    return values


def _dtype(document: Mapping[str, Any]) -> np.dtype[Any]:
    return np.dtype(document["dtype"] if document["zarr_format"] == 2 else document["data_type"])


def _fill(dtype: np.dtype[Any]) -> Any:
    """Return the fill value: what a v2 document's 0, or a v3 document's, stands for."""
    return np.zeros((), dtype)[()]


def _cell(document: Mapping[str, Any]) -> Sequence[int]:
    if document["zarr_format"] == 2:
        return list(document["chunks"])
    cell = list(document["chunk_grid"]["configuration"]["chunk_shape"])
    codecs = document["codecs"]
    order = list(range(len(cell)))
    while True:
        for codec in codecs:
            if codec["name"] == "transpose":
                order = [order[axis] for axis in codec["configuration"]["order"]]
        if codecs[-1]["name"] != "sharding_indexed":
            return cell
        stored = codecs[-1]["configuration"]["chunk_shape"]
        cell = [stored[order.index(axis)] for axis in range(len(cell))]
        codecs = codecs[-1]["configuration"]["codecs"]


# ------------------------------------------------------------------ the arrays


def _codec(name: str, **configuration: Any) -> Json:
    return {"name": name, "configuration": configuration} if configuration else {"name": name}


def _blosc(cname: str, shuffle: str, typesize: int, blocksize: int = 0) -> Json:
    return _codec(
        "blosc", cname=cname, clevel=5, shuffle=shuffle, typesize=typesize, blocksize=blocksize
    )


CNAMES = ("lz4", "lz4hc", "zstd", "zlib", "blosclz")
SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")
DTYPES = (
    "uint16", "float32", "int8", "uint64", "bool", "int32", "float64", "uint8", "complex64",
    "int16", "uint32", "float16", "int64", "complex128",
)  # fmt: skip
ZSTD = _codec("zstd", level=3, checksum=False)
CRC = _codec("crc32c")


def _compressions(itemsize: int) -> dict[str, list[Json]]:
    made = {
        "none": [],
        "zstd": [ZSTD],
        "zstd-sum": [_codec("zstd", level=1, checksum=True)],
        "gzip": [_codec("gzip", level=5)],
        "crc32c": [CRC],
        "zstd-crc32c": [ZSTD, CRC],
        "gzip-zstd": [_codec("gzip", level=1), ZSTD],
    }
    for cname, shuffle in itertools.product(CNAMES, SHUFFLES):
        made[f"blosc-{cname}-{shuffle}"] = [_blosc(cname, shuffle, itemsize)]
    return made


def _bytes(itemsize: int, endian: str) -> Json:
    return _codec("bytes", endian=endian) if itemsize > 1 else _codec("bytes")


def _shard(chunk_shape: Sequence[int], codecs: Sequence[Json], location: str = "end") -> Json:
    index_codecs = [_codec("bytes", endian="little"), CRC]
    return _codec(
        "sharding_indexed",
        chunk_shape=list(chunk_shape),
        codecs=list(codecs),
        index_codecs=index_codecs,
        index_location=location,
    )


TRANSPOSE = _codec("transpose", order=[1, 0])

Layout = Callable[[list[Json]], list[Json]]
LAYOUTS: dict[str, Layout] = {
    "plain": lambda chain: chain,
    "shard-end": lambda chain: [_shard((8, 4), chain)],
    "shard-start": lambda chain: [_shard((4, 16), chain, "start")],
    "nested": lambda chain: [_shard((16, 8), [_shard((8, 4), chain)])],
    "transpose": lambda chain: [TRANSPOSE, *chain],
    "shard-transpose": lambda chain: [_shard((8, 4), [TRANSPOSE, *chain])],
    "transpose-shard": lambda chain: [TRANSPOSE, _shard((8, 4), chain)],
}


def _v3(dtype: str, codecs: Sequence[Json], **fields: Any) -> Json:
    zero: Any = 0
    kind = np.dtype(dtype).kind
    if kind == "b":
        zero = False
    elif kind == "c":
        zero = [0.0, 0.0]
    elif kind == "f":
        zero = 0.0
    grid = _codec("regular", chunk_shape=list(fields.pop("chunks", CHUNKS)))
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(fields.pop("shape", SHAPE)),
        "data_type": dtype,
        "chunk_grid": grid,
        "chunk_key_encoding": fields.pop("keys", _codec("default", separator="/")),
        "fill_value": zero,
        "codecs": list(codecs),
        "attributes": {},
    }


def _v2(dtype: str, compressor: Json | None, **fields: Any) -> Json:
    zero: Any = {"b": False, "S": "", "U": "", "c": [0.0, 0.0]}.get(np.dtype(dtype).kind, 0)
    return {
        "zarr_format": 2,
        "shape": list(SHAPE),
        "chunks": list(CHUNKS),
        "dtype": dtype,
        "compressor": compressor,
        "filters": fields.get("filters"),
        "order": fields.get("order", "C"),
        "fill_value": zero,
        "dimension_separator": fields.get("separator", "."),
    }


def _v3_arrays() -> Iterator[tuple[str, Json]]:
    dtypes = itertools.cycle(DTYPES)
    endians = itertools.cycle(["little", "big", "little"])
    for layout, arrange in LAYOUTS.items():
        for name in _compressions(1):
            dtype, endian = next(dtypes), next(endians)
            size = np.dtype(dtype).itemsize
            chain = [_bytes(size, endian), *_compressions(size)[name]]
            yield f"v3-{layout}-{name}-{dtype}-{endian}", _v3(dtype, arrange(chain))
    for dtype, endian in itertools.product(DTYPES, ["little", "big"]):
        size = np.dtype(dtype).itemsize
        for layout in ("plain", "shard-end"):
            codecs = LAYOUTS[layout]([_bytes(size, endian), ZSTD])
            yield f"v3-dtypes-{layout}-{dtype}-{endian}", _v3(dtype, codecs)
    for cname, shuffle in itertools.product(CNAMES, SHUFFLES):
        for dtype, blocksize in (("uint32", 0), ("uint16", 1000)):
            size = np.dtype(dtype).itemsize
            codecs = [_bytes(size, "little"), _blosc(cname, shuffle, size, blocksize)]
            document = _v3(dtype, codecs, shape=LONG_SHAPE, chunks=LONG_CHUNKS)
            yield f"v3-long-blosc-{cname}-{shuffle}-{blocksize}", document
    little = [_bytes(2, "little"), ZSTD]
    yield "v3-keys-v2", _v3("uint16", little, keys=_codec("v2", separator="."))
    yield "v3-keys-dots", _v3("uint16", little, keys=_codec("default", separator="."))
    yield "v3-1d", _v3("int32", [_bytes(4, "big"), ZSTD], shape=(50,), chunks=(16,))
    turned = [_codec("transpose", order=[2, 0, 3, 1]), *little]
    yield "v3-4d", _v3("int16", turned, shape=(3, 5, 4, 7), chunks=(2, 3, 2, 4))


def _v2_compressors() -> dict[str, Json | None]:
    made: dict[str, Json | None] = {
        "none": None,
        "zstd": {"id": "zstd", "level": 3},
        "gzip": {"id": "gzip", "level": 5},
        "zlib": {"id": "zlib", "level": 5},
        "lz4": {"id": "lz4", "acceleration": 1},
    }
    for cname, (shuffle, label) in itertools.product(CNAMES, enumerate(SHUFFLES)):
        made[f"blosc-{cname}-{label}"] = {
            "id": "blosc",
            "cname": cname,
            "clevel": 5,
            "shuffle": shuffle,
            "blocksize": 0,
        }
    return made


V2_DTYPES = ("<u2", ">f4", "|i1", "<u8", "|b1", ">i4", "<f8", "|u1", ">c8", "<i2", ">u4")


def _v2_arrays() -> Iterator[tuple[str, Json]]:
    dtypes = itertools.cycle(V2_DTYPES)
    for (name, compressor), order in itertools.product(_v2_compressors().items(), "CF"):
        dtype = next(dtypes)
        separator = "/" if order == "F" else "."
        document = _v2(dtype, compressor, order=order, separator=separator)
        yield f"v2-{name}-{order}-{dtype[1:]}-{_byte_order(dtype)}", document
    zstd = {"id": "zstd", "level": 3}
    for dtype in ("<i4", ">i8", "<u2", "|u1", "<f4", ">f8"):
        shuffle = [{"id": "shuffle", "elementsize": np.dtype(dtype).itemsize}]
        delta = [{"id": "delta", "dtype": dtype}]
        label = f"{dtype[1:]}-{_byte_order(dtype)}"
        yield f"v2-shuffle-{label}", _v2(dtype, zstd, filters=shuffle)
        if "f" not in dtype:
            yield f"v2-delta-{label}", _v2(dtype, zstd, filters=delta)
            yield f"v2-delta-shuffle-{label}", _v2(dtype, zstd, filters=delta + shuffle, order="F")
    for dtype in ("|S5", "<U4", ">U4", "<M8[s]", ">m8[us]", "<c16", ">f2"):
        label = dtype[1:].replace("[", "-").rstrip("]")
        yield f"v2-dtypes-{label}-{_byte_order(dtype)}", _v2(dtype, zstd)


def _byte_order(dtype: str) -> str:
    return {"<": "little", ">": "big", "|": "any"}[dtype[0]]


def arrays() -> dict[str, Json]:
    """Return all arrays: name to metadata document."""
    return dict(itertools.chain(_v3_arrays(), _v2_arrays()))


# ------------------------------------------------------------------ the writers


def _put_document(folder: Path, document: Json) -> None:
    name = ".zarray" if document["zarr_format"] == 2 else "zarr.json"
    folder.mkdir(parents=True)
    (folder / name).write_text(json.dumps(document))


def write_zarr(folder: Path, document: Json, values: Values) -> None:
    """Write with zarr-python."""
    import zarr

    _put_document(folder, document)
    array = zarr.open_array(str(folder), mode="r+", zarr_format=document["zarr_format"])
    array[...] = values


def write_zarrista(folder: Path, document: Json, values: Values) -> None:
    """Write with zarrista."""
    import zarrista

    if document["zarr_format"] == 2:
        raise ValueError("zarrista writes no arrays of format 2")
    folder.mkdir(parents=True)
    array = zarrista.Array.from_metadata(document, zarrista.store.FilesystemStore(folder))
    array.store_metadata()
    # It takes complex numbers as plain bytes only.
    array.store_array_subset(..., values.tobytes() if values.dtype.kind == "c" else values)


def write_tensorstore(folder: Path, document: Json, values: Values) -> None:
    """Write with tensorstore."""
    import tensorstore as ts

    is_v2 = document["zarr_format"] == 2
    fields = {k: v for k, v in document.items() if k not in ("node_type", "attributes")}
    spec = {
        "driver": "zarr" if is_v2 else "zarr3",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
        "metadata": fields if is_v2 else {**fields, "node_type": "array"},
        "create": True,
    }
    array = ts.open(spec).result()
    array.write(values.astype(array.dtype.numpy_dtype, copy=False)).result()


WRITERS: dict[str, Callable[[Path, Json, Values], None]] = {
    "tensorstore": write_tensorstore,
    "zarr": write_zarr,
    "zarrista": write_zarrista,
}


def _pack(folder: Path, target: Path) -> None:
    """Pack stored, sorted and without times, so that the same files give the same archive."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            archive.writestr(entry, path.read_bytes())


def make(writer: str, target: Path) -> tuple[int, dict[str, str]]:
    """Write one archive; return how many arrays are in it and why the others are not."""
    refused = {}
    count = 0
    with tempfile.TemporaryDirectory() as scratch:
        done = Path(scratch) / "done"
        done.mkdir()
        for number, (name, document) in enumerate(arrays().items()):
            folder = Path(scratch) / str(number)
            try:
                WRITERS[writer](folder, document, expected(document))
            except Exception as error:  # noqa: BLE001 - any library, any reason; it is shown
                refused[name] = f"{type(error).__name__}: {error}".splitlines()[0]
            else:
                folder.rename(done / name)
                count += 1
        _pack(done, target)
    return count, refused


def main() -> None:
    """Write the archives of all writers that are installed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("writers", nargs="*", default=sorted(WRITERS), help="default: all")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    options.folder.mkdir(parents=True, exist_ok=True)
    for writer in options.writers:
        target = options.folder / f"corpus-{writer}.zip"
        count, refused = make(writer, target)
        print(f"{target}: {count} arrays, {target.stat().st_size} bytes")
        for reason in sorted(set(refused.values())):
            names = [name for name, why in refused.items() if why == reason]
            print(f"  without {len(names)} ({names[0]} ...): {reason}")


if __name__ == "__main__":
    main()
