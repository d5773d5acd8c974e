"""OBJ (Wavefront): places and faces of meshes, and colours of vertices, as text.

Read here: trimesh (5.2) takes relative numbers of vertices for others than they are, and cuts all
faces; meshio (5.3) fails at textures. Both judge in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.vectors.formats._format import FormatOptions, VectorFormat, VectorSource
from anyzarr.vectors.formats._parts import corrupt, left_out
from anyzarr.vectors.formats._surfaces import MESHES, mesh_of, mesh_source, whole

__all__ = ["OBJ", "open_obj", "write_obj"]


def open_obj(path: Path, options: FormatOptions) -> VectorSource:
    """Open a mesh; textures, normals, materials and lines are left out, groups are joined.

    Colours behind the coordinates of vertices become the attribute ``rgb``. Faces that are not all
    of one width become triangles.

    Raises
    ------
    CorruptDataError
        A line is not what it says, or a face names a vertex that there is not.
    """
    vertices: list[str] = []
    faces: list[npt.NDArray[np.int64]] = []
    lost: set[str] = set()
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(_joined_lines(file), 1):
            word, _, rest = line.strip().partition(" ")
            if word == "v":
                vertices.append(rest)
            elif word == "f":
                faces.append(_face(path, number, rest, len(vertices)))
            elif word in {"vt", "vn", "l", "p", "usemtl", "curv", "surf"}:
                lost.add(_NAMES[word])
    positions, columns = _vertices(path, vertices)
    geometry, told = mesh_of(path, positions, faces, columns, {})
    return mesh_source(path, geometry, [*left_out(lost, "parts", "a store"), *told], options)


_NAMES = {"vt": "textures", "vn": "normals", "l": "lines", "p": "points", "usemtl": "materials",
          "curv": "curves", "surf": "surfaces"}  # fmt: skip


def _joined_lines(file: Any) -> Any:
    """Yield lines; one that ends in a backslash goes on in the next."""
    held = ""
    for line in file:
        text = held + line.rstrip("\r\n")
        held = ""
        if text.endswith("\\"):
            held = text[:-1] + " "
        else:
            yield text
    if held:
        yield held


def _face(path: Path, number: int, rest: str, n_before: int) -> npt.NDArray[np.int64]:
    """Return the vertices of a face, counted from 0; negative ones count from the last so far."""
    try:
        told = np.array([int(word.partition("/")[0]) for word in rest.split()], np.int64)
    except ValueError as error:
        raise corrupt(path, f"the face in line {number} is {rest[:60]!r}") from error
    if (told == 0).any() or (told < -n_before).any():
        raise corrupt(path, f"the face in line {number} names no vertex: {rest[:60]!r}")
    return np.where(told > 0, told - 1, told + n_before)


def _vertices(
    path: Path, lines: Sequence[str]
) -> tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[np.float64]]]:
    if not lines:
        return np.empty((0, 3)), {}
    try:
        rows = np.loadtxt(lines, ndmin=2)
    except ValueError as error:
        raise corrupt(path, f"its vertices are no numbers, three each ({error})") from error
    if rows.shape[1] not in {3, 4, 6, 7}:
        raise corrupt(path, f"its vertices have {rows.shape[1]} numbers; three are coordinates")
    columns = {"rgb": np.ascontiguousarray(rows[:, -3:])} if rows.shape[1] > 4 else {}
    return np.ascontiguousarray(rows[:, :3]), columns


def write_obj(
    source: VectorSource, path: Path, options: FormatOptions, advance: Callable[[int], None]
) -> Sequence[str]:
    """Write a mesh; numbers are written in full, and an attribute ``rgb`` of floats as colours."""
    part = whole(source.batches())
    assert part.links is not None
    rgb = part.vertex_attributes.get("rgb", np.empty(0))
    has_colours = rgb.dtype.kind == "f" and rgb.shape == (part.n_vertices, 3)
    rows = np.hstack([part.positions, rgb]) if has_colours else part.positions
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"v {' '.join(map(repr, row))}\n" for row in rows.tolist())
        file.writelines(f"f {' '.join(map(str, row))}\n" for row in (part.links + 1).tolist())
    advance(part.n_vertices)
    lost = {*part.vertex_attributes} - ({"rgb"} if has_colours else set())
    told = left_out(lost | {*part.link_attributes, *part.object_attributes}, "attributes", "OBJ")
    if part.n_objects > 1:
        told.append(f"{part.n_objects} objects are one mesh, in which OBJ does not tell them apart")
    return told


OBJ = VectorFormat("OBJ", (".obj",), open_obj, write_obj, MESHES)
"""The format, for the registry."""
