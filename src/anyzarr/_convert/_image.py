"""Writing an image that a reader has opened: all levels in one go, then the metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from anyzarr import crud
from anyzarr._convert._source import ImageReader, SourceImage
from anyzarr._nodes import Array
from anyzarr._progress import Tracker
from anyzarr._pyramid import PyramidLevel, build_pyramid
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

_OME_XML = "OME/METADATA.ome.xml"
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
    reader: ImageReader, store: Store, options: ImageOptions, tracker: Tracker, *, fallback: str
) -> WrittenImage:
    """Write an image to the root of an empty store, its root metadata last.

    Parameters
    ----------
    reader
        The image.
    store
        Where to.
    options
        How.
    tracker
        Told the bytes done.
    fallback
        The image's name where neither the options nor the file give one.
    """
    source = reader.image
    spec = _spec(source, options)
    version = options.version or "0.5"
    zarr_format = zarr_format_of(version)
    plan = plan_pyramid(spec, n_levels=_n_levels(options.levels), method=options.method)
    arrays = _create(spec, plan, store, zarr_format, options.engine)
    factors = [level.factors for level in plan[1:]]
    build_pyramid(arrays, factors, method=options.method, produce=reader.read, tracker=tracker)
    title = options.name or source.name or fallback
    multiscale = multiscale_of(spec.axes, plan, "0", name=title, method=options.method)
    omero = _omero(source, spec, arrays[-1])
    metadata = ImageMetadata("", (multiscale,), omero).to_version(version)
    if source.ome_xml is not None:
        _keep_ome_xml(source.ome_xml, store, zarr_format, version)
    document = group_document(zarr_format=zarr_format, attributes=metadata.to_attributes())
    crud.create_new_group(document, store)
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
    zarr_format: Literal[2, 3],
    engine: str | None,
) -> list[Array]:
    finest = parse_array(spec.document(zarr_format))
    documents = [finest] + [parse_array(level_document(finest, p.shape)) for p in plan[1:]]
    arrays: list[Array] = []
    for index, metadata in enumerate(documents):
        crud.create_new_array(metadata, store, str(index))
        arrays.append(Array(metadata, store, str(index), engine))
    return arrays


def _keep_ome_xml(text: str, store: Store, zarr_format: Literal[2, 3], version: str) -> None:
    """Store the OME-XML where bioformats2raw and its readers have it."""
    attributes: Mapping[str, Any] = {"ome": {"version": version}} if version != "0.4" else {}
    crud.create_new_group(
        group_document(zarr_format=zarr_format, attributes=attributes), store, "OME"
    )
    store.put(_OME_XML, text.encode())


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
