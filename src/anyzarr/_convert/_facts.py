"""What a report says of OME-Zarr that was taken over from Zarr."""

from __future__ import annotations

from typing import Any

from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError
from anyzarr.ome import Bioformats2RawSeries, Image, Plate, open_ome_zarr

__all__ = ["facts_of"]


def facts_of(store: Store) -> dict[str, Any]:
    """Return the fields of a report that tell of images; none where there is no OME-Zarr.

    Of plates and series, which may hold thousands of images, only that they are such.
    """
    try:
        node = open_ome_zarr(store)
        if isinstance(node, Plate):
            return {"layout": "plate"}
        if isinstance(node, Bioformats2RawSeries):
            return {"layout": "series"}
        if not isinstance(node, Image) or not node.has_data:
            return {}
        levels = node.levels
        return {
            "layout": "image",
            "n_images": 1,
            "axes": tuple(node.axis_names),
            "level_shapes": tuple(tuple(level.shape) for level in levels),
            "dtype": str(levels[0].dtype),
            "scale": tuple(node.get_effective_scale(0)),
        }
    except AnyzarrError:
        return {}  # a copy is made of what is broken, too
