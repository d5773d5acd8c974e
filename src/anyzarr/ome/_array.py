"""Arrays of images: arrays that know their axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array, Group
from anyzarr.abc import Store
from anyzarr.engines import open_array_io
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata import ArrayMetadata
from anyzarr.ome._axes import Axis
from anyzarr.ome._channels import channels_of_length
from anyzarr.ome._model import ImageMetadata

if TYPE_CHECKING:
    import tensorstore

__all__ = ["ImageArray"]


class ImageArray(Array):
    """One level of an image: an array that knows its axes and the image it belongs to.

    Given by :attr:`~anyzarr.ome.Image.data`, :attr:`~anyzarr.ome.Image.levels` and
    ``image[...]``. All of :class:`anyzarr.Array`, and a size per kind of axis. Where its channel
    axis grows or is cut, the channels in the image's metadata follow.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> with anyzarr.open_ome_zarr({}, mode="w", axes="czyx") as image:
    ...     array = image.create_image("0", np.zeros((2, 3, 64, 80), "uint16"))
    >>> array.frames, array.channels, array.slices, array.height, array.width
    (1, 2, 3, 64, 80)
    """

    def __init__(
        self,
        metadata: ArrayMetadata,
        store: Store,
        path: str = "",
        engine: str | None = None,
        *,
        axes: Sequence[Axis] = (),
        group: Group | None = None,
    ) -> None:
        super().__init__(metadata, store, path, engine)
        self._axes = tuple(axes)
        self._group = group

    def __reduce__(self) -> tuple[Any, ...]:
        plain = (self.metadata, self._store, self._path, self._engine_name)
        return _rebuild, (*plain, self._axes, self._group)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of the image, one per dimension."""
        return self._axes

    @property
    def frames(self) -> int:
        """Number of time points; 1 where there is no such axis."""
        return self._length(self._of_type("time"))

    @property
    def channels(self) -> int:
        """Number of channels; 1 where there is no such axis."""
        return self._length(self._of_type("channel"))

    @property
    def slices(self) -> int:
        """Length of the first of three axes of space, ``z``; 1 where there are two."""
        spatial = self._spatial
        return self._length(spatial[-3] if len(spatial) > 2 else None)

    @property
    def height(self) -> int:
        """Length of the last axis of space but one, ``y``."""
        return self._length(self._spatial[-2])

    @property
    def width(self) -> int:
        """Length of the last axis of space, ``x``."""
        return self._length(self._spatial[-1])

    @property
    def _spatial(self) -> list[int]:
        spatial = [i for i, axis in enumerate(self._axes) if axis.type == "space"]
        return spatial if len(spatial) > 1 else list(range(self.ndim))

    def _of_type(self, kind: str) -> int | None:
        return next((i for i, axis in enumerate(self._axes) if axis.type == kind), None)

    def _length(self, dimension: int | None) -> int:
        return 1 if dimension is None else self.shape[dimension]

    def numpy(self) -> npt.NDArray[Any]:
        """Return all of it in memory."""
        return self.read()

    def to_tensorstore(self) -> tensorstore.TensorStore:
        """Return it as tensorstore opens it by itself.

        Raises
        ------
        MissingDependencyError
            tensorstore is not installed.
        UnsupportedError
            tensorstore cannot reach this store, or read this array.
        """
        _, io = open_array_io(self.metadata, self._store, self._path, "tensorstore")
        if io.native_handle is None:
            raise UnsupportedError(
                f"tensorstore has no driver for {self._store.spec} (backend {self.backend!r}), so "
                "it cannot open the array by itself; copy it to a folder, or read it here with "
                "engine='tensorstore'",
                engine="tensorstore",
            )
        return cast("tensorstore.TensorStore", io.native_handle)

    def append(self, data: npt.ArrayLike, axis: int | str = 0) -> tuple[int, ...]:
        """Add elements at the end of an axis; return the new shape.

        As :meth:`anyzarr.Array.append`: it starts from the stored shape, not the one this handle
        remembers. Along the channel axis the channels in the image's metadata grow too.

        Parameters
        ----------
        data
            Of the array's shape except along ``axis``.
        axis
            The axis to grow, by number or name.
        """
        dimension = self._dimension(axis)
        shape = super().append(data, dimension)
        self._follow()
        return shape

    def resize(self, shape: int | Sequence[int]) -> None:
        """Change the shape, as :meth:`anyzarr.Array.resize`; the channels follow."""
        super().resize(shape)
        self._follow()

    def _dimension(self, axis: int | str) -> int:
        if isinstance(axis, int | np.integer):
            return int(axis)
        names = [a.name for a in self._axes]
        if axis not in names:
            raise MetadataError(
                f"{axis!r} is no axis of {self.url}; its axes are {', '.join(map(repr, names))}",
                kind="axis",
            )
        return names.index(axis)

    def _follow(self) -> None:
        """Give the image's metadata as many channels as the array has, if it is level 0."""
        dimension = self._of_type("channel")
        if dimension is None or self._group is None:
            return
        relative = self._path[len(self._group.path) :].lstrip("/")

        def change(stored: dict[str, Any]) -> dict[str, Any]:
            metadata = ImageMetadata.from_attributes(stored)
            omero = metadata.omero
            if omero is None or metadata.image.datasets[metadata.image.finest].path != relative:
                return stored
            # Read within the lock: of several handles, the last one sees what all have done.
            n = self.refresh().shape[dimension]
            omero = replace(omero, channels=channels_of_length(omero.channels, n, self.dtype))
            if metadata.needs_arrays:  # of 0.1 to 0.3 nothing but the channels is written
                return {**stored, "omero": omero.to_document()}
            return {**stored, **replace(metadata, omero=omero).to_attributes()}

        self._group._change_attributes(change)


def _rebuild(
    metadata: ArrayMetadata,
    store: Store,
    path: str,
    engine: str | None,
    axes: tuple[Axis, ...],
    group: Group | None,
) -> ImageArray:
    return ImageArray(metadata, store, path, engine, axes=axes, group=group)
