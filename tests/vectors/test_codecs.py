"""Blobs of fragments and manifests: round trips, and against the zarr-vectors package."""

from __future__ import annotations

import itertools
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.abc import Ragged
from anyzarr.errors import CorruptDataError
from anyzarr.vectors._blobs import Origin
from anyzarr.vectors._fragments import FragmentTable, decode_fragments, encode_fragments
from anyzarr.vectors._manifests import (
    ManifestTable,
    decode_manifests,
    encode_manifests,
    manifests_of_dense,
)

theirs = pytest.importorskip("zarr_vectors.encoding.fragments")

RANGE = st.tuples(st.integers(0, 50), st.integers(0, 20))
LIST = st.lists(st.integers(0, 90), max_size=6)
CELL = st.lists(RANGE | LIST, max_size=20)
FRAGMENT = st.integers(0, 1 << 40)


def their_fragment(fragment: Any) -> Any:
    return fragment if isinstance(fragment, tuple) else np.array(fragment, np.int64)


def their_fragments(cell: list[Any]) -> bytes:
    return bytes(theirs.encode_fragments([their_fragment(f) for f in cell]))


def rows_of(fragment: Any) -> list[int]:
    if isinstance(fragment, tuple):
        return list(range(fragment[0], fragment[0] + fragment[1]))
    return list(fragment)


@settings(max_examples=150, deadline=None)
@given(cells=st.lists(CELL, max_size=6))
def test_fragments_of_the_package_are_read_and_written_back_byte_for_byte(cells: list[Any]) -> None:
    blobs = Ragged.of([their_fragments(cell) for cell in cells])
    table = decode_fragments(blobs)
    rows, offsets = table.rows()
    got = [rows[a:b].tolist() for a, b in itertools.pairwise(offsets)]
    assert got == [rows_of(f) for cell in cells for f in cell]
    assert table.fragments.tolist() == [len(cell) for cell in cells]
    extent = [max([0, *(r + 1 for f in cell for r in rows_of(f))]) for cell in cells]
    assert table.extent().tolist() == extent
    assert encode_fragments(table).to_list() == blobs.to_list()


def test_fragments_of_a_selection_come_in_its_order() -> None:
    table = decode_fragments(Ragged.of([their_fragments([(2, 2), [5, 1]])]))
    rows, offsets = table.rows(np.array([1, 0]))
    assert rows.tolist() == [5, 1, 2, 3]
    assert offsets.tolist() == [0, 2, 4]


def test_a_cell_without_a_blob_has_no_fragments() -> None:
    table = decode_fragments(Ragged.of([b"", their_fragments([(0, 3)]), b""]))
    assert table.fragments.tolist() == [0, 1, 0]
    assert table.extent().tolist() == [0, 3, 0]


def test_runs_begin_anew_in_every_cell() -> None:
    table = FragmentTable.of_runs([2, 0, 2], np.array([1, 4, 2, 3]))
    assert table.start.tolist() == [0, 1, 0, 2]
    assert table.number.tolist() == [0, 1, 0, 1]
    assert table.cell.tolist() == [0, 0, 2, 2]


FAULTS = {
    "cut off": lambda blob: blob[:-8],
    "too long": lambda blob: blob + b"\0" * 8,
    "no header": lambda blob: blob[:9],
    "magic": lambda blob: b"XXXX" + blob[4:],
    "version": lambda blob: blob[:4] + b"\2" + blob[5:],
    "bitmap": lambda blob: blob[:16] + b"\0" + blob[17:],
    "more ranges": lambda blob: blob[:12] + struct.pack("<I", 9) + blob[16:],
    "huge": lambda blob: blob[:8] + struct.pack("<II", 2**32 - 1, 1) + blob[16:],
    "negative start": lambda blob: blob[:24] + struct.pack("<q", -1) + blob[32:],
    "negative count": lambda blob: blob[:32] + struct.pack("<q", -1) + blob[40:],
    "overflow": lambda blob: blob[:24] + struct.pack("<qq", 2**62, 2**62) + blob[40:],
    "offsets from one": lambda blob: blob[:40] + struct.pack("<I", 1) + blob[44:],
    "negative index": lambda blob: blob[:-8] + struct.pack("<q", -3),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_cell_of_fragments_is_named(fault: str) -> None:
    good = their_fragments([(0, 3), [4, 2]])
    blobs = Ragged.of([good, FAULTS[fault](good)])
    origin = Origin("0/vertex_fragments", np.array([[0, 0], [-2, 7]]))
    with pytest.raises(CorruptDataError) as caught:
        decode_fragments(blobs, origin)
    assert caught.value.path == "0/vertex_fragments"
    assert caught.value.chunk_coords == (-2, 7)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=80), head=st.booleans())
def test_any_bytes_are_fragments_or_corrupt(data: bytes, head: bool) -> None:
    blob = (their_fragments([(0, 3), [4, 2]])[:16] if head else b"") + data
    try:
        table = decode_fragments(Ragged.of([blob]))
    except CorruptDataError:
        return
    assert (table.count >= 0).all()
    assert decode_fragments(encode_fragments(table)).start.tolist() == table.start.tolist()


def manifests(ndim: int) -> st.SearchStrategy[list[Any]]:
    coords = st.tuples(*[st.integers(-3, 3)] * ndim)
    several = st.tuples(FRAGMENT, st.integers(0, 9))
    return st.lists(st.lists(st.tuples(coords, FRAGMENT | several | LIST), max_size=6), max_size=5)


