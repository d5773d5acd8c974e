"""Levels of detail: those we make the package reads as we do, and those it makes we read as it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from anyzarr.vectors import (
    add_resolution_level,
    build_pyramid,
    read_graph,
    read_level_links,
    read_lines,
    read_mesh,
    read_points,
    read_polylines,
    validate,
    write_graph,
    write_lines,
    write_mesh,
    write_points,
    write_polylines,
)

pytest.importorskip("zarr_vectors")
from zarr_vectors.core.arrays import read_chunk_vertices, read_link_arrays
from zarr_vectors.core.store import get_resolution_level
from zarr_vectors.core.store import open_store as their_open
from zarr_vectors.multiresolution.coarsen import build_pyramid as their_pyramid
from zarr_vectors.types import graphs, lines, meshes, points, polylines
from zarr_vectors.validate import validate as their_validate

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

SPACE: dict[str, Any] = {"chunk_shape": (16.0,) * 3, "bin_shape": (4.0,) * 3}
KINDS = ["points", "objects", "lines", "polylines", "graph", "skeleton", "mesh"]


class Data:
    """Geometry of each type, in both libraries."""

    def __init__(self, kind: str, seed: int, n: int) -> None:
        rng = np.random.default_rng(seed)
        n = 2 * n
        self.kind, self.n = kind, n
        self.where = np.cumsum(rng.normal(0, 3, (n, 3)), axis=0).astype("float32")
        child = np.arange(1, n)
        parent = np.maximum(0, child - rng.integers(1, 5, n - 1))
        self.edges = np.stack([child, parent], axis=1)
        self.faces = np.stack([np.arange(n - 2), np.arange(1, n - 1), np.arange(2, n)], axis=1)
        self.owner = np.sort(rng.integers(0, 3, n)) if kind != "skeleton" else np.zeros(n, int)
        self.owner = np.unique(self.owner, return_inverse=True)[1].reshape(-1)
        self.paths = np.split(self.where, np.sort(rng.choice(np.arange(2, n), 4, replace=False)))

    def write(self, path: str, theirs: bool, **options: Any) -> None:
        kind, options = self.kind, {**SPACE, **options}
        if kind in ("points", "objects"):
            owner = {"object_ids": self.owner} if kind == "objects" else {}
            (points.write_points if theirs else write_points)(path, self.where, **owner, **options)
        elif kind == "lines":
            ends = self.where.reshape(-1, 2, 3)
            (lines.write_lines if theirs else write_lines)(path, ends, **options)
        elif kind == "polylines":
            (polylines.write_polylines if theirs else write_polylines)(path, self.paths, **options)
        elif kind == "mesh":
            (meshes.write_mesh if theirs else write_mesh)(
                path, self.where, self.faces, object_ids=self.owner, **options
            )
        else:
            options["kind"] = kind
            (graphs.write_graph if theirs else write_graph)(
                path, self.where, self.edges, object_ids=self.owner, **options
            )

    def read(self, path: str, level: int, theirs: bool) -> list[Any]:
        """Return what is read of a level, in an order that does not matter."""
        kind = self.kind
        if kind in ("points", "objects"):
            return rows((points.read_points if theirs else read_points)(path, level=level)
                        ["positions"])  # fmt: skip
        if kind == "lines":
            found = (lines.read_lines if theirs else read_lines)(path, level=level)
            return rows(found["endpoints"].reshape(-1, 6))
        if kind == "polylines":
            found = (polylines.read_polylines if theirs else read_polylines)(path, level=level)
            whole = [np.concatenate(p) if theirs else p for p in found["polylines"]]
            ids = list(map(int, found["object_ids"]))
            return [(i, path.tolist()) for i, path in zip(ids, whole, strict=True)]
        if kind == "mesh":
            found = (meshes.read_mesh if theirs else read_mesh)(path, level=level)
            return rows(found["vertices"]) + joined(found["vertices"], found["faces"])
        found = (graphs.read_graph if theirs else read_graph)(path, level=level)
        return rows(found["positions"]) + joined(found["positions"], found["edges"])


def rows(values: Any) -> list[Any]:
    return sorted(map(tuple, np.asarray(values).tolist()))


def joined(where: Any, links: Any) -> list[Any]:
    where, links = np.asarray(where), np.asarray(links).astype(int)
    return sorted(where[link].reshape(-1).tolist() for link in links)


# Without shrinking, which takes minutes where each example writes stores.
FEW = settings(max_examples=1, deadline=None, phases=[Phase.explicit, Phase.generate])


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(seed=st.integers(0, 2**32), n=st.integers(10, 60), scaled=st.booleans(),
       share=st.sampled_from([1, 0.5]), keep=st.booleans())  # fmt: skip
def test_the_package_reads_our_levels(
    tmp_path_factory: Any, kind: str, seed: int, n: int, scaled: bool, share: float, keep: bool
) -> None:
    data = Data(kind, seed, n)
    path = str(tmp_path_factory.mktemp("ours") / "ours.zarrvectors")
    data.write(path, theirs=False)
    chunks = [2, 1] if scaled else None
    build_pyramid(path, factors=[(2, 1), (2, share)], chunk_scale_factors=chunks, method="bins",
                  cross_level_storage="explicit", cross_level_depth=2,
                  preserve_object_ids=keep, seed=seed)  # fmt: skip
    assert their_validate(path, level=5).errors == []
    assert validate(path, 5).errors == ()
    for level in (0, 1, 2):
        assert data.read(path, level, theirs=True) == data.read(path, level, theirs=False)
    assert_same_links(path, [(0, 1), (1, 2), (0, 2), (1, 0), (2, 1), (2, 0)])


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(seed=st.integers(0, 2**32), n=st.integers(10, 60), scaled=st.booleans(),
       sparsity=st.sampled_from([1.0, 2.0]))  # fmt: skip
def test_we_read_the_levels_of_the_package(
    tmp_path_factory: Any, kind: str, seed: int, n: int, scaled: bool, sparsity: float
) -> None:
    data = Data(kind, seed, n)
    path = str(tmp_path_factory.mktemp("theirs") / "theirs.zarrvectors")
    data.write(path, theirs=True)
    their_pyramid(path, factors=[(2.0, 1.0), (2.0, sparsity)], sparsity_seed=seed % 99,
                  chunk_scale_factors=[2, 1] if scaled else None, cross_level_depth=2)  # fmt: skip
    report = validate(path, 5)
    assert report.errors == ()
    for level in (0, 1, 2):
        assert data.read(path, level, theirs=True) == data.read(path, level, theirs=False)
    pairs = [(0, 1), (1, 2), (0, 2), (1, 0), (2, 1), (2, 0)]
    if kind != "lines":  # of which the package reads those alone that still have two ends
        assert_same_links(path, pairs)
    build_pyramid(path, factors=[(2, 1)], overwrite=True, method="bins" if kind == "mesh" else None)
    assert data.read(path, 1, theirs=True) == data.read(path, 1, theirs=False)
    assert validate(path, 5).errors == ()


def test_the_package_reads_a_level_of_ones_own(tmp_path: Any) -> None:
    data = Data("polylines", 3, 40)
    path = str(tmp_path / "ours.zarrvectors")
    data.write(path, theirs=False)
    add_resolution_level(path, read_polylines(path, object_ids=[1, 3]), scale=2, chunk_scale=2)
    assert their_validate(path, level=5).errors == []
    assert data.read(path, 1, theirs=True) == data.read(path, 1, theirs=False)
    assert [number for number, _ in data.read(path, 1, theirs=True)] == [1, 3]


def assert_same_links(path: str, pairs: list[tuple[int, int]]) -> None:
    """Check that links between levels join the same positions for both libraries."""
    root = their_open(path)
    where = {level: positions(path, level) for level in (0, 1, 2)}
    for a, b in pairs:
        level = get_resolution_level(root, a)
        chunks, rows_ = read_link_arrays(level, delta=b - a)
        theirs = np.stack([at(root, a, chunks[:, 0], rows_[:, 0]),
                           at(root, b, chunks[:, 1], rows_[:, 1])], axis=1)  # fmt: skip
        ours = read_level_links(path, a, delta=b - a)
        mine = np.stack([where[a][ours.source], where[b][ours.target]], axis=1)
        assert rows(mine.reshape(len(mine), -1)) == rows(theirs.reshape(len(theirs), -1))


def at(root: Any, number: int, chunks: Any, rows_: Any) -> Any:
    level = get_resolution_level(root, number)
    dtype = np.dtype(level.read_array_meta("vertices")["dtype"])
    held: dict[Any, Any] = {}
    for cell in {tuple(c) for c in chunks.tolist()}:
        parts = read_chunk_vertices(level, cell, dtype=dtype, ndim=3)
        held[cell] = np.concatenate(list(parts))
    pairs = zip(chunks.tolist(), rows_.tolist(), strict=True)
    return np.array([held[tuple(c)][r] for c, r in pairs]).reshape(-1, 3)


def positions(path: str, level: int) -> Any:
    """Return the vertices of a level in the order in which it is read whole."""
    kind = their_open(path).attrs["zarr_vectors"]["geometry_types"][0]
    if kind == "point_cloud":
        return read_points(path, level=level).positions
    if kind == "line":
        return read_lines(path, level=level).endpoints.reshape(-1, 3)
    if kind == "mesh":
        return read_mesh(path, level=level).vertices
    if kind in ("graph", "skeleton"):
        return read_graph(path, level=level).positions
    return read_polylines(path, level=level).positions
