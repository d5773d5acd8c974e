"""From one version of OME-Zarr to another: in place, metadata only, or into another store."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal

from anyzarr import crud
from anyzarr._parallel import for_each
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr.abc import Store
from anyzarr.crud._regions import require_writable
from anyzarr.errors import MetadataError, NodeExistsError
from anyzarr.ome._storage import Lengths
from anyzarr.ome._upgrade_arrays import CopyOptions
from anyzarr.ome._upgrade_copy import copy_upgraded
from anyzarr.ome._upgrade_plan import PlannedNode, UpgradePlan, plan_upgrade
from anyzarr.ome._versions import zarr_format_of
from anyzarr.stores import join, open_store

__all__ = ["UpgradeReport", "upgrade", "upgrade_in_place"]

_OF_V2 = (".zmetadata", ".zarray", ".zgroup", ".zattrs")


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """What an upgrade did.

    Attributes
    ----------
    before, version
        The version the root stated, and the one it states now.
    n_groups, n_arrays
        How many there are.
    n_changed
        How many of them have another document.
    """

    before: str
    version: str
    n_groups: int
    n_arrays: int
    n_changed: int


def upgrade(
    location: Any,
    target: Any = None,
    *,
    version: str = "0.5",
    metadata_only: bool = False,
    chunks: Lengths | None = None,
    shards: Lengths | Literal["auto", False] | None = None,
    compressor: Any = None,
    engine: str | None = None,
    backend: str | None = None,
    progress: ProgressCallback | None = None,
    **backend_kwargs: Any,
) -> UpgradeReport:
    """Bring OME-Zarr of any version and layout to a newer version.

    With ``metadata_only`` this is done in place, and no chunk is read or written: Zarr v2 arrays
    get v3 documents that describe the chunks as they lie. All of it is planned, and refused if it
    cannot be done, before anything is touched; documents are written from the leaves to the
    root, and the old ones removed last, so that the hierarchy can be read at every moment and
    an interrupted upgrade is finished by another call.

    With a ``target`` the hierarchy is written there, the root last. Chunks are copied as they
    are, unless other chunks, shards or codecs are asked for; the values are equal bit for bit.

    Parameters
    ----------
    location
        An image, plate, series or labels: a path, a URL, a live store or a dict of bytes.
    target
        Where to write; nothing may be there. None with ``metadata_only``.
    version
        ``0.5``, ``0.6``, or (from 0.1 to 0.3) ``0.4``.
    metadata_only
        Whether to change the metadata in place.
    chunks
        Of the images at the target, one number per axis, or for some by their names; labels take
        those of their axes.
    shards
        Likewise; ``"auto"``: at most 128 MiB, never across time points or channels. False: none.
    compressor
        Of the images at the target, as for :meth:`Image.create_image`.
    engine
        What decodes and encodes chunks, where that is needed.
    progress
        Told how far the copy is.
    backend, **backend_kwargs
        Where the bytes of ``location`` live, if that is not to be worked out, and options.

    Returns
    -------
    UpgradeReport
        What was done.

    Raises
    ------
    UnsupportedError
        It is newer already, or has what the version cannot say. Nothing was changed.
    MetadataError
        It is no OME-Zarr, or an argument does not fit.
    NodeExistsError
        Something is at the target.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> store = {}
    >>> with anyzarr.open_ome_zarr(store, mode="w", version="0.4", axes="yx") as image:
    ...     array = image.create_image("0", np.eye(3, dtype="uint16"))
    >>> anyzarr.ome.upgrade(store, version="0.5", metadata_only=True).before
    '0.4'
    >>> image = anyzarr.open_ome_zarr(store)
    >>> image.version, image.data.zarr_format, image.data.dimension_names
    ('0.5', 3, ('y', 'x'))
    """
    options = CopyOptions(chunks, shards, compressor, engine)
    if metadata_only == (target is not None):
        raise MetadataError(
            "say where the upgrade goes: give a target, or metadata_only=True to change the "
            "metadata in place; one of the two"
        )
    if metadata_only:
        if options.changes_chunks:
            raise MetadataError(
                "chunks, shards and compressor are changed by writing the chunks anew; give a "
                "target instead of metadata_only=True"
            )
        store = open_store(location, backend=backend, mode="r+", **backend_kwargs)
        return upgrade_in_place(store, version)
    store = open_store(location, backend=backend, mode="r", **backend_kwargs)
    plan = plan_upgrade(store, version, recoded=compressor is not None)
    new = open_store(target, mode="a")
    level = new.list_level() if new.capabilities.listable else None
    if level is not None and (level.keys or level.prefixes):
        raise NodeExistsError(
            f"there is something at {new.spec} already; choose another target",
            store=str(new.spec),
            path="",
        )
    copy_upgraded(store, new, plan, options, Tracker(progress))
    return report_of(plan)


def report_of(plan: UpgradePlan) -> UpgradeReport:
    """Return what carrying out a plan has done."""
    changed = sum(node.is_changed for node in plan.nodes)
    return UpgradeReport(plan.before, plan.version, len(plan.groups), len(plan.arrays), changed)


def upgrade_in_place(store: Store, version: str) -> UpgradeReport:
    """Change the documents of a hierarchy; see :func:`upgrade`."""
    require_writable(store, "")
    plan = plan_upgrade(store, version)
    deepest_first = sorted(plan.nodes, key=lambda node: -node.depth)
    for _, level in itertools.groupby(deepest_first, key=lambda node: node.depth):
        changed = [node for node in level if node.is_changed]
        for_each(lambda node: crud.write_metadata(node.after, store, node.path), changed)
    if zarr_format_of(version) == 3:
        # From the root down: a reader of v2 finds all of the hierarchy, or none of it.
        for _, level in itertools.groupby(plan.nodes, key=lambda node: node.depth):
            for_each(lambda node: _drop_v2(store, node), list(level))
    return report_of(plan)


def _drop_v2(store: Store, node: PlannedNode) -> None:
    """Remove the v2 documents of a node that has a v3 one."""
    keys = [join(node.path, name) for name in _OF_V2]
    for key, found in zip(keys, store.get_many([(key, None) for key in keys]), strict=True):
        if found is not None:
            store.delete(key)
