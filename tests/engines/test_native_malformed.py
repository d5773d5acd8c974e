"""Stored bytes of every wrong kind: native raises with key and chunk, or returns elements.

Each batch runs in a forked child, so that an abort is seen, and so is memory that was taken.
"""

from __future__ import annotations

import functools
import itertools
import resource
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt
import pytest
from numcodecs import Blosc, GZip, Zstd

from anyzarr import config
from anyzarr.abc import Box, Store
from anyzarr.errors import AnyzarrError, CorruptDataError, UnsupportedError
from anyzarr.metadata import ArrayMetadata, parse_array
from anyzarr.stores import LocalStore, MemoryStore

pytest.importorskip("anyzarr_native", reason="the native engine is not built")

from anyzarr.engines._native import NativeEngine

ENGINE = NativeEngine()
KEY = "a/c/0/0"
SHAPE = (16, 24)
MEMORY_BYTES = 256 << 20
RAISES, RIGHT, ANY = "raises", "raises or is right", "raises or is anything"

Fork = Callable[[Callable[[], Any]], tuple[str, Any]]
Case = tuple[str, bytes, str]
Json = dict[str, Any]


def codec(name: str, **configuration: Any) -> Json:
    return {"name": name, "configuration": configuration}


def blosc(cname: str, shuffle: str, blocksize: int = 256) -> Json:
    return codec("blosc", cname=cname, clevel=5, shuffle=shuffle, typesize=4, blocksize=blocksize)


LITTLE = codec("bytes", endian="little")
CRC: Json = {"name": "crc32c"}
ZSTD = codec("zstd", level=3, checksum=False)
ZSTD_SUM = codec("zstd", level=3, checksum=True)
GZIP = codec("gzip", level=5)

# What becomes of a flipped bit: a checksum over everything, one over the data, none.
CHAINS: dict[str, tuple[list[Json], str]] = {
    "none": ([], ANY),
    "crc32c": ([CRC], RAISES),
    "zstd": ([ZSTD], ANY),
    "zstd-sum": ([ZSTD_SUM], RIGHT),
    "zstd-crc32c": ([ZSTD, CRC], RAISES),
    "gzip": ([GZIP], RIGHT),
    "zlib": ([codec("numcodecs.zlib", level=5)], RIGHT),
    "lz4": ([codec("numcodecs.lz4", acceleration=1)], ANY),
    "shuffle-zstd": ([codec("numcodecs.shuffle", elementsize=4), ZSTD], ANY),
    "gzip-zstd": ([GZIP, ZSTD], ANY),
}
for _cname, _shuffle in itertools.product(
    ("lz4", "lz4hc", "zstd", "zlib", "blosclz"), ("noshuffle", "shuffle", "bitshuffle")
):
    CHAINS[f"blosc-{_cname}-{_shuffle}"] = ([blosc(_cname, _shuffle)], ANY)


def shard(chain: Sequence[Json], chunk_shape: Sequence[int], location: str = "end") -> Json:
    return codec(
        "sharding_indexed",
        chunk_shape=list(chunk_shape),
        codecs=list(chain),
        index_codecs=[LITTLE, CRC],
        index_location=location,
    )


def array(codecs: Sequence[Json], *, chunks: Sequence[int] = SHAPE, **fields: Any) -> ArrayMetadata:
    return parse_array(
        {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(SHAPE),
            "data_type": "int32",
            "chunk_grid": codec("regular", chunk_shape=list(chunks)),
            "chunk_key_encoding": {"name": "default"},
            "fill_value": 0,
            "codecs": list(codecs),
            "attributes": {},
            **fields,
        }
    )


def values() -> npt.NDArray[np.int32]:
    number = np.arange(int(np.prod(SHAPE)), dtype="i4").reshape(SHAPE)
    return number // 5 + number * number % 61 + 1


def stored(metadata: ArrayMetadata) -> bytes:
    store = MemoryStore()
    ENGINE.open(metadata, store, "a").write(Box.full(metadata.shape), values())
    data = store.get(KEY)
    assert data is not None
    return data


