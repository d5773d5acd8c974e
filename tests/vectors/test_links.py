"""Where links go, and the blobs of their cells: against the zarr-vectors package."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.abc import Ragged
from anyzarr.errors import CorruptDataError
from anyzarr.vectors._blobs import Origin
from anyzarr.vectors._grid import CellGrid
from anyzarr.vectors._links import (
    LinkFamily,
    decode_inline,
    encode_inline,
    offsets_name,
    parse_offsets_name,
    permutation_codes,
    permutations_of,
)
from anyzarr.vectors._scatter import scatter
from anyzarr.vectors._scatter_links import scatter_links

boundary = pytest.importorskip("zarr_vectors.spatial.boundary")
paths = pytest.importorskip("zarr_vectors.core.paths")
ragged = pytest.importorskip("zarr_vectors.encoding.ragged")


@pytest.mark.parametrize("width", range(1, 6))
def test_codes_of_permutations_are_those_of_the_package(width: int) -> None:
    order = np.array(list(itertools.permutations(range(width))))
    codes = permutation_codes(order)
    assert codes.tolist() == [boundary._lehmer_encode(list(row)) for row in order.tolist()]
    assert np.array_equal(permutations_of(codes, width), order)


def test_a_triangle_in_reverse_has_the_code_five() -> None:
    assert permutation_codes(np.array([[2, 1, 0]])).tolist() == [5]


@given(st.data(), st.integers(1, 4), st.integers(1, 4))
def test_names_of_offsets(data: st.DataObject, width: int, ndim: int) -> None:
    numbers = st.lists(st.integers(-12, 12), min_size=ndim, max_size=ndim)
    rows = data.draw(st.lists(numbers, min_size=width - 1, max_size=width - 1))
    offsets = np.array(rows, np.int64).reshape(width - 1, ndim)
    name = offsets_name(offsets)
    assert name == paths.format_offsets([tuple(row) for row in rows])
    assert np.array_equal(parse_offsets_name(name, LinkFamily(width, ndim)), offsets)


@pytest.mark.parametrize(
    "name",
    ["", "0.0", "1.0.0", "0.+0.0", "0.0.a", "0.0.0_0.0.0", "self", "0.0.+99999999999999999999"],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(CorruptDataError) as caught:
        parse_offsets_name(name, LinkFamily(2, 3))
    assert caught.value.path == f"links/0/{name}"


@given(st.lists(st.lists(st.integers(0, 5), max_size=4), min_size=1, max_size=5))
def test_groups_of_the_package_are_read_one_after_the_other(groups: list[list[int]]) -> None:
    rows = [np.arange(2 * n).reshape(-1, 2) for cell in groups for n in cell]
    blob = ragged.encode_ragged_blob(rows, np.dtype(np.int64))
    got = decode_inline(Ragged.of([blob, b""]))
    assert got.to_list() == [b"".join(row.astype("<i8").tobytes() for row in rows), b""]


@given(st.lists(st.integers(0, 5), max_size=5))
def test_cells_of_links_are_read_by_the_package(counts: list[int]) -> None:
    rows = [np.arange(2 * n, dtype="<i8").tobytes() for n in counts]
    for blob, row in zip(encode_inline(Ragged.of(rows)).to_list(), rows, strict=True):
        read = ragged.decode_ragged_blob(blob, np.dtype(np.int64), ncols=2)
        assert b"".join(part.tobytes() for part in read) == row


GOOD = ragged.encode_ragged_blob([np.arange(4), np.arange(2)], np.dtype(np.int64))


@pytest.mark.parametrize(
    "blob",
    [
        b"\1",
        (99).to_bytes(8, "little") + GOOD[8:],
        (-1).to_bytes(8, "little", signed=True) + GOOD[8:],
        (0).to_bytes(8, "little") + GOOD[8:],
        GOOD[:8] + (8).to_bytes(8, "little") + GOOD[16:],
        GOOD[:16] + (800).to_bytes(8, "little") + GOOD[24:],
        GOOD[:16] + (-8).to_bytes(8, "little", signed=True) + GOOD[24:],
    ],
)
def test_a_bad_cell_of_links_is_named(blob: bytes) -> None:
    with pytest.raises(CorruptDataError) as caught:
        decode_inline(Ragged.of([GOOD, blob]), Origin("0/links/0/+1", np.array([[3], [-4]])))
    assert (caught.value.path, caught.value.chunk_coords) == ("0/links/0/+1", (-4,))


@pytest.mark.parametrize("missing", ["link_width", "sid_ndim"])
def test_a_family_must_say_how_links_are_stored(missing: str) -> None:
    attributes: dict[str, Any] = LinkFamily(2, 3).attributes(5)
    assert LinkFamily.parse(attributes, "0/links/0") == LinkFamily(2, 3)
    del attributes[missing]
    with pytest.raises(CorruptDataError):
        LinkFamily.parse(attributes, "0/links/0")


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 40),
    m=st.integers(0, 60),
    width=st.integers(1, 4),
    ndim=st.integers(1, 3),
    directed=st.booleans(),
)
def test_links_go_where_the_package_puts_them(
    seed: int, n: int, m: int, width: int, ndim: int, directed: bool
) -> None:
    rng = np.random.default_rng(seed)
    positions = rng.uniform(-12, 12, (n, ndim))
    links = rng.integers(0, n, (m, width))
    grid = CellGrid.over(((-12.0,) * ndim, (12.0,) * ndim), (5.0,) * ndim)
    where = scatter(grid, positions, rng.integers(0, 3, n))
    cell, row = where.places()
    got = {}
    for array in scatter_links(where, links, LinkFamily(width, ndim, directed=directed)):
        for i, coords in enumerate(array.cells.tolist()):
            part = slice(array.cell_offsets[i], array.cell_offsets[i + 1])
            got[array.name, tuple(coords)] = (array.rows[part], array.order[part])
    expected = boundary.partition_link_arrays(
        where.cells[cell[links]],
        row[links],
        link_width=width,
        sid_ndim=ndim,
        scale_src=(1,) * ndim,
        scale_trg=(1,) * ndim,
        directed=directed,
    )
    assert got.keys() == expected.keys()
    for key, (rows, order) in expected.items():
        assert np.array_equal(got[key][0], rows)
        assert np.array_equal(got[key][1], order)
