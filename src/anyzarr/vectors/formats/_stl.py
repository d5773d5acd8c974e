"""STL: triangles, each with places of its own, binary or text.

Read here: of a file that is cut off trimesh (5.2) makes an empty scene, and meshio (5.3) fails at
some text. Both judge in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from anyzarr.vectors.formats._format import FormatOptions, VectorFormat, VectorSource
from anyzarr.vectors.formats._parts import corrupt, left_out
from anyzarr.vectors.formats._surfaces import MESHES, mesh_of, mesh_source, triangles, whole

__all__ = ["STL", "open_stl", "write_stl"]

_HEAD_BYTES: Final = 84
_FACET: Final = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_WORDS: Final = re.compile(rb"vertex\s+(\S+)\s+(\S+)\s+(\S+)")


def open_stl(path: Path, options: FormatOptions) -> VectorSource:
    """Open a mesh; corners at exactly the same place become one vertex.

    Normals are left out, as they follow from the corners. The two bytes that each triangle of a
    binary file has for other things become the attribute ``attribute`` of faces, if any is not 0.

    Raises
    ------
    CorruptDataError
        The file is cut off, or is no STL.
    """
    data = path.read_bytes()
    corners, extra = _binary(path, data) if _is_binary(data) else (_text(path, data), None)
    places, index = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    columns = {} if extra is None or not extra.any() else {"attribute": extra}
    faces = index.reshape(-1, 3)
    geometry, told = mesh_of(path, places.astype(corners.dtype), faces, {}, columns)
    return mesh_source(path, geometry, told, options)


def _is_binary(data: bytes) -> bool:
    """Return whether it is not text: many binary files begin with ``solid``, too."""
    if data.lstrip()[:5].lower() != b"solid":
        return True
    n = int.from_bytes(data[80:84], "little")
    return len(data) == _HEAD_BYTES + n * _FACET.itemsize


def _binary(path: Path, data: bytes) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint16]]:
    n = int.from_bytes(data[80:_HEAD_BYTES], "little")
    size = _HEAD_BYTES + n * _FACET.itemsize
    if len(data) < _HEAD_BYTES or len(data) != size:
        raise corrupt(path, f"it has {len(data)} bytes, and {n} triangles need {size}")
    facets = np.frombuffer(data, _FACET, n, _HEAD_BYTES)
    return facets["corners"].astype(np.float32), facets["attribute"].astype(np.uint16)


def _text(path: Path, data: bytes) -> npt.NDArray[np.float64]:
    lower = data.lower()
    n = lower.count(b"endfacet")
    if b"endsolid" not in lower:
        raise corrupt(path, "it does not end with 'endsolid'")
    found = _WORDS.findall(lower)
    try:
        corners = np.array(found, dtype="S").astype(np.float64) if found else np.empty((0, 3))
    except ValueError as error:
        raise corrupt(path, f"a vertex is no three numbers ({error})") from error
    if len(corners) != 3 * n:
        raise corrupt(path, f"{n} triangles need {3 * n} vertices, and it has {len(corners)}")
    return corners.reshape(-1, 3, 3)


def write_stl(
    source: VectorSource, path: Path, options: FormatOptions, advance: Callable[[int], None]
) -> Sequence[str]:
    """Write a mesh as binary STL, faces of more than three vertices as triangles."""
    part = whole(source.batches())
    assert part.links is not None
    faces = triangles(part.links)
    facets = np.zeros(len(faces), _FACET)
    corners = part.positions[faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    facets["normal"] = normals / np.where(length == 0, 1, length)
    facets["corners"] = corners
    kept = part.link_attributes.get("attribute")
    holds_it = kept is not None and kept.dtype == np.uint16 and len(faces) == len(part.links)
    if holds_it:
        facets["attribute"] = kept
    with path.open("wb") as file:
        file.write(b"binary STL".ljust(80) + len(faces).to_bytes(4, "little"))
        file.write(facets.data)
    advance(part.n_vertices)
    lost = {*part.vertex_attributes, *part.link_attributes, *part.object_attributes}
    told = left_out(lost - ({"attribute"} if holds_it else set()), "attributes", "STL")
    if source.facts.dtype == np.float64 and (facets["corners"] != corners).any():
        told.append("positions are rounded: STL holds single precision")
    if part.n_objects > 1:
        told.append(f"{part.n_objects} objects are one mesh, in which STL does not tell them apart")
    return told


STL = VectorFormat("STL", (".stl",), open_stl, write_stl, MESHES)
"""The format, for the registry."""