# ------------------------------------------------------------------ a batch in a child

BOXES = (Box.full(SHAPE), Box((3, 5), (9, 20), (1, 1)), Box((1, 0), (16, 23), (5, 3)))


def outcome(metadata: ArrayMetadata, store: Store, box: Box, want: str) -> str | None:
    """Read a box; return what is wrong, or None."""
    out: npt.NDArray[Any] = np.full(box.shape, -7, metadata.dtype)
    try:
        ENGINE.open(metadata, store, "a").read(box, out)
    except (CorruptDataError, UnsupportedError) as error:
        # A flag of Blosc's header may say that Snappy is inside.
        is_ours = isinstance(error, CorruptDataError) or "snappy" in error.message
        if is_ours and (error.key, error.chunk_coords, error.engine) == (KEY, (0, 0), "native"):
            return None
        return f"key {error.key!r}, chunk {error.chunk_coords}, engine {error.engine}: {error}"
    except BaseException as error:  # noqa: BLE001 - panics are no Exception
        return f"{type(error).__name__}: {error}"
    if want == ANY or (want == RIGHT and np.array_equal(out, values()[box.slices])):
        return None
    equal = np.array_equal(out, values()[box.slices])
    return f"no error; the elements are {'right' if equal else 'wrong'}"


def updated(metadata: ArrayMetadata, store: Store) -> str | None:
    """Write a part over it; only our errors may come."""
    try:
        ENGINE.open(metadata, store, "a").write(
            Box((2, 2), (5, 5), (1, 1)), np.ones((3, 3), metadata.dtype)
        )
    except (CorruptDataError, UnsupportedError) as error:
        return None if error.chunk_coords == (0, 0) else f"update: chunk {error.chunk_coords}"
    except BaseException as error:  # noqa: BLE001 - panics are no Exception
        return f"update: {type(error).__name__}: {error}"
    return None


def try_all(metadata: ArrayMetadata, cases: Iterable[Case], stores: Sequence[Store]) -> list[str]:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong: list[str] = []
    boxes = itertools.cycle(BOXES[1:])
    with config.scope(concurrency=2), warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, data, want in cases:
            for store in stores:
                store.put(KEY, data)
                found = [outcome(metadata, store, BOXES[0], want)]
                # A part of it: what is not needed need not be looked at.
                found.append(outcome(metadata, store, next(boxes), ANY if want == ANY else RIGHT))
                found.append(updated(metadata, store))
                wrong += [f"{store.spec.backend}, {name}: {one}" for one in found if one]
            if len(wrong) > 20:
                break
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if taken * 1024 > MEMORY_BYTES:
        wrong.append(f"it took {taken >> 10} MiB")
    return [text[:300] for text in wrong[:40]]


def check(fork: Fork, metadata: ArrayMetadata, cases: Iterable[Case], folder: Any) -> None:
    stores = [LocalStore(folder), MemoryStore()]
    assert ENGINE.decline(metadata, stores[0]) is None
    how, what = fork(functools.partial(try_all, metadata, cases, stores))
    assert how == "returned", (how, what)
    assert what == []


# ------------------------------------------------------------------ cuts, flips and more


def cuts(data: bytes) -> Iterator[Case]:
    rng = np.random.default_rng(len(data))
    sizes = {*range(min(65, len(data))), *range(max(0, len(data) - 24), len(data))}
    sizes |= set(rng.integers(0, len(data), 16).tolist())
    for size in sorted(sizes):
        yield f"cut to {size} of {len(data)}", data[:size], RAISES


def flips(data: bytes, want: str, count: int) -> Iterator[Case]:
    rng = np.random.default_rng(len(data))
    places = {(i, b) for i in range(min(20, len(data))) for b in (0, 3, 7)}
    places |= set(zip(rng.integers(0, len(data), count), rng.integers(0, 8, count), strict=True))
    for index, bit in sorted(places):
        broken = bytearray(data)
        broken[index] ^= 1 << int(bit)
        yield f"bit {bit} of byte {index} of {len(data)} flipped", bytes(broken), want


