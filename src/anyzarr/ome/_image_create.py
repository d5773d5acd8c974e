"""Creating level 0 of an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from anyzarr import crud
from anyzarr._interop import is_dask, write_dask
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr._pyramid import fill
from anyzarr.errors import MetadataError, NodeExistsError
from anyzarr.ome._array import ImageArray
from anyzarr.ome._axes import Axis, axes_of, default_axes
from anyzarr.ome._channels import Omero, default_channels
from anyzarr.ome._image_levels import ImageLevels
from anyzarr.ome._levels import ImageSpec, multiscale_of, plan_pyramid
from anyzarr.ome._model import ImageMetadata
from anyzarr.ome._versions import family, zarr_format_of

__all__ = ["ImageCreation"]


class ImageCreation(ImageLevels):
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
        axes: str | Iterable[str | Axis | Mapping[str, Any]] | None = None,
        progress: ProgressCallback | None = None,
    ) -> ImageArray:
        """Create level 0 and write its data.

        Where the group has an image already, another name makes a further one beside it
        (several multiscales in a group); :meth:`multiscale` gives it. Readers show the first.

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
        axes
            As for :func:`anyzarr.open_ome_zarr`; None: those given there, those of the image
            that is there, or the usual ones for so many dimensions.
        progress
            Called with a :class:`~anyzarr._progress.Progress` as data is written.

        Returns
        -------
        ImageArray
            Level 0.

        Raises
        ------
        NodeExistsError
            There is such an array already.
        MetadataError
            The arguments do not fit each other, or the axes.
        ReadOnlyError
            It was opened for reading.
        """
        self._require_free(name)
        values = data if data is None or hasattr(data, "dtype") else np.asarray(data)
        extents, kind = _shape_and_dtype(values, shape, dtype)
        spec = ImageSpec(
            extents,
            kind,
            self._axes_for(len(extents)) if axes is None else axes_of(axes),
            scale=_tuple(scale),
            translation=_tuple(translation),
            chunks=_tuple(chunks),
            shards=shards if shards is False else _tuple(shards),
            compressor=compressor,
            fill_value=fill_value,
        )
        spec.check()
        metadata = self._metadata_of(spec, name)
        array = self._create(name, spec.document(self._group.zarr_format), spec.axes)
        if values is not None:
            try:
                _write(values, array, progress)
            except BaseException:
                crud.delete_node(self.store, array.path)
                self._arrays.pop(name, None)
                raise
        self._add(metadata)
        return array

    def create_zeros(
        self, name: str = "0", shape: Sequence[int] = (), dtype: Any = "uint16", **options: Any
    ) -> ImageArray:
        """Create level 0 without data: all of it reads as the fill value, zero by default.

        Nothing but metadata is written, so that workers can fill an image of any size.

        Parameters
        ----------
        name, shape, dtype
            Of its array.
        **options
            As for :meth:`create_image`: ``chunks``, ``shards``, ``compressor``, ``scale``,
            ``translation``, ``fill_value``, ``axes``.

        Examples
        --------
        >>> import anyzarr
        >>> with anyzarr.open_ome_zarr({}, mode="w", axes="tczyx") as image:
        ...     array = image.create_zeros("0", (3, 1, 4, 64, 64), "uint16")
        ...     array[1, 0] = 7
        >>> array.frames, int(array[1].mean()), int(array[2].max())
        (3, 7, 0)
        """
        return self.create_image(name, shape=shape, dtype=dtype, **options)

    # -- inside --------------------------------------------------------------------------

    def _require_free(self, name: str) -> None:
        if not self.has_data:
            return
        if self.metadata.needs_arrays:
            self.metadata.to_attributes()
        if name in self._all_paths:
            raise NodeExistsError(
                f"the image at {self.url!r} has an array {name!r} already; open it with mode='w' "
                "to replace it, add levels with compute_pyramid(), or give a further image of this "
                "group another name",
                path=self.path,
            )

    def _axes_for(self, ndim: int) -> tuple[Axis, ...]:
        if not self.has_data:
            return self._new_axes or default_axes(ndim, has_channels=bool(self._new_channels))
        spatial = tuple(axis for axis in self.axes if axis.type == "space")
        alike = (axes for axes in (self.axes, spatial) if len(axes) == ndim)
        return next(alike, default_axes(ndim))

    def _metadata_of(self, spec: ImageSpec, name: str) -> ImageMetadata:
        """Return the metadata of this one image, in the version of the group."""
        channel = next((i for i, axis in enumerate(spec.axes) if axis.type == "channel"), None)
        omero = None
        if not self.has_data and (channel is not None or self._new_channels is not None):
            n = 1 if channel is None else spec.shape[channel]
            omero = Omero(default_channels(n, spec.dtype, names=self._new_channels))
        level = plan_pyramid(spec, n_levels=1)
        # A store in memory has a name that means nothing to anyone.
        named = self.path or self._group.backend != "memory"
        title = self._group.name.removesuffix(".zarr").removesuffix(".ome") if named else ""
        title = name if self.has_data else title
        multiscale = multiscale_of(spec.axes, level, name, name=title or None, method=None)
        return ImageMetadata("", (multiscale,), omero).to_version(self._version_to_write)

    @property
    def _version_to_write(self) -> str:
        if self.has_data:
            return family(self.metadata.version)
        fits = zarr_format_of(self._version) == self._group.zarr_format
        return self._version if fits else ("0.4" if self._group.zarr_format == 2 else "0.5")

    def _add(self, metadata: ImageMetadata) -> None:
        """Write the metadata of the first image of the group, or of a further one."""
        if self.has_data:
            further = metadata.multiscales
            self._update(lambda there: replace(there, multiscales=there.multiscales + further))
            return

        def with_image(stored: dict[str, Any]) -> dict[str, Any]:
            new = metadata.to_attributes()
            kept = stored.get("ome")
            if "ome" in new and isinstance(kept, Mapping):
                new["ome"] = {**kept, **new["ome"]}
            return {**stored, **new}

        self._group._change_attributes(with_image)


def _write(values: Any, array: ImageArray, progress: ProgressCallback | None) -> None:
    """Write whole stored objects, several at a time; of lazy data no more than these are held."""
    if is_dask(values):
        write_dask(values, array, progress=progress)
        return
    tracker = Tracker(progress)
    tracker.start("writing", array.nbytes)
    fill(array, lambda region: np.asarray(values[region]), tracker=tracker)


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