def fragments_of(reference: Any) -> list[int]:
    return [reference] if isinstance(reference, int) else rows_of(reference)


def their_manifests(objects: list[Any], ndim: int) -> Ragged:
    return Ragged.of(
        theirs.encode_object_manifest_blocks(
            [(coords, f if isinstance(f, int) else their_fragment(f)) for coords, f in blocks], ndim
        )
        for blocks in objects
    )


@settings(max_examples=150, deadline=None)
@given(data=st.data(), ndim=st.integers(1, 4))
def test_manifests_of_the_package_are_read(data: st.DataObject, ndim: int) -> None:
    objects = data.draw(manifests(ndim))
    table = decode_manifests(their_manifests(objects, ndim), ndim)
    assert table.blocks.tolist() == [len(blocks) for blocks in objects]
    one = table.expand()
    got = list(zip(one.object_row.tolist(), one.coords.tolist(), one.start.tolist(), strict=True))
    assert got == [
        (row, list(coords), fragment)
        for row, blocks in enumerate(objects)
        for coords, reference in blocks
        for fragment in fragments_of(reference)
    ]


@settings(max_examples=150, deadline=None)
@given(data=st.data(), ndim=st.integers(1, 4), expanded=st.booleans())
def test_manifests_are_read_by_the_package(data: st.DataObject, ndim: int, expanded: bool) -> None:
    objects = data.draw(manifests(ndim))
    table = decode_manifests(their_manifests(objects, ndim), ndim)
    table = table.expand() if expanded else table
    blobs = encode_manifests(table).to_list()
    for blob, blocks in zip(blobs, objects, strict=True):
        read = theirs.decode_object_manifest_blocks(blob, ndim)
        got = [(c, int(f)) for c, r in read for f in fragments_of(their_list(r))]
        assert got == [(tuple(c), f) for c, r in blocks for f in fragments_of(r)]
    again = decode_manifests(Ragged.of(blobs), ndim)
    for name in ("offsets", "coords", "start", "count", "is_range", "indices"):
        assert np.array_equal(getattr(again, name), getattr(table, name)), name


def their_list(reference: Any) -> Any:
    return reference.tolist() if isinstance(reference, np.ndarray) else reference


def test_an_object_of_no_fragments_is_four_zero_bytes() -> None:
    none = ManifestTable.of_fragments([0, 1], np.array([[1, 2]]), np.array([3]))
    assert encode_manifests(none)[0].tobytes() == b"\0" * 4
    empty = decode_manifests(Ragged.of([b"", b"\0" * 4]), 2)
    assert empty.blocks.tolist() == [0, 0]


SINGLE = struct.pack("<IqBq", 1, 5, 0, 2)
LISTED = struct.pack("<IqBIqq", 1, 5, 2, 2, 8, 9)
BAD_MANIFESTS = {
    "cut off": SINGLE[:-1],
    "cut off in the list": LISTED[:-8],
    "too long": SINGLE + b"\0",
    "too long, of a list": LISTED + b"\0",
    "no number of blocks": SINGLE[:3],
    "more blocks": struct.pack("<I", 2) + SINGLE[4:],
    "huge": struct.pack("<I", 2**32 - 1) + SINGLE[4:],
    "no such mode": struct.pack("<IqBq", 1, 5, 3, 2),
    "negative": struct.pack("<IqBq", 1, 5, 0, -2),
    "negative count": struct.pack("<IqBqq", 1, 5, 1, 2, -2),
    "negative in a list": struct.pack("<IqBIqq", 1, 5, 2, 2, 8, -9),
    "a huge list": struct.pack("<IqBIqq", 1, 5, 2, 2**32 - 1, 8, 9),
}


@pytest.mark.parametrize("fault", BAD_MANIFESTS)
def test_a_bad_manifest_is_named(fault: str) -> None:
    with pytest.raises(CorruptDataError) as caught:
        decode_manifests(Ragged.of([SINGLE, BAD_MANIFESTS[fault]]), 1, Origin("0/object_index"))
    assert caught.value.path == "0/object_index"
    assert caught.value.chunk_coords == (1,)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=60), count=st.integers(0, 3))
def test_any_bytes_are_manifests_or_corrupt(data: bytes, count: int) -> None:
    try:
        table = decode_manifests(Ragged.of([struct.pack("<I", count) + data]), 1)
    except CorruptDataError:
        return
    assert table.blocks.tolist() == [count]


def test_dense_manifests_are_spans_of_blocks() -> None:
    blocks = np.array([[0, 0, 4], [1, -1, 2], [0, 1, 0]])
    table = manifests_of_dense(np.array([[1, 2], [0, 0], [0, 1]]), blocks)
    assert table.blocks.tolist() == [2, 0, 1]
    assert table.coords.tolist() == [[1, -1], [0, 1], [0, 0]]
    assert table.start.tolist() == [2, 0, 4]


@pytest.mark.parametrize("span", [(-1, 1), (0, 4), (4, 1), (0, -1)])
def test_a_span_outside_of_the_blocks_is_corrupt(span: tuple[int, int]) -> None:
    with pytest.raises(CorruptDataError) as caught:
        manifests_of_dense(np.array([[0, 1], span]), np.zeros((3, 3), np.int64))
    assert caught.value.chunk_coords == (1,)