def other(data: bytes) -> Iterator[Case]:
    want = RIGHT if len(data) != int(np.prod(SHAPE)) * 4 else RAISES
    for extra in (b"\0", b"\xff" * 7, data):
        # Streams that end before the bytes do are right up to there.
        yield f"{len(extra)} more bytes", data + extra, want
    for byte in (0x00, 0x55, 0xFF):
        yield f"only {byte:#x}", bytes([byte]) * len(data), ANY
    yield "random", np.random.default_rng(3).bytes(len(data)), ANY


@pytest.mark.parametrize("name", CHAINS)
def test_chunks(name: str, tmp_path: Any, run_in_forked_child: Fork) -> None:
    chain, want = CHAINS[name]
    metadata = array([LITTLE, *chain])
    data = stored(metadata)
    cases = itertools.chain(cuts(data), flips(data, want, 80), other(data))
    check(run_in_forked_child, metadata, cases, tmp_path)


LAYOUTS: dict[str, Callable[[list[Json]], list[Json]]] = {
    "end": lambda chain: [shard(chain, (8, 8))],
    "start": lambda chain: [shard(chain, (8, 8), "start")],
    "nested": lambda chain: [shard([shard(chain, (4, 8))], (8, 8))],
    "checked": lambda chain: [shard(chain, (8, 8)), CRC],
    "transposed": lambda chain: [codec("transpose", order=[1, 0]), shard(chain, (8, 8))],
}


