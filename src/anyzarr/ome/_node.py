"""What every OME-Zarr node is made of: its group, and what new images are to be."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TypeVar

from anyzarr._nodes import Group, TreeNode
from anyzarr.abc import Store
from anyzarr.ome._axes import Axis

__all__ = ["OmeNode"]

Self = TypeVar("Self", bound="OmeNode")


class OmeNode:
    """A group with OME-Zarr metadata: an image, a plate, a well or a series of images.

    Parameters
    ----------
    group
        The group.
    version
        The OME-Zarr version to write where the group states none.
    axes, channel_names
        Of the images to be created.
    engine
        What decodes and encodes the chunks.
    """

    def __init__(
        self,
        group: Group,
        *,
        version: str = "0.5",
        axes: Sequence[Axis] | None = None,
        channel_names: Sequence[str] | None = None,
        engine: str | None = None,
    ) -> None:
        self._group = group
        self._version = version
        self._new_axes = None if axes is None else tuple(axes)
        self._new_channels = None if channel_names is None else [str(n) for n in channel_names]
        self._engine = engine

    @property
    def group(self) -> Group:
        """The group that holds everything of it."""
        return self._group

    @property
    def store(self) -> Store:
        """The store that holds the bytes."""
        return self._group.store

    @property
    def path(self) -> str:
        """The group's path within the store."""
        return self._group.path

    @property
    def url(self) -> str:
        """Its address, as :func:`anyzarr.open_ome_zarr` takes it."""
        return self._group.url

    def tree(self, *, max_depth: int | None = None) -> TreeNode:
        """Return what the group holds, as a tree."""
        return self._group.tree(max_depth=max_depth)

    def close(self) -> None:
        """Complete the archive that was created with it; every other change is written already."""
        self._group.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._group.__exit__(exc_type, exc, traceback)
