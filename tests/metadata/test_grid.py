"""Rectilinear grids, run-length encoded, and key encodings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata import ChunkKeyEncoding, array_document, parse_array, resized, to_document
from anyzarr.metadata._grid import grid_json, parse_grid, run_lengths


def rectilinear(*chunk_shapes):
    return {
        "name": "rectilinear",
        "configuration": {"kind": "inline", "chunk_shapes": list(chunk_shapes)},
    }


def test_the_example_of_the_registry():
    spec = rectilinear([[2, 3]], [[1, 6]], [1, [2, 1], 3], [[1, 3], 3], [6])
    grid = parse_grid(spec, (6,) * 5)
    assert grid.edges == ((2, 2, 2), (1,) * 6, (1, 2, 3), (1, 1, 1, 3), (6,))
    assert grid.grid_shape == (3, 6, 3, 4, 1)
    assert grid.shape_of((0, 0, 1, 3, 0)) == (2, 1, 2, 3, 6)
    assert grid.origin_of((2, 5, 1, 3, 0)) == (4, 5, 1, 3, 0)


def test_one_length_repeats_until_it_covers_the_dimension():
    grid = parse_grid(rectilinear(4, [3, 7]), (10, 10))
    assert grid.edges == ((4, 4, 4), (3, 7))
    assert grid.extent_of((2, 1)) == (slice(8, 10), slice(3, 10))


def test_repeating_lengths_everywhere_are_a_regular_grid():
    grid = parse_grid(rectilinear(4, 3), (10, 10))
    assert grid.is_regular
    assert grid.chunk_shape == (4, 3)


def test_chunks_beyond_the_shape_are_left_out():
    grid = parse_grid(rectilinear([4, 4, 4, [4, 1000]], [5, 5, 5]), (10, 0))
    assert grid.edges == ((4, 4, 4), ())
    assert grid.n_chunks == 0


def test_few_bytes_cannot_ask_for_much_memory():
    with pytest.raises(UnsupportedError, match="chunks"):
        parse_grid(rectilinear([[1, 2**62]], [5]), (2**62, 5))
    with pytest.raises(UnsupportedError, match="chunks"):
        parse_grid(rectilinear(1, [5]), (2**62, 5))
    assert parse_grid(rectilinear([[1, 2**62]], [5]), (3, 5)).edges == ((1, 1, 1), (5,))


@given(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=12), min_size=1, max_size=3))
def test_grids_come_back_from_their_run_lengths(edges):
    shape = tuple(map(sum, edges))
    grid = parse_grid(rectilinear(*map(run_lengths, edges)), shape)
    assert grid.edges == tuple(map(tuple, edges))
    assert parse_grid(grid_json(grid), shape) == grid
    covered = np.zeros(shape, int)
    for coords in grid.coords():
        covered[grid.extent_of(coords)] += 1
    assert (covered == 1).all()


def test_shards_of_several_lengths_must_all_be_divided():
    document = array_document(shape=(10, 8), dtype="u2", chunks=(2, 4), shards=[[4, 6], 8])
    metadata = parse_array(document)
    assert metadata.grid.edges == ((4, 6), (8,))
    document["codecs"][0]["configuration"]["chunk_shape"] = [4, 4]
    with pytest.raises(MetadataError, match="divide"):
        parse_array(document)


def test_resizing_keeps_chunks_and_adds_what_is_missing():
    metadata = parse_array(array_document(shape=(10, 10), dtype="u1", chunks=[[3, 7], 5]))
    assert resized(metadata, (4, 10)).grid.edges == ((3, 7), (5, 5))
    assert resized(metadata, (2, 10)).grid.edges == ((3,), (5, 5))
    grown = resized(metadata, (25, 11))
    assert grown.grid.edges == ((3, 7, 7, 7, 7), (5, 5, 5))
    assert to_document(resized(grown, (10, 10)))["shape"] == [10, 10]
    assert resized(resized(metadata, (2, 10)), (10, 10)) == metadata
    for shape in ((5,), (-1, 5)):
        with pytest.raises(MetadataError):
            resized(metadata, shape)


def test_resizing_a_regular_grid_keeps_it():
    metadata = parse_array(array_document(shape=(10, 10), dtype="u1", chunks=(3, 3), zarr_format=2))
    assert resized(metadata, (np.int64(4), 100)).grid.grid_shape == (2, 34)


@pytest.mark.parametrize(
    ("encoding", "coords", "key"),
    [
        (ChunkKeyEncoding(), (1, 2), "c/1/2"),
        (ChunkKeyEncoding("default", "."), (1, 2), "c.1.2"),
        (ChunkKeyEncoding("v2", "."), (1, 2), "1.2"),
        (ChunkKeyEncoding("v2", "/"), (1, 2), "1/2"),
        (ChunkKeyEncoding(), (), "c"),
        (ChunkKeyEncoding("v2", "."), (), "0"),
    ],
)
def test_keys(encoding, coords, key):
    assert encoding.key(coords) == key