@pytest.mark.parametrize("name", ["none", "zstd", "crc32c", "blosc-lz4-shuffle", "gzip"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_shards(layout: str, name: str, tmp_path: Any, run_in_forked_child: Fork) -> None:
    chain, want = CHAINS[name]
    want = RAISES if layout == "checked" else want
    metadata = array(LAYOUTS[layout]([LITTLE, *chain]))
    data = stored(metadata)
    extra = [("7 more bytes", data + b"\xff" * 7, ANY)]
    cases = itertools.chain(cuts(data), flips(data, want, 100), extra)
    check(run_in_forked_child, metadata, cases, tmp_path)


# ------------------------------------------------------------------ the shard index

HUGE = 2**64


def with_index(data: bytes, entries: Sequence[tuple[int, int]], location: str) -> bytes:
    index = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    index += struct.pack("<I", google_crc32c.value(index))
    if location == "start":
        return index + data[len(index) :]
    return data[: len(data) - len(index)] + index


def entries_of(data: bytes, location: str, count: int = 6) -> list[tuple[int, int]]:
    size = count * 16 + 4
    index = data[:size] if location == "start" else data[-size:]
    return [struct.unpack_from("<QQ", index, 16 * i) for i in range(count)]


def bad_entries(size: int) -> Iterator[tuple[str, tuple[int, int], str]]:
    numbers = [0, 1, size - 1, size, size + 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**63 + 1]
    numbers += [HUGE - size, HUGE - 3, HUGE - 2, HUGE - 1]
    for offset, length in itertools.product(numbers, numbers):
        if (offset, length) == (HUGE - 1, HUGE - 1):
            continue  # absent
        is_inside = offset + length <= size
        yield f"({offset}, {length})", (offset, length), ANY if is_inside else RAISES


@pytest.mark.parametrize("name", ["none", "zstd", "blosc-zstd-shuffle"])
@pytest.mark.parametrize("location", ["start", "end"])
def test_index_entries(location: str, name: str, tmp_path: Any, run_in_forked_child: Fork) -> None:
    metadata = array([shard([LITTLE, *CHAINS[name][0]], (8, 8), location)])
    data = stored(metadata)
    entries = entries_of(data, location)
    assert with_index(data, entries, location) == data

    def cases() -> Iterator[Case]:
        for text, entry, want in bad_entries(len(data)):
            broken = with_index(data, [entries[0], entry, *entries[2:]], location)
            yield f"entry {text}", broken, want
        twice = with_index(data, [entries[1], *entries[1:]], location)
        yield "two entries in one place", twice, ANY
        yield "entries in reverse", with_index(data, entries[::-1], location), ANY
        wide = [(0, len(data))] * len(entries)
        yield "all entries cover the shard", with_index(data, wide, location), ANY

    check(run_in_forked_child, metadata, cases(), tmp_path)


def test_subchunks_in_one_place_are_read_and_updated_apart(tmp_path: Any) -> None:
    metadata = array([shard([LITTLE, ZSTD], (8, 8))])
    data = stored(metadata)
    entries = entries_of(data, "end")
    shared = with_index(data, [entries[2], entries[1], *entries[2:]], "end")
    expected = values()
    expected[:8, :8] = expected[:8, 16:]
    for store in (LocalStore(tmp_path), MemoryStore()):
        store.put(KEY, shared)
        io, out = ENGINE.open(metadata, store, "a"), np.empty(SHAPE, "int32")
        io.read(BOXES[0], out)
        np.testing.assert_array_equal(out, expected)
        io.write(Box((0, 0), (2, 2), (1, 1)), np.full((2, 2), 9, "int32"))
        io.read(BOXES[0], out)
        after = expected.copy()
        after[:2, :2] = 9
        np.testing.assert_array_equal(out, after)


# ------------------------------------------------------------------ headers that lie


def blosc_lies(data: bytes) -> Iterator[Case]:
    numbers = [0, 1, 15, 16, 17, 255, 2**16, 2**24, 2**30, 2**31 - 17, 2**31 - 1, 2**31, 2**32 - 1]
    for field, offset in (("nbytes", 4), ("blocksize", 8), ("cbytes", 12), ("first block", 16)):
        for number in numbers:
            lie = data[:offset] + struct.pack("<I", number) + data[offset + 4 :]
            yield f"{field} is {number}", lie, ANY
    for field, offset in (("version", 0), ("version of the inner", 1), ("flags", 2), ("size", 3)):
        for number in range(0, 256, 1 if field == "flags" else 13):
            yield f"{field} is {number}", data[:offset] + bytes([number]) + data[offset + 1 :], ANY
    # A wish for 2 GB that the bytes do not even try to fill.
    for number in (2**30, 2**31 - 17, 2**31 - 1):
        lie = data[:4] + struct.pack("<III", number, number, len(data)) + data[16:]
        yield f"all sizes are {number}", lie, RAISES


@pytest.mark.parametrize(
    ("cname", "shuffle"),
    [("lz4", "shuffle"), ("zstd", "bitshuffle"), ("zlib", "noshuffle"), ("blosclz", "bitshuffle")],
)
def test_blosc_headers(cname: str, shuffle: str, tmp_path: Any, run_in_forked_child: Fork) -> None:
    metadata = array([LITTLE, blosc(cname, shuffle)])
    check(run_in_forked_child, metadata, blosc_lies(stored(metadata)), tmp_path)


# The right format with other flags is a lie about the blocks: see test_blosc_headers.
@pytest.mark.parametrize("flags", [n for n in range(256) if n & 2 or n >> 5 != 1])
def test_formats_of_blosc(flags: int) -> None:
    """Format 2 is Snappy's, which nobody here has; 5 to 7 are nobody's."""
    metadata = array([LITTLE, blosc("lz4", "shuffle")])
    data = bytearray(stored(metadata))
    data[2] = flags
    store, out = MemoryStore({KEY: bytes(data)}), np.empty(SHAPE, metadata.dtype)
    is_memcpyed, number = flags & 2, flags >> 5
    wanted = UnsupportedError if number == 2 and not is_memcpyed else CorruptDataError
    with pytest.raises(wanted) as caught:
        ENGINE.open(metadata, store, "a").read(Box.full(SHAPE), out)
    assert (caught.value.key, caught.value.chunk_coords) == (KEY, (0, 0))


SHUFFLE_2 = {"id": "shuffle", "elementsize": 2}
ZSTD_2 = {"id": "zstd", "level": 1}


@pytest.mark.parametrize(
    ("length", "filters", "is_covered"),
    [
        (4, [SHUFFLE_2], True),
        (5, [SHUFFLE_2], False),
        (5, [{"id": "shuffle", "elementsize": 5}], True),
        (5, [{"id": "shuffle", "elementsize": 1}], True),
        (4, [{"id": "crc32c"}, SHUFFLE_2], True),
        (5, [{"id": "crc32c"}, SHUFFLE_2], False),
        (4, [ZSTD_2, SHUFFLE_2], False),
        (4, [ZSTD_2, {"id": "shuffle", "elementsize": 1}], True),
    ],
)
def test_shuffles_that_do_not_fit_are_declined(
    length: int, filters: list[Json], is_covered: bool
) -> None:
    metadata = parse_array(
        {
            "zarr_format": 2,
            "shape": [2 * length],
            "chunks": [length],
            "dtype": "|u1",
            "compressor": None,
            "filters": filters,
            "order": "C",
            "fill_value": 0,
            "attributes": {},
        }
    )
    store, value = MemoryStore(), np.arange(1, 2 * length + 1, dtype="u1")
    reason = ENGINE.decline(metadata, store)
    assert (reason is None) is is_covered, reason
    if not is_covered:
        assert "shuffle" in (reason or "")
        with pytest.raises(UnsupportedError):
            ENGINE.codec(metadata)
        return
    io, out = ENGINE.open(metadata, store, "a"), np.empty_like(value)
    io.write(Box.full(metadata.shape), value)
    io.read(Box.full(metadata.shape), out)
    assert np.array_equal(out, value)
    # What is stored in another size is corrupt, as ever.
    store.put("a/0", (store.get("a/0") or b"") + b"x")
    with pytest.raises(CorruptDataError):
        io.read(Box.full(metadata.shape), out)


def zstd_lies(plain: bytes) -> Iterator[Case]:
    magic = b"\x28\xb5\x2f\xfd"
    for size in (2**32, 2**40, 2**63, 2**64 - 1):
        for window in (0x00, 0x50, 0xA8, 0xF8, 0xFF):
            header = b"\xc0" + bytes([window]) + struct.pack("<Q", size)
            yield f"{size} bytes, window {window}", magic + header + b"\x01\0\0", RAISES
        header = b"\xe0" + struct.pack("<Q", size)
        yield f"{size} bytes in one segment", magic + header + b"\x03\0\0\0", RAISES
    for descriptor in range(256):
        rest = struct.pack("<Q", 2**62) * 2
        yield f"descriptor {descriptor}", magic + bytes([descriptor]) + rest, RAISES
    yield "a bomb of 256 MiB", Zstd().encode(np.zeros(1 << 28, "u1")), RAISES
    half = len(plain) // 2
    frames = Zstd().encode(plain[:half]), Zstd().encode(plain[half:])
    skippable = b"\x50\x2a\x4d\x18" + struct.pack("<I", 3) + b"xyz"
    yield "two frames", frames[0] + frames[1], RIGHT
    yield "a skippable frame", skippable + Zstd().encode(plain), RIGHT
    yield "a skippable frame that is cut off", Zstd().encode(plain) + skippable[:-1], RAISES
    yield "one frame of two", frames[0], RAISES
    yield "three frames of two", b"".join(frames) + frames[0], RAISES
    yield "a frame too many, of nothing", Zstd().encode(plain) + Zstd().encode(b""), RIGHT
    yield "only a skippable frame", skippable, RAISES


def gzip_lies(plain: bytes) -> Iterator[Case]:
    half = len(plain) // 2
    members = GZip().encode(plain[:half]), GZip().encode(plain[half:])
    yield "two members", members[0] + members[1], RIGHT
    yield "one member of two", members[0], RAISES
    yield "three members of two", b"".join(members) + members[0], RAISES
    yield "a bomb of 256 MiB", GZip(1).encode(np.zeros(1 << 28, "u1")), RAISES
    whole = GZip().encode(plain)
    for size in (0, 1, len(plain) - 1, len(plain) + 1, 2**31, 2**32 - 1):
        yield f"size {size} at the end", whole[:-4] + struct.pack("<I", size), RAISES
    for flags in range(256):
        yield f"flags {flags}", whole[:3] + bytes([flags]) + whole[4:], RIGHT


def lz4_lies(data: bytes) -> Iterator[Case]:
    for size in (0, 1, 1535, 1537, 2**20, 2**31 - 1, 2**31, 2**32 - 1):
        yield f"{size} bytes", struct.pack("<I", size) + data[4:], RAISES
    # A match that reaches before the first byte, lengths without an end.
    for block in (b"\x00\x01\x00", b"\x0f\xff\xff" + b"\xff" * 99, b"\xf0" + b"\xff" * 999, b""):
        yield f"block {block[:4]!r}", data[:4] + block, RAISES


def zlib_lies(plain: bytes) -> Iterator[Case]:
    whole = zlib.compress(plain)
    for first, second in itertools.product(range(0, 256, 40), range(0, 256, 9)):
        yield f"header {first} {second}", bytes([first, second]) + whole[2:], RIGHT
    yield "a bomb of 256 MiB", zlib.compress(bytes(1 << 28), 1), RAISES


def blosc_bomb(_: bytes) -> Iterator[Case]:
    yield "a bomb of 256 MiB", Blosc("zstd").encode(np.zeros(1 << 28, "u1")), RAISES
    yield "an empty frame", Blosc("lz4").encode(b""), RAISES
    yield "half a chunk", Blosc("lz4").encode(values()[:8].tobytes()), RAISES


LIES: dict[str, Callable[[bytes], Iterator[Case]]] = {
    "zstd": zstd_lies,
    "gzip": gzip_lies,
    "lz4": lambda _: lz4_lies(stored(array([LITTLE, *CHAINS["lz4"][0]]))),
    "zlib": zlib_lies,
    "blosc-zstd-shuffle": blosc_bomb,
}


@pytest.mark.parametrize("name", LIES)
def test_headers(name: str, tmp_path: Any, run_in_forked_child: Fork) -> None:
    metadata = array([LITTLE, *CHAINS[name][0]])
    # Made here: what the child makes would count as what the engine took.
    cases = list(LIES[name](values().tobytes()))
    check(run_in_forked_child, metadata, cases, tmp_path)


@pytest.mark.parametrize("name", LIES)
def test_headers_in_shards(name: str, tmp_path: Any, run_in_forked_child: Fork) -> None:
    metadata = array([shard([LITTLE, *CHAINS[name][0]], SHAPE)])
    cases = []
    for text, data, want in LIES[name](values().tobytes()):
        room = data + bytes(20)
        cases.append((text, with_index(room, [(0, len(data))], "end"), want))
    check(run_in_forked_child, metadata, cases, tmp_path)


@pytest.mark.parametrize("action", ["read", "write"])
@pytest.mark.parametrize("name", ["none", "zstd", "gzip", "blosc-lz4-shuffle"])
def test_chunks_that_fit_no_memory_raise(
    name: str, action: str, tmp_path: Any, run_in_forked_child: Fork
) -> None:
    edge = 1 << 22
    chain = CHAINS[name][0]
    small = stored(array([LITTLE, *chain]))
    metadata = array([LITTLE, *chain], chunks=(edge, edge))

    def work() -> list[str]:
        wrong = []
        for store in (LocalStore(tmp_path), MemoryStore()):
            store.put(KEY, small)
            io = ENGINE.open(metadata, store, "a")
            try:
                if action == "read":
                    io.read(BOXES[0], np.empty(SHAPE, "int32"))
                else:
                    io.write(BOXES[1], np.ones(BOXES[1].shape, "int32"))
            except AnyzarrError as error:
                if (error.key, error.chunk_coords) != (KEY, (0, 0)):
                    wrong.append(f"key {error.key}, chunk {error.chunk_coords}: {error}")
            except MemoryError as error:
                # What is to be written is really that large.
                wrong += [f"MemoryError: {error}"] if action == "read" else []
            except BaseException as error:  # noqa: BLE001 - panics are no Exception
                wrong.append(f"{type(error).__name__}: {error}")
            else:
                wrong.append("no error")
            assert store.get(KEY) == small
        return wrong

    assert run_in_forked_child(work) == ("returned", [])
