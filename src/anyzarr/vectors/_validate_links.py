"""The links of a level: whether what they join is there."""

from __future__ import annotations

import numpy as np

from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._read_links import StoredLinks
from anyzarr.vectors._report import VectorFindings
from anyzarr.vectors._validate_cells import CellSummary, check_listed

__all__ = ["check_links"]


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
