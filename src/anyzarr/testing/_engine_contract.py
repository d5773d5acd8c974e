"""What every engine must do, as cases that any test runner can run."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import config
from anyzarr._parallel import for_each
from anyzarr.abc import ArrayIO, Box, Engine, Store
from anyzarr.engines._cells import view
from anyzarr.engines._shard_index import ShardLayout
from anyzarr.errors import CorruptDataError
from anyzarr.metadata import ArrayMetadata, single_chunk
from anyzarr.stores import MemoryStore
from anyzarr.testing._engine_arrays import ArrayCase, array_cases, random_values
from anyzarr.testing._engine_tools import assert_identical, odd_buffer, random_box

__all__ = ["EngineCase", "engine_contract"]

PATH = "group/array"


@dataclass(frozen=True)
class EngineCase:
    """One requirement on one array.

    Attributes
    ----------
    engine
        The engine under test.
    array
        The array.
    requirement
        What is required; the name of the case.
    new_store
        Makes an empty, writable store.
    as_read
        Gives, for a store that has been written to, the one to read from; None for the same.
    """

    engine: Engine
    array: ArrayCase
    requirement: str
    new_store: Callable[[], Store]
    as_read: Callable[[Store], Store] | None = None

    def __str__(self) -> str:
        return f"{self.array}-{self.requirement}"

    def run(self) -> None:
        """Check it.

        Raises
        ------
        AssertionError
            The engine does not do what is required.
        unittest.SkipTest
            The engine declines the array; the message says why. pytest reports it as skipped.
        """
        store = self.new_store()
        metadata = self.array.metadata
        reason = self.engine.decline(metadata, store)
        if reason is not None:
            raise unittest.SkipTest(f"{self.engine.name} declines {self.array}: {reason}")
        bench = _Bench(self.engine, metadata, store, self.as_read)
        _REQUIREMENTS[self.requirement](self, bench)


@dataclass(frozen=True)
class _Bench:
    """An array in a store, opened by the engine under test."""

    engine: Engine
    metadata: ArrayMetadata
    store: Store
    as_read: Callable[[Store], Store] | None = None

    def reading(self) -> _Bench:
        """Return the same array in the store to read from, as it is now."""
        if self.as_read is None:
            return self
        return _Bench(self.engine, self.metadata, self.as_read(self.store))

    @property
    def io(self) -> ArrayIO:
        return self.engine.open(self.metadata, self.store, PATH)

    @property
    def full(self) -> Box:
        return Box.full(self.metadata.shape)

    @property
    def is_empty(self) -> bool:
        return 0 in self.metadata.shape

    def keys(self) -> set[str]:
        return {info.key for info in self.store.list()}

    def filled(self) -> npt.NDArray[Any]:
        """Write random values everywhere, the fill value nowhere alone in a chunk; return them."""
        values = random_values(self.metadata, self.metadata.shape, 1)
        if not self.is_empty:
            with config.scope(write_empty_chunks=True):
                self.io.write(self.full, values)
        return values

    def fill(self, shape: Sequence[int]) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = np.empty(tuple(shape), self.metadata.dtype)
        array[...] = self.metadata.fill
        return array


def _reads_back(case: EngineCase, bench: _Bench) -> None:
    values = bench.filled()
    if bench.is_empty:
        return
    out = np.empty_like(values)
    bench.reading().io.read(bench.full, out)
    assert_identical(out, values)


def _reads_boxes(case: EngineCase, bench: _Bench) -> None:
    values = bench.filled()
    if bench.is_empty:
        return
    rng = np.random.default_rng(2)
    io = bench.reading().io
    for variant in range(12):
        box = random_box(values.shape, rng, steps=io.capabilities.steps)
        out = odd_buffer(box.shape, values.dtype, variant)
        io.read(box, out)
        assert_identical(out, view(values, box.slices))


def _reads_absent_as_fill(case: EngineCase, bench: _Bench) -> None:
    if bench.is_empty:
        return
    out = random_values(bench.metadata, bench.metadata.shape, 3)
    bench.reading().io.read(bench.full, out)
    assert_identical(out, bench.fill(out.shape))
    assert bench.keys() == set(), "reading stored something"


def _writes_parts(case: EngineCase, bench: _Bench) -> None:
    if bench.is_empty:
        return
    expected = bench.fill(bench.metadata.shape)
    rng = np.random.default_rng(4)
    io = bench.io
    for variant in range(6):
        box = random_box(expected.shape, rng, steps=False)
        value = odd_buffer(box.shape, expected.dtype, variant)
        value[...] = random_values(bench.metadata, box.shape, rng)
        before = value.copy()
        io.write(box, value)
        assert_identical(value, before)
        view(expected, box.slices)[...] = value
        out = np.empty_like(expected)
        io.read(bench.full, out)
        assert_identical(out, expected)


def _drops_fill(case: EngineCase, bench: _Bench) -> None:
    bench.filled()
    if bench.is_empty:
        return
    assert bench.keys(), "nothing was stored"
    bench.io.write(bench.full, bench.fill(bench.metadata.shape))
    assert bench.keys() == set(), f"chunks of fill value are left: {bench.keys()}"
    with config.scope(write_empty_chunks=True):
        bench.io.write(bench.full, bench.fill(bench.metadata.shape))
    expected = {bench.metadata.chunk_key(PATH, c) for c in bench.metadata.grid.coords()}
    assert bench.keys() == expected


def _keeps_signs(case: EngineCase, bench: _Bench) -> None:
    """A chunk of the other zero is not the fill value's chunk."""
    dtype = bench.metadata.dtype
    if bench.is_empty or dtype.kind not in "fc" or bench.metadata.fill != 0:
        return
    values = -bench.fill(bench.metadata.shape)
    bench.io.write(bench.full, values)
    out = np.empty_like(values)
    bench.io.read(bench.full, out)
    assert_identical(out, values)


