"""Links within a level and between levels: whether what they join is there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._level_links import listed_levels, read_links_to
from anyzarr.vectors._read_links import StoredLinks
from anyzarr.vectors._report import VectorFindings
from anyzarr.vectors._validate_cells import CellSummary, check_listed
from anyzarr.vectors._whole import Places

__all__ = ["check_level_links", "check_links"]


def check_links(level: StoredLevel, summary: CellSummary, findings: VectorFindings) -> None:
    """Check that links within a level join vertices that are there, and have their attributes."""
    path = f"{level.number}/links/0"
    with findings.caught(path, "links"):
        links = StoredLinks.open(level.root, level.number)
        if links is None:
            return
        cells, rows = summary.all_cells(level.fragments or level.vertices)
        index = CellIndex(cells)
        for offsets, array in zip(links.offsets, links.arrays, strict=True):
            name = array.path.rpartition("/")[2]
            check_listed(f"{path}/{name}", array, findings)
            ends = np.concatenate([np.zeros((1, offsets.shape[1]), np.int64), offsets])
            reached = (array.nonempty[:, None, :] + ends).reshape(-1, offsets.shape[1])
            lost = np.unique(reached[index.find(reached) < 0], axis=0)
            if len(lost):
                findings.error(
                    f"{path}/{name}", "link-chunks",
                    f"links lead to {len(lost)} chunks that hold no vertices, such as "
                    f"{'.'.join(map(str, lost[0].tolist()))}",
                )  # fmt: skip
        found = links.read(cells, rows)
        for name, column in found.attributes.items():
            if len(column) != len(found.vertices):
                findings.error(
                    f"{level.number}/link_attributes/{name}", "link-attribute",
                    f"it has {len(column)} rows, and there are {len(found.vertices)} links",
                )  # fmt: skip


def check_level_links(
    levels: Mapping[int, tuple[StoredLevel, CellSummary]], findings: VectorFindings
) -> None:
    """Check that links between levels join vertices that are there.

    Parameters
    ----------
    levels
        The levels by number, and what has been seen of their cells.
    findings
        Takes what is wrong.
    """
    for number, (level, summary) in levels.items():
        for other in listed_levels(level.root, number):
            path = f"{number}/links/{other - number:+d}"
            if other not in levels:
                findings.error(path, "level-links", f"links lead to level {other}, not there")
                continue
            with findings.caught(path, "level-links"):
                coarse, seen = levels[other]
                ends = read_links_to(level, coarse)
                if ends is not None:
                    _check_ends(path, level, ends.source, summary, findings)
                    _check_ends(path, coarse, ends.target, seen, findings)


def _check_ends(
    path: str, level: StoredLevel, ends: Places, summary: CellSummary, findings: VectorFindings
) -> None:
    cells, rows = summary.all_cells(level.fragments or level.vertices)
    place = CellIndex(cells).find(ends.cells)
    known = np.where(place >= 0, np.append(rows, 0)[place], 0)[ends.cell]
    wrong = (ends.row < 0) | (ends.row >= known)
    if wrong.any():
        findings.error(
            path, "level-links", f"{np.count_nonzero(wrong)} links end at vertices of level "
            f"{level.number} that are not there"
        )  # fmt: skip
