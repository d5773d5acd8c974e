"""What is known of an OME-Zarr image, from its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyzarr._info._models import ImageInfo
from anyzarr.abc import Store
from anyzarr.metadata import GroupMetadata

__all__ = ["image_info", "is_image", "level_paths"]


def is_image(metadata: GroupMetadata) -> bool:
    """Return whether a group declares a multiscale image."""
    return bool(_ome(metadata).get("multiscales"))


def level_paths(metadata: GroupMetadata) -> tuple[str, ...]:
    """Return the paths of an image's levels, full resolution first."""
    return tuple(d["path"] for d in _ome(metadata)["multiscales"][0]["datasets"])


def image_info(
    metadata: GroupMetadata, store: Store, path: str, engine: str | None, stored: bool
) -> ImageInfo:
    raise NotImplementedError


def _ome(metadata: GroupMetadata) -> Mapping[str, Any]:
    return metadata.attributes.get("ome", metadata.attributes)
