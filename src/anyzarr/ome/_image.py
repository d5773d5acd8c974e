"""One multiscale image: its levels, its metadata, and its pyramid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal

import numpy as np

from anyzarr import crud
from anyzarr._nodes import Array, Group, TreeNode
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr._pyramid import PyramidLevel, downsample_into, fill
from anyzarr.abc import Store
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError
from anyzarr.metadata import parse_array
from anyzarr.ome._axes import Axis, default_axes
from anyzarr.ome._channels import Omero, default_channels
from anyzarr.ome._levels import (
    ImageSpec,
    level_document,
    level_path,
    multiscale_of,
    plan_pyramid,
)
from anyzarr.ome._model import ImageMetadata, Multiscale
from anyzarr.stores import join

__all__ = ["Image"]


class Image:
    """A multiscale image of 2 to 5 axes. Made by :func:`anyzarr.open_ome_zarr`.

    Every write is complete when its call returns, and the metadata names a level only once
    the level is there. As a context manager it closes itself.

    Parameters
    ----------
    group
        The group that holds the image.
    version
        The OME-Zarr version to write where the group has no image yet.
    axes
        The axes of an image to be created, or None: the usual ones for its dimensions.
    channel_names
        The channels of an image to be created.
    engine
        What decodes and encodes the chunks; None: the first that can.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> store = {}
    >>> with anyzarr.open_ome_zarr(store, mode="w", axes="cyx", channel_names=["DAPI"]) as image:
    ...     data = image.create_image("0", np.ones((1, 600, 600), "uint8"), scale=(1, 0.5, 0.5))
    ...     image.compute_pyramid()
    >>> with anyzarr.open_ome_zarr(store) as image:
    ...     [level.shape for level in image.levels], image.get_effective_scale(1)
    ([(1, 600, 600), (1, 300, 300), (1, 150, 150)], [1.0, 1.0, 1.0])
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

    # -- its data ------------------------------------------------------------------------

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

    def initialize_pyramid(
        self,
        levels: int | None = None,
        factors: Sequence[Sequence[int]] | None = None,
        *,
        method: str = "mean",
    ) -> None:
        """Create the arrays of a pyramid, without data, and name them in the metadata.

        Parameters
        ----------
        levels
            How many, level 0 included; None: until the largest spatial axis is 256 or less.
        factors
            From each level to the next, one per axis; None: in-plane axes are halved, and z
            once its voxel size is within a factor of √2 of theirs.
        method
            How the levels will be computed; decides where their elements' centres are.
        """
        plan = self._plan(levels, method, factors)
        self._make_levels(plan)
        self._write_levels(plan, method)

    def compute_pyramid(
        self,
        levels: int | None = None,
        method: str = "mean",
        factors: Sequence[Sequence[int]] | None = None,
        *,
        progress: ProgressCallback | None = None,
    ) -> None:
        """Compute all levels from level 0, each from the one before, in bounded memory.

        Levels of the planned shapes that are there are filled; others are replaced.

        Parameters
        ----------
        levels, factors
            As for :meth:`initialize_pyramid`.
        method
            ``mean``: of each window, exact for integers with ties rounded to even. ``nearest``:
            the first element of each window.
        progress
            Told how far it is.

        Raises
        ------
        UnsupportedError
            The method is unknown or cannot work on this dtype.
        """
        plan = self._plan(levels, method, factors)
        arrays = self._make_levels(plan)
        tracker = Tracker(progress)
        for index, (finer, coarser) in enumerate(itertools.pairwise(arrays), 1):
            tracker.start(f"level {index}", coarser.nbytes)
            factors_ = plan[index].factors
            downsample_into(finer, coarser, factors_, method=method, tracker=tracker)
        self._write_levels(plan, method)

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

    def __enter__(self) -> Image:
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
            return f"<Image {self.url} without data>"
        sizes = zip(self.axis_names, self.data.shape, strict=True)
        listed = " ".join(f"{name}={n}" for name, n in sizes)
        return f"<Image {self.url} {listed} {self.data.dtype} levels={len(self)}>"

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

    def _plan(
        self, levels: int | None, method: str, factors: Sequence[Sequence[int]] | None
    ) -> tuple[PyramidLevel, ...]:
        scale, translation = self._multiscale.placement(0)
        spec = ImageSpec(self.data.shape, self.data.dtype, self.axes, scale, translation)
        return plan_pyramid(spec, n_levels=levels, method=method, factors=factors)

    def _make_levels(self, plan: Sequence[PyramidLevel]) -> list[Array]:
        """Return arrays of the planned shapes: those that are there, else new ones."""
        there = self.levels
        if [a.shape for a in there] == [level.shape for level in plan]:
            return there
        finest = there[0]
        self._drop_levels()
        first = self._multiscale.datasets[0].path
        arrays = [finest]
        for index, level in enumerate(plan[1:], 1):
            document = level_document(finest.metadata, level.shape)
            arrays.append(self._create(level_path(first, index), document))
        return arrays

    def _drop_levels(self) -> None:
        """Remove all levels but the first: from the metadata, then from the store."""
        datasets = self._multiscale.datasets
        if len(datasets) == 1:
            return
        self._write_image(replace(self._multiscale, datasets=datasets[:1]))
        for dataset in datasets[1:]:
            self._arrays.pop(dataset.path, None)
            crud.delete_node(self.store, join(self.path, dataset.path))

    def _write_levels(self, plan: Sequence[PyramidLevel], method: str) -> None:
        before = self._multiscale
        new = multiscale_of(before.axes, plan, before.datasets[0].path, name=None, method=method)
        paths = [d.path for d in before.datasets]
        named = len(paths) == len(new.datasets)
        datasets = tuple(
            replace(d, path=paths[i]) if named else d for i, d in enumerate(new.datasets)
        )
        self._write_image(
            replace(
                before,
                datasets=(before.datasets[0], *datasets[1:]),
                type=new.type or before.type,
                metadata=new.metadata or before.metadata,
            )
        )

    def _write_image(self, multiscale: Multiscale) -> None:
        metadata = self.metadata
        self._write(replace(metadata, multiscales=(multiscale, *metadata.multiscales[1:])))

    def _write(self, metadata: ImageMetadata) -> None:
        self._group.attrs.update(metadata.to_attributes())


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
