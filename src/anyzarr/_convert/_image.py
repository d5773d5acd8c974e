"""Writing an image of a source: all levels in one go, then the metadata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from anyzarr import crud
from anyzarr._convert._job import ImageJob
from anyzarr._convert._layout import Placed
from anyzarr._nodes import Array
from anyzarr._pyramid import PyramidLevel
from anyzarr.abc import Store
from anyzarr.errors import MetadataError
from anyzarr.metadata import group_document, parse_array
from anyzarr.ome import (
    SHARD_BYTES,
    ImageMetadata,
    ImageSpec,
    Lengths,
    Omero,
    default_channels,
    default_chunks,
    default_shards,
    lengths_of,
    level_document,
    multiscale_of,
    plan_pyramid,
    window_of,
    zarr_format_of,
)
from anyzarr.readers import SourceImage

__all__ = [
    "DEFAULT_VERSION",
    "ImageOptions",
    "PlannedImage",
    "create_arrays",
    "finish_image",
    "plan_image",
    "write_image_group",
]

DEFAULT_VERSION = "0.5"
"""The OME-Zarr version that is written unless another is asked for."""


_PERCENTILES = (0.1, 99.9)
_SHARDS_IN_MEMORY = 6  # of two levels, in the making and encoded, and what they are read from


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """How an image is to be stored; None: as is best for it.

    Attributes
    ----------
    chunks, shards, compressor, levels, method, name, version, engine
        As for :func:`anyzarr.convert`.
    memory_bytes
        What each process that writes it may take: shards are small enough for that, unless they
        are given.
    """

    chunks: Lengths | None = None
    shards: Lengths | Literal["auto", False] | None = None
    compressor: Any = None
    levels: int | Literal["auto"] = "auto"
    method: str = "mean"
    name: str | None = None
    version: str | None = None
    engine: str | None = None
    memory_bytes: int | None = None
    zarr_format: int | None = None

    def of_format(self) -> ImageOptions:
        """Return the options with the version that goes with the Zarr format asked for.

        Raises
        ------
        MetadataError
            The version asked for goes with the other one.
        """
        if self.zarr_format is None:
            return self
        version = self.version or {2: "0.4", 3: DEFAULT_VERSION}[self.zarr_format]
        if zarr_format_of(version) != self.zarr_format:
            raise MetadataError(
                f"OME-Zarr {version} is Zarr v{zarr_format_of(version)}, so it cannot be of "
                f"zarr_format={self.zarr_format}; give one of the two"
            )
        return replace(self, version=version)


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """What an image becomes.

    Attributes
    ----------
    placed
        The image, and where it goes.
    spec
        Level 0.
    levels
        Of the pyramid, level 0 first.
    job
        The work of writing its pixels.
    """

    placed: Placed
    spec: ImageSpec
    levels: tuple[PyramidLevel, ...]
    job: ImageJob


def plan_image(placed: Placed, options: ImageOptions) -> PlannedImage:
    """Return what an image becomes; nothing is written.

    Raises
    ------
    MetadataError
        The options do not fit the image.
    UnsupportedError
        The method cannot work on its dtype.
    """
    spec = _spec(placed.image, options)
    zarr_format = zarr_format_of(options.version or DEFAULT_VERSION)
    levels = plan_pyramid(spec, n_levels=_n_levels(options.levels), method=options.method)
    finest = parse_array(spec.document(zarr_format))
    documents = [dict(finest.document), *(level_document(finest, p.shape) for p in levels[1:])]
    factors = tuple(tuple(level.factors) for level in levels[1:])
    block = placed.image.block
    fits = block is not None and len(block) == len(spec.shape)
    job = ImageJob(
        placed.index, placed.path, tuple(documents), factors, block=block if fits else None
    )
    return PlannedImage(placed, spec, levels, job)


def create_arrays(planned: PlannedImage, store: Store) -> None:
    """Write the documents of an image's levels; the same ones may be there."""
    for level, document in enumerate(planned.job.documents):
        crud.write_metadata(document, store, planned.job.level_path(level))


def finish_image(
    planned: PlannedImage, store: Store, options: ImageOptions, *, fallback: str
) -> None:
    """Write the metadata of an image whose pixels are there, which makes it one.

    Parameters
    ----------
    planned, store, options
        The image, and where it is.
    fallback
        Its name where neither the options nor the source give one.
    """
    image, spec = planned.placed.image, planned.spec
    version = options.version or DEFAULT_VERSION
    title = options.name or image.name or fallback
    multiscale = multiscale_of(spec.axes, planned.levels, "0", name=title, method=options.method)
    omero = _omero(image, spec, planned.job.arrays(store, options.engine)[-1])
    metadata = ImageMetadata("", (multiscale,), omero).to_version(version)
    attributes = {**image.attributes, **metadata.to_attributes()}
    write_image_group(planned, store, version, attributes)


def write_image_group(
    planned: PlannedImage, store: Store, version: str, attributes: dict[str, Any]
) -> None:
    """Write the group of an image."""
    document = group_document(zarr_format=zarr_format_of(version), attributes=attributes)
    crud.write_metadata(document, store, planned.placed.path)


def _spec(source: SourceImage, options: ImageOptions) -> ImageSpec:
    spec = ImageSpec(
        source.shape,
        source.dtype,
        source.axes,
        source.scale,
        source.translation,
        compressor=options.compressor,
    )
    spec.check()
    chunks = default_chunks(source.shape, source.axes, source.scale, source.dtype)
    if options.chunks is not None:
        chunks = lengths_of("chunks", options.chunks, source.axes, chunks)
        spec = replace(spec, chunks=chunks)
        spec.check()
    spec = replace(spec, shards=_shards(spec, chunks, options))
    spec.check()
    return spec


def _shards(
    spec: ImageSpec, chunks: tuple[int, ...], options: ImageOptions
) -> tuple[int, ...] | Literal[False]:
    asked = options.shards
    most = SHARD_BYTES
    if options.memory_bytes is not None:
        most = min(most, options.memory_bytes // _SHARDS_IN_MEMORY)
    default = default_shards(spec.shape, chunks, spec.axes, spec.dtype, most_bytes=most)
    if asked is not None and asked is not False and not isinstance(asked, str):
        return lengths_of("shards", asked, spec.axes, default)
    is_v3 = zarr_format_of(options.version or DEFAULT_VERSION) == 3
    return default if is_v3 and asked is not False else False


def _n_levels(levels: int | str) -> int | None:
    if levels == "auto":
        return None
    if not isinstance(levels, int) or levels < 1:
        raise MetadataError(f"levels={levels!r} is neither 'auto' nor a number of at least 1")
    return levels


def _omero(source: SourceImage, spec: ImageSpec, smallest: Array) -> Omero | None:
    index = next((i for i, axis in enumerate(spec.axes) if axis.type == "channel"), None)
    if index is None:
        return None
    n = spec.shape[index]
    channels = default_channels(n, spec.dtype, given=source.channels)
    if source.windows_are_known:
        return Omero(channels)
    windows = [
        window_of(smallest, spec.axes, i, _PERCENTILES, channel.window)
        for i, channel in enumerate(channels)
    ]
    return Omero(
        tuple(
            replace(channel, window=window or channel.window)
            for channel, window in zip(channels, windows, strict=True)
        )
    )
