"""TRX written: arrays that grow, put into an archive at the end."""

from __future__ import annotations

import json
import math
import re
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors.formats._format import FormatOptions, VectorSource
from anyzarr.vectors.formats._parts import left_out
from anyzarr.vectors.formats._space import ImageSpace, space_of

__all__ = ["BITS", "write_trx"]

BITS: Final = "bit"
"""The name of the type of booleans, one byte each."""


def write_trx(
    source: VectorSource, path: Path, options: FormatOptions, advance: Callable[[int], None]
) -> Sequence[str]:
    """Write streamlines as a TRX archive, its arrays not compressed."""
    space, warned = space_of(source.facts)
    with tempfile.TemporaryDirectory(prefix="anyzarr-") as folder:
        writer = _Writer(Path(folder))
        for part in source.batches():
            writer.add(part)
            advance(part.n_vertices)
        writer.finish(space)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for file in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
                archive.write(file, file.relative_to(folder).as_posix())
    return [*warned, *left_out(writer.lost, "attributes", "a TRX file (numbers only)")]


class _Writer:
    """The arrays of a TRX, each a file that grows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counts: list[npt.NDArray[np.int64]] = []
        self._ids: list[npt.NDArray[np.int64]] = []
        self._last: Geometry | None = None
        self.lost: set[str] = set()

    def add(self, part: Geometry) -> None:
        """Write what a part holds."""
        assert part.object_rows is not None
        assert part.object_ids is not None
        self._counts.append(np.bincount(part.object_rows, minlength=part.n_objects))
        self._ids.append(part.object_ids)
        self._append("positions", part.positions)
        for folder, columns in (("dpv", part.vertex_attributes), ("dps", part.object_attributes)):
            for name, column in columns.items():
                self._append(f"{folder}/{name}", column)
        self._last = part

    def _append(self, name: str, column: npt.NDArray[Any]) -> None:
        kind = column.dtype.newbyteorder("=").name
        if column.dtype.kind not in "biuf":
            self.lost.add(name.rpartition("/")[2])
            return
        width = math.prod(column.shape[1:])
        told = "" if column.ndim == 1 else f".{width}"
        path = self._folder / f"{name}{told}.{BITS if kind == 'bool' else kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(np.ascontiguousarray(column, column.dtype.newbyteorder("<")).data)

    def finish(self, space: ImageSpace) -> None:
        """Write offsets, groups and the header."""
        counts = np.concatenate(self._counts)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
        self._append("offsets", offsets)
        self._groups()
        header = {
            "DIMENSIONS": list(space.dimensions),
            "VOXEL_TO_RASMM": space.affine.tolist(),
            "NB_VERTICES": int(offsets[-1]),
            "NB_STREAMLINES": len(counts),
        }
        (self._folder / "header.json").write_text(json.dumps(header))

    def _groups(self) -> None:
        part = self._last
        if part is None or not part.groups:
            return
        ids = np.concatenate(self._ids)
        order = np.argsort(ids, kind="stable")
        for number, name in _file_names(part).items():
            members = part.groups[number]
            place = np.searchsorted(ids[order], members)
            held = place < len(ids)
            held[held] = ids[order][place[held]] == members[held]
            self._append(f"groups/{name}", order[place[held]].astype(np.uint32))
            for attribute, column in part.group_attributes.items():
                if attribute != "name" and number < len(column):
                    self._append(f"dpg/{name}/{attribute}", column[number : number + 1])


def _file_names(part: Geometry) -> dict[int, str]:
    """Return a name for each group that can be that of a file, no two the same."""
    told = part.group_attributes.get("name", np.empty(0, "U1"))
    found: dict[int, str] = {}
    for number in part.groups:
        name = str(told[number]) if number < len(told) and told[number] else f"group_{number}"
        name = re.sub(r"[^\w-]+", "_", name)
        found[number] = f"{name}_{number}" if name in found.values() else name
    return found
