"""The objects of a level: whether manifests, ids, attributes and groups agree."""

from __future__ import annotations

import numpy as np

from anyzarr._nodes import Group
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._objects import ObjectIndex, read_groups
from anyzarr.vectors._report import VectorFindings
from anyzarr.vectors._validate_cells import CellSummary

__all__ = ["check_objects"]


def check_objects(level: StoredLevel, summary: CellSummary, findings: VectorFindings) -> None:
    """Check the object index, attributes of objects, and groups of a level."""
    base = str(level.number)
    index = level.objects
    if index is None:
        return
    ids = np.empty(0, np.int64)
    with findings.caught(f"{base}/object_index", "object-index"):
        ids = index.ids
        if len(np.unique(ids)) != len(ids):
            findings.error(f"{base}/object_index/object_ids", "object-ids", "an id is there twice")
        _check_manifests(base, index, summary, findings)
        _check_attributes(level, index, findings)
    with findings.caught(f"{base}/groups", "groups"):
        known = set(ids.tolist())
        for number, members in read_groups(level.root, level.number).items():
            missing = {*members.tolist()} - known
            if missing:
                findings.warning(
                    f"{base}/groups", "group-members",
                    f"group {number} names {len(missing)} objects that are not there, such as "
                    f"{min(missing)}",
                )  # fmt: skip


def _check_manifests(
    base: str, index: ObjectIndex, summary: CellSummary, findings: VectorFindings
) -> None:
    blocks = index.manifests().expand()
    path = f"{base}/object_index/manifests"
    if not len(blocks.start):
        return
    ndim = blocks.coords.shape[1]
    cells = np.concatenate([*summary.cells, np.empty((0, ndim), np.int64)])
    fragments = np.concatenate([*summary.fragments, np.empty(0, np.int64)])
    both = np.concatenate([cells, blocks.coords])
    _, key = np.unique(both, axis=0, return_inverse=True)
    key = key.reshape(-1)
    available = np.zeros(int(key.max()) + 1, np.int64)
    available[key[: len(cells)]] = fragments
    wrong = blocks.start >= available[key[len(cells) :]]
    if wrong.any():
        row = int(blocks.object_row[np.flatnonzero(wrong)[0]])
        findings.error(
            path, "manifest-fragments",
            f"{np.count_nonzero(wrong)} fragments that manifests name are not there, the first "
            f"of the object {int(index.ids[row])}",
        )  # fmt: skip
    used = key[len(cells) :] * (int(blocks.start.max()) + 1) + blocks.start
    if len(np.unique(used)) != len(used):
        findings.warning(path, "shared-fragments", "a fragment belongs to several objects")


def _check_attributes(level: StoredLevel, index: ObjectIndex, findings: VectorFindings) -> None:
    family = level.root.get(f"{level.number}/object_attributes")
    for name, array in family.arrays() if isinstance(family, Group) else ():
        if array.shape[0] < index.n_objects:
            findings.error(
                f"{level.number}/object_attributes/{name}", "object-attribute",
                f"it has {array.shape[0]} rows, and there are {index.n_objects} objects",
            )  # fmt: skip
