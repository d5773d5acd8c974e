"""Conversion from OME-Zarr to OME-Zarr of another version, other chunks or other codecs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anyzarr import crud
from anyzarr._convert._image import ImageOptions
from anyzarr._progress import Tracker
from anyzarr.abc import Store
from anyzarr.errors import NodeNotFoundError
from anyzarr.ome import CopyOptions, UpgradePlan, copy_upgraded, plan_upgrade, written_version
from anyzarr.ome import is_ome as is_ome_attributes

__all__ = ["PlannedUpgrade", "changes_ome", "planned_upgrade"]


@dataclass(frozen=True, slots=True)
class PlannedUpgrade:
    """What is to be done to a hierarchy on its way.

    Attributes
    ----------
    plan
        The new documents.
    options
        How chunks are cut and coded.
    warnings
        What a user may not expect, one sentence each.
    """

    plan: UpgradePlan
    options: CopyOptions
    warnings: tuple[str, ...] = ()

    def write(self, source: Store, target: Store, tracker: Tracker) -> None:
        """Write it to an empty store, the root last."""
        copy_upgraded(source, target, self.plan, self.options, tracker)


def changes_ome(store: Store, options: ImageOptions) -> bool:
    """Return whether a hierarchy is OME-Zarr and is to be changed on its way."""
    asked = (options.version, options.chunks, options.shards, options.compressor)
    if all(option is None for option in asked):
        return False
    return options.version is not None or is_ome_attributes(_attributes(store))


def planned_upgrade(store: Store, options: ImageOptions) -> PlannedUpgrade:
    """Return what is to be done; raises as :func:`anyzarr.ome.upgrade` does."""
    copy_options = CopyOptions(options.chunks, options.shards, options.compressor, options.engine)
    version = options.version or written_version(_attributes(store))
    plan = plan_upgrade(store, version, recoded=options.compressor is not None)
    return PlannedUpgrade(plan, copy_options)


def _attributes(store: Store) -> dict[str, Any]:
    try:
        document = crud.read_metadata(store)
    except NodeNotFoundError:
        return {}
    return dict(document.get("attributes") or {})
