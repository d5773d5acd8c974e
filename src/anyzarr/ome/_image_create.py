"""Creating level 0 of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from anyzarr import crud
from anyzarr._nodes import Array
from anyzarr._pyramid import fill
from anyzarr.errors import MetadataError, NodeExistsError
from anyzarr.ome._axes import default_axes
from anyzarr.ome._channels import Omero, default_channels
from anyzarr.ome._image_node import ImageNode
from anyzarr.ome._levels import ImageSpec, multiscale_of, plan_pyramid
from anyzarr.ome._model import ImageMetadata

__all__ = ["ImageCreation"]


class ImageCreation(ImageNode):
    """An image node that makes its data."""

    def create_image(
        self,
        name: str = "0",
        data: Any = None,
        *,
        shape: Sequence[int] | None = None,
        dtype: Any = None,
        chunks: Sequence[int] | None = None,
        shards: Sequence[int] | Literal[False] | None = None,
        compressor: Any = None,
        scale: Sequence[float] | None = None,
        translation: Sequence[float] | None = None,
        fill_value: Any = 0,
    ) -> Array:
        """Create level 0 and write its data.

        Parameters
        ----------
        name
            Path of its array below the group.
        data
            Anything of 2 to 5 dimensions with ``shape``, ``dtype`` and slicing (numpy, dask,
            an array of a Zarr library), read region by region; or None for an empty image.
        shape, dtype
            Of an empty image.
        chunks, shards
            Elements per chunk and per shard; chosen where None. ``shards=False``: no shards.
        compressor
            None (blosc with zstd), ``"none"``, or as for :func:`anyzarr.create_array`.
        scale, translation
            Size of an element and place of the first one, per axis.
        fill_value
            Value of elements never written.

        Returns
        -------
        Array
            Level 0.

        Raises
        ------
        NodeExistsError
            The image has data already.
        MetadataError
            The arguments do not fit each other, or the axes.
        ReadOnlyError
            It was opened for reading.
        """
        if self.has_data:
            raise NodeExistsError(
                f"the image at {self.url!r} has data already; open it with mode='w' to replace "
                "it, or add levels with compute_pyramid()",
                path=self.path,
            )
        values = data if data is None or hasattr(data, "dtype") else np.asarray(data)
        extents, kind = _shape_and_dtype(values, shape, dtype)
        spec = ImageSpec(
            extents,
            kind,
            self._new_axes or default_axes(len(extents), has_channels=bool(self._new_channels)),
            scale=_tuple(scale),
            translation=_tuple(translation),
            chunks=_tuple(chunks),
            shards=shards if shards is False else _tuple(shards),
            compressor=compressor,
            fill_value=fill_value,
        )
        spec.check()
        metadata = self._metadata_of(spec, name)
        array = self._create(name, spec.document(2 if self._version == "0.4" else 3))
        if values is not None:
            try:
                fill(array, lambda region: np.asarray(values[region]))
            except BaseException:
                crud.delete_node(self.store, array.path)
                self._arrays.pop(name, None)
                raise
        self._write(metadata)
        return array

    def _metadata_of(self, spec: ImageSpec, name: str) -> ImageMetadata:
        channel = next((i for i, axis in enumerate(spec.axes) if axis.type == "channel"), None)
        omero = None
        if channel is not None or self._new_channels is not None:
            n = 1 if channel is None else spec.shape[channel]
            omero = Omero(default_channels(n, spec.dtype, names=self._new_channels))
        level = plan_pyramid(spec, n_levels=1)
        # A store in memory has a name that means nothing to anyone.
        named = self.path or self._group.backend != "memory"
        title = self._group.name.removesuffix(".zarr").removesuffix(".ome") if named else ""
        multiscale = multiscale_of(spec.axes, level, name, name=title or None, method=None)
        return ImageMetadata(self._version, (multiscale,), omero)


def _tuple(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)


def _shape_and_dtype(
    values: Any, shape: Sequence[int] | None, dtype: Any
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return them from the data, or as given where there is none."""
    if values is None:
        if shape is None or dtype is None:
            raise MetadataError("an image needs data, or shape and dtype for an empty one")
        return tuple(int(n) for n in shape), np.dtype(dtype)
    if shape is not None or dtype is not None:
        raise MetadataError("give either data, or shape and dtype, not both")
    return tuple(int(n) for n in values.shape), np.dtype(values.dtype)
