"""The cells of a level: whether what is stored in them agrees, and lies where it belongs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Group
from anyzarr.errors import AnyzarrError
from anyzarr.vectors._attributes import row_layout
from anyzarr.vectors._blobs import Ints, Origin
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._completed import tiles
from anyzarr.vectors._crossing import vertices_met
from anyzarr.vectors._fragments import FragmentTable, decode_fragments
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._report import VectorFindings

__all__ = ["CellSummary", "check_cells", "check_listed"]

_BATCH = 4096
_MOST_CELLS = 10_000_000


@dataclass
class CellSummary:
    """What has been seen of a level's cells.

    Attributes
    ----------
    cells, fragments, rows
        Cells with fragments, and how many fragments and rows each has.
    n_vertices
        Rows that fragments name.
    """

    cells: list[Coords] = field(default_factory=list)
    fragments: list[Ints] = field(default_factory=list)
    rows: list[Ints] = field(default_factory=list)
    n_vertices: int = 0

    def all_cells(self, array: CellArray) -> tuple[Coords, Ints]:
        """Return all cells that have been seen, as those of an array, and the rows of each."""
        cells = np.concatenate([*self.cells, np.empty((0, array.ndim), np.int64)])
        return cells, np.concatenate([*self.rows, np.empty(0, np.int64)])


def check_cells(level: StoredLevel, findings: VectorFindings, *, places: bool) -> CellSummary:
    """Check cells in batches; return what has been seen.

    Parameters
    ----------
    level
        The level.
    findings
        Takes what is wrong.
    places
        Whether to check where vertices lie, too.
    """
    base, summary = str(level.number), CellSummary()
    attributes = _attributes(level, findings)
    arrays = {"vertices": level.vertices, **attributes}
    if level.fragments is not None:
        arrays["vertex_fragments"] = level.fragments
    for name, array in arrays.items():
        check_listed(f"{base}/{name}", array, findings)
    cells = level.cells
    for start in range(0, len(cells), _BATCH):
        with findings.caught(f"{base}/vertices", "unreadable"):
            _check_batch(
                level, cells[start : start + _BATCH], attributes, summary, findings, places
            )
    count = level.level.vertex_count
    if summary.n_vertices != count:
        findings.error(
            base, "vertex-count", f"vertex_count is {count}, and fragments name "
            f"{summary.n_vertices} rows"
        )  # fmt: skip
    return summary


def _attributes(level: StoredLevel, findings: VectorFindings) -> dict[str, CellArray]:
    family = level.root.get(f"{level.number}/vertex_attributes")
    names = family.keys() if isinstance(family, Group) else []
    found = {}
    for name in names:
        with findings.caught(f"{level.number}/vertex_attributes/{name}", "attribute"):
            array = level.array(f"vertex_attributes/{name}")
            row_layout(name, array.attributes)
            found[f"vertex_attributes/{name}"] = array
    return found


def check_listed(path: str, array: CellArray, findings: VectorFindings) -> None:
    """Check that the cells that are listed hold something, and that others do not."""
    shape = array.metadata.shape
    if math.prod(shape) > _MOST_CELLS:
        findings.warning(path, "nonempty-chunks", f"its {math.prod(shape)} cells were not tried")
        return
    every = np.indices(shape, dtype=np.int64).reshape(array.ndim, -1).T + array.origin
    held = []
    for start in range(0, len(every), _BATCH):
        batch = every[start : start + _BATCH]
        try:
            held.append(batch[array.read(batch).lengths > 0])
        except AnyzarrError as error:
            findings.error(path, "unreadable", error.message)
            return
    found = {tuple(cell) for cell in np.concatenate(held).tolist()} if held else set()
    listed = {tuple(cell) for cell in array.nonempty.tolist()}
    if listed - found:
        findings.error(
            path, "nonempty-chunks", f"{len(listed - found)} cells are listed and hold nothing, "
            f"such as {_shown(min(listed - found))}"
        )  # fmt: skip
    if found - listed:
        findings.warning(
            path, "nonempty-chunks", f"{len(found - listed)} cells hold something and are not "
            f"listed, such as {_shown(min(found - listed))}: left by a write that was cut off"
        )  # fmt: skip


def _shown(cell: tuple[int, ...]) -> str:
    return ".".join(map(str, cell))


def _check_batch(
    level: StoredLevel,
    cells: Coords,
    attributes: dict[str, CellArray],
    summary: CellSummary,
    findings: VectorFindings,
    places: bool,
) -> None:
    base = str(level.number)
    positions, offsets = level.vertices.rows(cells, level.dtype, (level.ndim,))
    rows = np.diff(offsets)
    table = FragmentTable.of_runs(np.ones(len(cells), np.int64), rows)
    if level.fragments is not None:
        blobs = level.fragments.read(cells)
        table = decode_fragments(blobs, Origin(level.fragments.path, cells))
    summary.cells.append(cells)
    summary.fragments.append(table.fragments)
    summary.rows.append(rows)
    summary.n_vertices += int(table.count.sum())
    extent = table.extent()
    _report(f"{base}/vertices", "fragment-rows", cells, rows < extent,
            "fewer rows than the fragments name", findings)  # fmt: skip
    for name, array in attributes.items():
        dtype, shape = row_layout(name, array.attributes)
        short = np.diff(array.rows(cells, dtype, shape)[1]) < extent
        _report(f"{base}/{name}", "fragment-rows", cells, short,
                "fewer rows than the fragments name", findings)  # fmt: skip
    if level.level.fragments_tile and not tiles(table, rows):
        findings.error(base, "fragments-tile", "fragments_tile is true, and fragments do not tile")
    if places and not (rows < extent).any():
        _check_places(level, cells, positions, offsets, table, findings)


def _check_places(
    level: StoredLevel,
    cells: Coords,
    positions: npt.NDArray[np.floating],
    offsets: Ints,
    table: FragmentTable,
    findings: VectorFindings,
) -> None:
    path = f"{level.number}/vertices"
    named, ends = table.rows()
    fragment = np.repeat(np.arange(len(table)), np.diff(ends))
    owner = table.cell[fragment]
    held = positions[offsets[:-1][owner] + named]
    finite = np.isfinite(held).all(axis=1)
    there = np.where(finite[:, None], held, 0)
    spatial = cells[:, -level.ndim :]
    elsewhere = (level.grid.cells(there) != spatial[owner]).any(axis=1)
    outside = ~vertices_met(there, level.metadata.bounds)
    numbers = level.grid.bin_numbers(there)
    strays = np.zeros(len(held), bool)
    if level.number == 0 and level.grid.n_bins > 1 and level.objects is None:
        strays = table.number[fragment] != numbers
    for rule, wrong, what in (
        ("finite", ~finite, "vertices that are no finite numbers"),
        ("own-chunk", elsewhere & finite, "vertices that belong to another chunk"),
        ("bounds", outside & finite, "vertices outside of the store's bounds"),
        ("own-bin", strays & finite & ~elsewhere, "vertices in the fragment of another bin"),
    ):
        per_cell = np.bincount(owner[wrong], minlength=len(cells)) > 0
        _report(path, rule, cells, per_cell, what, findings)


def _report(
    path: str,
    rule: str,
    cells: Coords,
    wrong: npt.NDArray[np.bool_],
    what: str,
    findings: VectorFindings,
) -> None:
    if wrong.any():
        first = _shown(tuple(cells[np.flatnonzero(wrong)[0]].tolist()))
        findings.error(path, rule, f"{np.count_nonzero(wrong)} cells hold {what}, such as {first}")
