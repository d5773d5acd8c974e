"""What every image node is made of: its group, its metadata, its arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr.errors import MetadataError
from anyzarr.metadata import parse_array
from anyzarr.ome._array import ImageArray
from anyzarr.ome._axes import Axis
from anyzarr.ome._model import ImageMetadata
from anyzarr.ome._multiscale import Multiscale
from anyzarr.ome._node import OmeNode
from anyzarr.stores import join

__all__ = ["ImageNode"]

Self = TypeVar("Self", bound="ImageNode")


class ImageNode(OmeNode):
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
        super().__init__(
            group, version=version, axes=axes, channel_names=channel_names, engine=engine
        )
        self._arrays: dict[str, ImageArray] = {}
        self._which = 0
        self._parsed: tuple[Any, ImageMetadata] | None = None
        self._sorted: tuple[Multiscale, Multiscale] | None = None

    # -- what it is ----------------------------------------------------------------------

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
        source = self._group.metadata
        if self._parsed is None or self._parsed[0] is not source:
            metadata = ImageMetadata.from_attributes(source.attributes)
            self._parsed = source, self._fitted(metadata) if metadata.needs_arrays else metadata
        return self._parsed[1]

    @property
    def name(self) -> str | None:
        """The name the metadata gives the image, or None."""
        return self._stated.name

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes, one per dimension."""
        if not self.has_data and self._new_axes is not None:
            return self._new_axes
        return self._stated.axes

    @property
    def axis_names(self) -> list[str]:
        """The names of the axes."""
        return [axis.name for axis in self.axes]

    def get_axis_index(self, axis: str) -> int:
        """Return the dimension of an axis.

        Raises
        ------
        MetadataError
            There is no such axis.
        """
        names = self.axis_names
        if axis not in names:
            raise MetadataError(
                f"the image at {self.url!r} has no axis {axis!r}; its axes are "
                f"{', '.join(map(repr, names))}",
                kind="axis",
                path=self.path,
            )
        return names.index(axis)

    # -- its life ------------------------------------------------------------------------

    def refresh(self: Self) -> Self:
        """Read the metadata again, for what other handles or processes changed; return self."""
        self._group.refresh()
        for array in self._arrays.values():
            array.refresh()
        return self

    def close(self) -> None:
        """Forget the open arrays, and complete the archive that was created with this image.

        Nothing is buffered, so elsewhere nothing is left to write.
        """
        self._arrays.clear()
        super().close()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._arrays.clear()
        super().__exit__(exc_type, exc, traceback)

    # -- inside --------------------------------------------------------------------------

    @property
    def _stated(self) -> Multiscale:
        """The image as the metadata states it."""
        return self.metadata.multiscales[self._which]

    def _fitted(self, metadata: ImageMetadata) -> ImageMetadata:
        shapes = [[self._handle(d.path, m).shape for d in m.datasets] for m in metadata.multiscales]
        return metadata.fitted(shapes)

    @property
    def _all_paths(self) -> set[str]:
        return {d.path for m in self.metadata.multiscales for d in m.datasets}

    def _handle(self, name: str, multiscale: Multiscale) -> ImageArray:
        path = join(self.path, name)
        return self._bound(crud.read_metadata(self.store, path), path, multiscale.axes)

    def _bound(self, document: Mapping[str, Any], path: str, axes: Sequence[Axis]) -> ImageArray:
        return ImageArray(
            parse_array(document), self.store, path, self._engine, axes=axes, group=self._group
        )

    def _update(self, change: Callable[[ImageMetadata], ImageMetadata]) -> None:
        """Change the metadata, starting from what is stored, in one write."""

        def changed(stored: dict[str, Any]) -> dict[str, Any]:
            metadata = ImageMetadata.from_attributes(stored)
            if metadata.needs_arrays:
                metadata.to_attributes()  # refuses: these versions are not written
            return {**stored, **change(metadata).to_attributes()}

        self._group._change_attributes(changed)
