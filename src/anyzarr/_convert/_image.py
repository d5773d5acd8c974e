"""Writing an image of a source: all levels in one go, then the metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy.typing as npt

from anyzarr import crud
from anyzarr._convert._layout import Placed
from anyzarr._convert._source import ImageSource, SourceImage
from anyzarr._nodes import Array
from anyzarr._progress import Tracker
from anyzarr._pyramid import PyramidLevel, Region, build_pyramid
from anyzarr.abc import Store
from anyzarr.errors import MetadataError
from anyzarr.metadata import group_document, parse_array
from anyzarr.ome import (
    ImageMetadata,
    ImageSpec,
    Omero,
    default_channels,
    level_document,
    multiscale_of,
    plan_pyramid,
    window_of,
    zarr_format_of,
)

__all__ = ["ImageOptions", "WrittenImage", "write_image"]

_PERCENTILES = (0.1, 99.9)


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """How an image is to be stored; None: as is best for it."""

    chunks: Sequence[int] | None = None
    shards: Sequence[int] | Literal["auto", False] | None = None
    compressor: Any = None
    levels: int | Literal["auto"] = "auto"
    method: str = "mean"
    name: str | None = None
    version: str | None = None
    engine: str | None = None


@dataclass(frozen=True, slots=True)
class WrittenImage:
    """What was written."""

    spec: ImageSpec
    levels: tuple[PyramidLevel, ...]


def write_image(
    source: ImageSource,
    placed: Placed,
    store: Store,
    options: ImageOptions,
    tracker: Tracker,
    *,
    fallback: str,
) -> WrittenImage:
    """Write an image to its group in a store, the group's metadata last.

    Parameters
    ----------
    source, placed
        The image, and where it goes.
    store
        Where to; there is nothing at the image's path yet.
    options
        How.
    tracker
        Told the bytes done.
    fallback
        The image's name where neither the options nor the source give one.
    """
    image, path = placed.image, placed.path
    spec = _spec(image, options)
    version = options.version or "0.5"
    zarr_format = zarr_format_of(version)
    plan = plan_pyramid(spec, n_levels=_n_levels(options.levels), method=options.method)
    arrays = _create(spec, plan, store, path, zarr_format, options.engine)
    factors = [level.factors for level in plan[1:]]

    def produce(region: Region) -> npt.NDArray[Any]:
        return source.read(placed.index, region)

    build_pyramid(arrays, factors, method=options.method, produce=produce, tracker=tracker)
    title = options.name or image.name or fallback
    multiscale = multiscale_of(spec.axes, plan, "0", name=title, method=options.method)
    omero = _omero(image, spec, arrays[-1])
    metadata = ImageMetadata("", (multiscale,), omero).to_version(version)
    attributes = {**image.attributes, **metadata.to_attributes()}
    document = group_document(zarr_format=zarr_format, attributes=attributes)
    crud.create_new_group(document, store, path)
    return WrittenImage(spec, plan)


def _spec(source: SourceImage, options: ImageOptions) -> ImageSpec:
    asked = options.shards
    shards: tuple[int, ...] | Literal[False] | None = False if asked is False else None
    if asked and asked != "auto":
        shards = tuple(asked)
    spec = ImageSpec(
        source.shape,
        source.dtype,
        source.axes,
        source.scale,
        source.translation,
        chunks=None if options.chunks is None else tuple(options.chunks),
        shards=shards,
        compressor=options.compressor,
    )
    spec.check()
    return spec


def _n_levels(levels: int | str) -> int | None:
    if levels == "auto":
        return None
    if not isinstance(levels, int) or levels < 1:
        raise MetadataError(f"levels={levels!r} is neither 'auto' nor a number of at least 1")
    return levels


def _create(
    spec: ImageSpec,
    plan: Sequence[PyramidLevel],
    store: Store,
    path: str,
    zarr_format: Literal[2, 3],
    engine: str | None,
) -> list[Array]:
    finest = parse_array(spec.document(zarr_format))
    documents = [finest] + [parse_array(level_document(finest, p.shape)) for p in plan[1:]]
    arrays: list[Array] = []
    for index, metadata in enumerate(documents):
        place = f"{path}/{index}" if path else str(index)
        crud.create_new_array(metadata, store, place)
        arrays.append(Array(metadata, store, place, engine))
    return arrays


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
