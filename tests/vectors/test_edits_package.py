"""Stores that were edited, as the package reads them, and stores of the package, edited."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anyzarr.vectors import delete_objects

pytest.importorskip("zarr_vectors", reason="needs zarr-vectors")
# zarr-python warns of the data type of the format, which has no specification yet.
pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

KINDS = ["point", "polyline", "graph", "skeleton", "mesh"]


def package_vertices(path: str, kind: str, ids: list[int]) -> list[Any]:
    """Return the vertices that the package reads of a whole store, sorted."""
    from zarr_vectors.types import graphs, meshes, points, polylines

    if kind == "point":
        found = points.read_points(path)["positions"]
    elif kind == "polyline":
        # Without ids it looks for 0, 1, … only, as many as there are.
        found = polylines.read_polylines(path, object_ids=ids)["polylines"]
        found = np.concatenate([piece for line in found for piece in line])
    elif kind == "mesh":
        found = meshes.read_mesh(path)["vertices"]
    else:
        found = graphs.read_graph(path)["positions"]
    return sorted(np.asarray(found).tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_reads_what_is_left(made, tmp_path, kind: str) -> None:
    path = str(tmp_path / "a")
    made.write(path, kind, made.IDS)
    delete_objects(path, [5, 6])
    left = np.concatenate([made.positions_of(2), made.positions_of(9)])
    assert package_vertices(path, kind, [2, 9]) == sorted(left.tolist())