def _codes_chunks(case: EngineCase, bench: _Bench) -> None:
    metadata = bench.metadata
    if bench.is_empty:
        return
    values = bench.filled()
    first = (0,) * metadata.ndim
    shape = metadata.grid.shape_of(first)
    codec = bench.engine.codec(single_chunk(metadata, shape))
    stored = bench.store.get(metadata.chunk_key(PATH, first))
    assert stored is not None
    inside = tuple(slice(0, min(n, c)) for n, c in zip(metadata.shape, shape, strict=True))
    decoded = np.asarray(codec.decode(stored)).astype(metadata.dtype)
    assert decoded.shape == shape
    assert_identical(view(decoded, inside), view(values, inside))
    again = np.asarray(codec.decode(memoryview(bytearray(codec.encode(decoded)))))
    assert_identical(again.astype(metadata.dtype), decoded)
    fill = bench.fill(shape)
    assert_identical(np.asarray(codec.decode(codec.encode(fill))).astype(fill.dtype), fill)


def _reads_from_threads(case: EngineCase, bench: _Bench) -> None:
    values = bench.filled()
    if bench.is_empty:
        return
    io = bench.reading().io

    def read(seed: int) -> None:
        box = random_box(values.shape, np.random.default_rng(seed), steps=io.capabilities.steps)
        out = np.empty(box.shape, values.dtype)
        io.read(box, out)
        assert_identical(out, view(values, box.slices))

    for_each(read, range(24), limit=8)


