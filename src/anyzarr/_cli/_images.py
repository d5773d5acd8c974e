"""The images that a command works on: one, or all positions of a plate, well or series."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from anyzarr._cli._options import OpenOptions
from anyzarr.errors import MetadataError

if TYPE_CHECKING:
    from anyzarr.ome import Image

__all__ = ["images_at"]


@contextlib.contextmanager
def images_at(
    location: str, mode: Literal["r", "r+"], opening: OpenOptions
) -> Iterator[list[tuple[str, Image]]]:
    """Yield the images at a location by their path within it; that of a single image is empty."""
    from anyzarr.ome import Image, open_ome_zarr

    with open_ome_zarr(location, mode=mode, **opening.keywords()) as opened:
        node: Any = opened
        found = [("", node)] if isinstance(node, Image) else _below(node)
        images = [(path, image) for path, image in found if image.has_data]
        if not images:
            raise MetadataError(f"there is no image at {location}")
        yield images


def _below(node: Any) -> list[tuple[str, Image]]:
    return list(node.positions())
