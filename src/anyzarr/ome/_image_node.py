"""What every image node is made of: its group, its metadata, its arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeVar

from anyzarr import crud
from anyzarr._nodes import Array, Group, TreeNode
from anyzarr.abc import Store
from anyzarr.errors import MetadataError, NodeNotFoundError
from anyzarr.metadata import parse_array
from anyzarr.ome._axes import Axis
from anyzarr.ome._model import ImageMetadata, Multiscale
from anyzarr.stores import join

__all__ = ["ImageNode"]

Self = TypeVar("Self", bound="ImageNode")


class ImageNode:
    """The group of an image, what its metadata says, and handles on its arrays.

    :class:`~anyzarr.ome.Image` is this with the methods of each concern, which lie in modules
    of their own.
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
        self._arrays: dict[str, Array] = {}

    # -- what it is ----------------------------------------------------------------------

    @property
    def group(self) -> Group:
        """The group that holds the image."""
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
        """The image's address, as :func:`anyzarr.open_ome_zarr` takes it."""
        return self._group.url

    @property
    def version(self) -> str:
        """The OME-Zarr version of the metadata."""
        return self.metadata.version if self.has_data else self._version

    @property
    def has_data(self) -> bool:
        """Whether the image has been created, or only its group."""
        attributes = self._group.metadata.attributes
        return "multiscales" in attributes.get("ome", attributes)

    @property
    def metadata(self) -> ImageMetadata:
        """The OME-Zarr metadata as values.

        Raises
        ------
        MetadataError
            It is missing or breaks the specification.
        """
        if not self.has_data:
            raise MetadataError(
                f"the image at {self.url!r} has no data yet; create it with create_image(...)"
            )
        return ImageMetadata.from_attributes(self._group.metadata.attributes)

    @property
    def name(self) -> str | None:
        """The name the metadata gives the image, or None."""
        return self._multiscale.name

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes, one per dimension."""
        return self._multiscale.axes

    @property
    def axis_names(self) -> list[str]:
        """The names of the axes."""
        return [axis.name for axis in self.axes]

    @property
    def channel_names(self) -> list[str]:
        """The labels of the channels; empty where the metadata names none."""
        if not self.has_data:
            return list(self._new_channels or [])
        omero = self.metadata.omero
        return [c.label or "" for c in omero.channels] if omero is not None else []

    @property
    def scale(self) -> list[float]:
        """Physical size of an element of level 0, per axis."""
        return list(self._multiscale.placement(0)[0])

    @property
    def translation(self) -> list[float]:
        """Place of the centre of the first element of level 0, per axis."""
        return list(self._multiscale.placement(0)[1])

    def get_effective_scale(self, level: int | str = 0) -> list[float]:
        """Return the scale of a level with that of the whole image applied.

        Parameters
        ----------
        level
            Its number, or the path of its array.
        """
        return list(self._multiscale.effective_placement(self._index_of(level))[0])

    def get_effective_translation(self, level: int | str = 0) -> list[float]:
        """Return the translation of a level with the transformations of the image applied."""
        return list(self._multiscale.effective_placement(self._index_of(level))[1])

    # -- its arrays ----------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array of level 0, the highest resolution, whatever its path."""
        return self._array(self._multiscale.datasets[0].path)

    @property
    def levels(self) -> list[Array]:
        """The arrays of all levels, largest first.

        Raises
        ------
        NodeNotFoundError
            The metadata names a level that is not there.
        """
        return [self._array(dataset.path) for dataset in self._multiscale.datasets]

    def __getitem__(self, level: int | str) -> Array:
        """Return the array of a level, by number or path."""
        return self._array(self._multiscale.datasets[self._index_of(level)].path)

    def __len__(self) -> int:
        """Return the number of levels."""
        return len(self._multiscale.datasets) if self.has_data else 0

    def to_dask(self, level: int | str = 0) -> Any:
        """Return a level as a dask array."""
        return self[level].to_dask()

    def tree(self, *, max_depth: int | None = None) -> TreeNode:
        """Return what the group holds, as a tree."""
        return self._group.tree(max_depth=max_depth)

    # -- its life ------------------------------------------------------------------------

    def close(self) -> None:
        """Forget the open arrays. Nothing is buffered, so nothing is left to write."""
        self._arrays.clear()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if not self.has_data:
            return f"<{type(self).__name__} {self.url} without data>"
        sizes = zip(self.axis_names, self.data.shape, strict=True)
        listed = " ".join(f"{name}={n}" for name, n in sizes)
        return f"<{type(self).__name__} {self.url} {listed} {self.data.dtype} levels={len(self)}>"

    # -- inside --------------------------------------------------------------------------

    @property
    def _multiscale(self) -> Multiscale:
        return self.metadata.image

    def _index_of(self, level: int | str) -> int:
        paths = [dataset.path for dataset in self._multiscale.datasets]
        if isinstance(level, str):
            if level in paths:
                return paths.index(level)
        elif -len(paths) <= level < len(paths):
            return level % len(paths)
        raise NodeNotFoundError(
            f"the image at {self.url!r} has no level {level!r}; it has {len(paths)}: "
            f"{', '.join(map(repr, paths))}",
            path=self.path,
        )

    def _array(self, name: str) -> Array:
        # One handle per level, so that what changes a shape through it shows everywhere.
        if name not in self._arrays:
            path = join(self.path, name)
            document = crud.read_metadata(self.store, path)
            self._arrays[name] = Array(parse_array(document), self.store, path, self._engine)
        return self._arrays[name]

    def _create(self, name: str, document: dict[str, Any]) -> Array:
        path = join(self.path, name)
        self._require_groups(name)
        crud.create_new_array(document, self.store, path)
        self._arrays[name] = Array(parse_array(document), self.store, path, self._engine)
        return self._arrays[name]

    def _require_groups(self, name: str) -> None:
        parts = name.split("/")[:-1]
        for depth in range(len(parts)):
            self._group.require_group("/".join(parts[: depth + 1]))

    def _write_image(self, multiscale: Multiscale) -> None:
        metadata = self.metadata
        self._write(replace(metadata, multiscales=(multiscale, *metadata.multiscales[1:])))

    def _write(self, metadata: ImageMetadata) -> None:
        self._group.attrs.update(metadata.to_attributes())
