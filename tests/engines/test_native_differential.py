"""Native against zarr-python and zarrista themselves, on random arrays and boxes, both ways.

The two are used through their own interfaces, without anything of ours between.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from anyzarr import config
from anyzarr.abc import Box, Store
from anyzarr.engines._cells import view
from anyzarr.metadata import ArrayMetadata, encode_documents, parse_array
from anyzarr.stores import LocalStore, MemoryStore
from anyzarr.testing import assert_identical
from anyzarr.testing._engine_arrays import random_values
from anyzarr.testing._engine_tools import odd_buffer, random_box

from ._documents import Json, arrays_v2, arrays_v3

pytest.importorskip("anyzarr_native", reason="the native engine is not built")

from anyzarr.engines._native import NativeEngine

ENGINE = NativeEngine()
Values = npt.NDArray[Any]

# ------------------------------------------------------------------ the two judges


class ZarrPython:
    """zarr-python on a folder."""

    def __init__(self, folder: Path, metadata: ArrayMetadata) -> None:
        import zarr

        self._array = zarr.open_array(
            str(folder), path="a", mode="r+", zarr_format=metadata.zarr_format
        )

    def read(self, box: Box) -> Values:
        return np.asarray(self._array[box.slices])

    def write(self, box: Box, value: Values) -> None:
        self._array[box.slices] = value


class Zarrista:
    """zarrista on a folder; it knows no steps."""

    def __init__(self, folder: Path, metadata: ArrayMetadata) -> None:
        import zarrista

        self._array = zarrista.Array.open(zarrista.store.FilesystemStore(folder), "/a")
        self._dtype = metadata.dtype

    def read(self, box: Box) -> Values:
        plain = tuple(slice(a, b) for a, b in zip(box.start, box.stop, strict=True))
        raw = self._array.retrieve_array_subset(plain)
        shape = tuple(b - a for a, b in zip(box.start, box.stop, strict=True))
        whole = np.frombuffer(raw.buffer(), self._dtype.newbyteorder("=")).reshape(shape)
        return view(whole, tuple(slice(None, None, s) for s in box.step))

    def write(self, box: Box, value: Values) -> None:
        native = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
        self._array.store_array_subset(box.slices, native.tobytes())


JUDGES: dict[str, Callable[[Path, ArrayMetadata], Any]] = {
    "zarr-python": ZarrPython,
    "zarrista": Zarrista,
}


def read(metadata: ArrayMetadata, store: Store, box: Box, variant: int) -> Values:
    out = odd_buffer(box.shape, metadata.dtype, variant)
    ENGINE.open(metadata, store, "a").read(box, out)
    return out


def compare(document: Json, judge_name: str, folder: Path, seed: int, first: str) -> None:
    """Let the two write in turns, the whole first; both must read the same after each."""
    metadata, rng = parse_array(document), np.random.default_rng(seed)
    store = LocalStore(folder)
    assert ENGINE.decline(metadata, store) is None
    for key, data in encode_documents(document, "a").items():
        store.put(key, data)
    judge = JUDGES[judge_name](folder, metadata)
    expected = np.empty(metadata.shape, metadata.dtype)
    expected[...] = metadata.fill
    turns = ["native", "judge"] if first == "native" else ["judge", "native"]
    for turn, writer in enumerate([*turns, *turns]):
        box = random_box(metadata.shape, rng, steps=False) if turn else Box.full(metadata.shape)
        value = random_values(metadata, box.shape, rng)
        if turn == 3:
            value[...] = metadata.fill  # chunks may vanish
        if writer == "native":
            ENGINE.open(metadata, store, "a").write(box, value)
        else:
            if value.dtype.kind == "c":
                # zarr-python drops chunks that equal the fill value but for the signs of zeros.
                value[value == metadata.fill] = metadata.fill
            judge.write(box, value)
        expected[box.slices] = value
        for number in range(2):
            wanted = random_box(metadata.shape, rng, steps=True) if number else None
            wanted = wanted or Box.full(metadata.shape)
            ours = read(metadata, store, wanted, turn + number)
            assert_identical(ours, view(expected, wanted.slices))
            theirs = np.asarray(judge.read(wanted)).astype(metadata.dtype)
            assert_identical(theirs, view(expected, wanted.slices))


COMMON = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:Combining a .sharding_indexed. codec")  # it costs zarr time
@pytest.mark.parametrize("judge", sorted(JUDGES))
@settings(max_examples=60, **COMMON)
@given(
    document=arrays_v3(),
    seed=st.integers(0, 2**32 - 1),
    threads=st.sampled_from([1, 3]),
    first=st.sampled_from(["native", "judge"]),
)
def test_arrays_of_format_3(
    judge: str, document: Json, seed: int, threads: int, first: str, tmp_path_factory: Any
) -> None:
    event(json.dumps([c["name"] for c in document["codecs"]]))
    with config.scope(concurrency=threads):
        compare(document, judge, tmp_path_factory.mktemp("v3"), seed, first)


@pytest.mark.oracle
@settings(max_examples=60, **COMMON)
@given(
    document=arrays_v2(),
    seed=st.integers(0, 2**32 - 1),
    threads=st.sampled_from([1, 3]),
    first=st.sampled_from(["native", "judge"]),
)
def test_arrays_of_format_2(
    document: Json, seed: int, threads: int, first: str, tmp_path_factory: Any
) -> None:
    with config.scope(concurrency=threads):
        compare(document, "zarr-python", tmp_path_factory.mktemp("v2"), seed, first)


@settings(max_examples=60, deadline=None)
@given(document=st.one_of(arrays_v3(), arrays_v2()), seed=st.integers(0, 2**32 - 1))
def test_files_and_memory_hold_the_same(
    document: Json, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The two ways to the bytes, through files and through callbacks, are one."""
    metadata = parse_array(document)
    stores = [LocalStore(tmp_path_factory.mktemp("same")), MemoryStore()]
    found: list[Any] = []
    for store in stores:
        rng = np.random.default_rng(seed)
        io = ENGINE.open(metadata, store, "a")
        for _ in range(3):
            box = random_box(metadata.shape, rng, steps=False)
            value = random_values(metadata, box.shape, rng)
            if rng.random() < 0.3:
                value[...] = metadata.fill
            io.write(box, value)
        reads = []
        for variant in range(3):
            box = random_box(metadata.shape, rng, steps=True)
            reads.append(read(metadata, store, box, variant).tobytes())
        found.append((reads, {info.key: store.get(info.key) for info in store.list()}))
    assert found[0] == found[1]