def _corruptions(case: EngineCase, bench: _Bench, stored: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield ways to break the last chunk, each of which has to be noticed."""
    yield "empty", b""
    yield "truncated", stored[: len(stored) // 2]
    yield "one byte short", stored[:-1]
    yield "garbage", bytes(range(1, 256)) * (1 + len(stored) // 255)
    if bench.metadata.ndim and bench.metadata.sharding is None:
        coords = tuple(n - 1 for n in bench.metadata.grid.grid_shape)
        first, *others = bench.metadata.grid.shape_of(coords)
        twice = (2 * first, *others)
        codec = case.engine.codec(single_chunk(bench.metadata, twice))
        yield "of twice the size", codec.encode(random_values(bench.metadata, twice, 5))
    if case.array.is_checked:
        for position in (len(stored) // 2, len(stored) - 1):
            broken = bytearray(stored)
            broken[position] ^= 0x55
            yield f"byte {position} changed", bytes(broken)


def _names_the_corrupt_chunk(case: EngineCase, bench: _Bench) -> None:
    values = bench.filled()
    if bench.is_empty:
        return
    coords = tuple(n - 1 for n in bench.metadata.grid.grid_shape)
    key = bench.metadata.chunk_key(PATH, coords)
    stored = bench.store.get(key)
    assert stored is not None
    for what, broken in _corruptions(case, bench, stored):
        bench.store.put(key, broken)
        reading = bench.reading()
        out = np.empty_like(values)
        if what == "one byte short":
            # Some decoders need no more than the data itself, and not the end of a trailer.
            try:
                reading.io.read(bench.full, out)
            except CorruptDataError as error:
                _assert_names(error, reading, key, coords, what)
            else:
                assert_identical(out, values)
        else:
            _assert_corrupt(reading, bench.full, key, coords, what)


def _assert_corrupt(bench: _Bench, box: Box, key: str, coords: tuple[int, ...], what: str) -> None:
    try:
        bench.io.read(box, np.empty(box.shape, bench.metadata.dtype))
    except CorruptDataError as error:
        _assert_names(error, bench, key, coords, what)
    else:
        raise AssertionError(f"{what}: read without an error")


def _assert_names(
    error: CorruptDataError, bench: _Bench, key: str, coords: tuple[int, ...], what: str
) -> None:
    named = (error.store, error.key, error.chunk_coords)
    assert named == (str(bench.store.spec), key, coords), f"{what}: the error has {named}"


_BAD_ENTRIES = {
    "past the end": (10**6, 8),
    "past any end": (2**63, 2**63),
    "overflowing": (2**64 - 2, 8),
    "longer than the shard": (0, 2**40),
    "half absent": (2**64 - 1, 8),
    "of no size": (0, 0),
}


def _distrusts_the_index(case: EngineCase, bench: _Bench) -> None:
    """An entry of a shard's index that cannot be, though its checksum is right, is noticed."""
    bench.filled()
    metadata = bench.metadata
    shape, sharding = metadata.grid.chunk_shape, metadata.sharding
    if shape is None or sharding is None or not metadata.is_exclusively_sharded:
        return
    layout = ShardLayout.of(shape, sharding)
    assert layout is not None
    first = (0,) * metadata.ndim
    key = metadata.chunk_key(PATH, first)
    stored = bench.store.get(key)
    assert stored is not None
    element = Box(first, (1,) * metadata.ndim, (1,) * metadata.ndim)
    for what, entry in _BAD_ENTRIES.items():
        entries = layout.decode(layout.find(stored)).entries.copy()
        entries[first] = entry
        index, size = layout.encode(entries), layout.size_bytes
        is_last = layout.location == "end"
        bench.store.put(key, stored[:-size] + index if is_last else index + stored[size:])
        reading = bench.reading()
        for box in (bench.full, element):
            _assert_corrupt(reading, box, key, first, what)


_REQUIREMENTS: dict[str, Callable[[EngineCase, _Bench], None]] = {
    "reads-back": _reads_back,
    "reads-boxes": _reads_boxes,
    "reads-absent-as-fill": _reads_absent_as_fill,
    "writes-parts": _writes_parts,
    "drops-fill": _drops_fill,
    "keeps-signs": _keeps_signs,
    "codes-chunks": _codes_chunks,
    "reads-from-threads": _reads_from_threads,
    "names-the-corrupt-chunk": _names_the_corrupt_chunk,
    "distrusts-the-index": _distrusts_the_index,
}


_READING = (
    "reads-back",
    "reads-boxes",
    "reads-absent-as-fill",
    "reads-from-threads",
    "names-the-corrupt-chunk",
    "distrusts-the-index",
)


def engine_contract(
    engine: Engine,
    *,
    new_store: Callable[[], Store] = MemoryStore,
    arrays: Sequence[str] | None = None,
    as_read: Callable[[Store], Store] | None = None,
) -> list[EngineCase]:
    """Return all that is required of an engine, as cases to run one by one.

    Parameters
    ----------
    engine
        The engine under test.
    new_store
        Makes an empty, writable store; called for each case.
    arrays
        Names of the arrays to test with; all by default.
    as_read
        For stores that can only be read: called with what ``new_store`` gave whenever it has
        been written to, it returns the store to read from, with the same objects (packed in an
        archive, put on a server). Only what concerns reading is required then.

    Returns
    -------
    list of EngineCase
        Each has a name (``str(case)``) and ``run()``.

    Examples
    --------
    >>> from anyzarr.engines import get_engine
    >>> from anyzarr.testing import engine_contract
    >>> for case in engine_contract(get_engine("zarr"), arrays=["v3-crc32c"]):
    ...     case.run()

    With pytest:

    >>> import pytest
    >>> cases = engine_contract(get_engine("zarr"))
    >>> @pytest.mark.parametrize("case", cases, ids=str)
    ... def test_contract(case):
    ...     case.run()
    """
    known = {case.name: case for case in array_cases()}
    chosen = known.values() if arrays is None else [known[name] for name in arrays]
    requirements = _REQUIREMENTS if as_read is None else _READING
    return [
        EngineCase(engine, array, requirement, new_store, as_read)
        for array in chosen
        for requirement in requirements
    ]
