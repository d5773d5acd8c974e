"""What is known of an OME-Zarr image, from its metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anyzarr import crud
from anyzarr._info._describe import (
    address,
    chosen_engine,
    chunk_shape,
    codec_chain,
    last_part,
    memory_bytes,
    shard_shape,
)
from anyzarr._info._labels import label_facts, label_infos
from anyzarr._info._members import read_each
from anyzarr._info._models import AxisInfo, ChannelInfo, ImageInfo, LevelInfo, MultiscaleInfo
from anyzarr._info._stored import stored_size
from anyzarr._info._vectors import vector_layers
from anyzarr._nodes._tree import says_image
from anyzarr._parallel import map_ordered
from anyzarr.abc import Store
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata import ArrayMetadata, GroupMetadata, is_array_document, parse, parse_array
from anyzarr.ome import ImageMetadata, Omero
from anyzarr.stores import join
from anyzarr.stores._shown import holding_backend, shown_root

__all__ = ["array_at", "channel_infos", "image_info", "is_image"]


def is_image(metadata: GroupMetadata) -> bool:
    """Return whether a group declares a multiscale image, of whatever version."""
    return says_image(metadata.attributes)


def array_at(store: Store, path: str, purpose: str) -> tuple[ArrayMetadata, str]:
    """Return the metadata and the path of an array, or of an image's at full resolution.

    Raises
    ------
    UnsupportedError
        It is another group; ``purpose`` says why that will not do.
    """
    metadata = parse(crud.read_metadata(store, path))
    if isinstance(metadata, ArrayMetadata):
        return metadata, path
    if is_image(metadata):
        image = ImageMetadata.from_attributes(metadata.attributes).image
        level = join(path, image.datasets[0].path)
        return parse_array(crud.read_metadata(store, level)), level
    members = ", ".join(repr(name) for name, _ in crud.list_children(store, path)[:8])
    raise UnsupportedError(
        f"{address(store, path)} is a group, and {purpose}; give the path of one: its members are "
        f"{members or 'none'}"
    )


def image_info(
    metadata: GroupMetadata, store: Store, path: str, engine: str | None, stored: bool
) -> ImageInfo:
    """Return what is known of the image whose group is at ``path``.

    Raises
    ------
    UnsupportedError
        It is of a version of OME-Zarr that cannot be read.
    MetadataError
        Its metadata is not valid, or an array it names is not one.
    """
    ome = ImageMetadata.from_attributes(metadata.attributes)
    paths = [join(path, dataset.path) for dataset in ome.image.datasets]
    arrays = map_ordered(lambda level: parse_array(crud.read_metadata(store, level)), paths)
    if ome.needs_arrays:
        ome = _fitted(ome, store, path)
    first = arrays[0]
    if first.ndim != len(ome.image.axes):
        raise MetadataError(
            f"the image has {len(ome.image.axes)} axes and its array {paths[0]!r} has "
            f"{first.ndim} dimensions; they must be as many",
            path=path,
        )
    choice = chosen_engine(first, store, paths[0], engine)
    name = ome.image.name or last_part(store, path)
    labels, notes = label_infos(metadata, store, path)
    vectors, more_notes = vector_layers(metadata, store, path)
    return ImageInfo(
        location=shown_root(store),
        path=path,
        zarr_format=metadata.zarr_format,
        name=name,
        version=ome.version,
        axes=_axes(ome, first),
        dtype=first.data_type.name,
        levels=tuple(
            _level(ome, i, array, store, paths[i], stored) for i, array in enumerate(arrays)
        ),
        channels=channel_infos(ome.omero),
        labels=labels,
        label=label_facts(metadata.attributes, name),
        more=_more(ome, store, path),
        notes=(*notes, *more_notes),
        vectors=vectors,
        codecs=codec_chain(first),
        n_bytes=memory_bytes(first),
        engine=choice.name,
        engine_reason=choice.reason,
        io=choice.io,
        backend=holding_backend(store),
    )


def _fitted(ome: ImageMetadata, store: Store, path: str) -> ImageMetadata:
    """Return metadata of 0.1 to 0.3 with the axes and scales that its arrays tell."""
    return ome.fitted(
        [
            [parse_array(crud.read_metadata(store, join(path, d.path))).shape for d in m.datasets]
            for m in ome.multiscales
        ]
    )


def channel_infos(omero: Omero | None) -> tuple[ChannelInfo, ...]:
    """Return the channels an image declares."""
    if omero is None:
        return ()
    return tuple(
        ChannelInfo(
            channel.label or f"channel {index}",
            channel.color,
            (channel.window.start, channel.window.end) if channel.window else None,
        )
        for index, channel in enumerate(omero.channels)
    )


def _axes(ome: ImageMetadata, array: ArrayMetadata) -> tuple[AxisInfo, ...]:
    placement = _placement(ome, 0)
    scales: Sequence[float | None] = placement[0] if placement else (None,) * array.ndim
    return tuple(
        AxisInfo(axis.name, axis.type, axis.unit, size, scale)
        for axis, size, scale in zip(ome.image.axes, array.shape, scales, strict=True)
    )


def _level(
    ome: ImageMetadata, index: int, array: ArrayMetadata, store: Store, path: str, stored: bool
) -> LevelInfo:
    scale, translation = _placement(ome, index) or (None, None)
    return LevelInfo(
        ome.image.datasets[index].path,
        array.shape,
        chunk_shape(array),
        shard_shape(array),
        scale,
        translation,
        stored_size(store, path) if stored else None,
    )


def _placement(
    ome: ImageMetadata, level: int
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Return scale and translation of a level; None where they are no plain numbers."""
    try:
        return ome.image.effective_placement(level)
    except (MetadataError, UnsupportedError):
        return None


def _more(ome: ImageMetadata, store: Store, path: str) -> tuple[MultiscaleInfo, ...]:
    """Return the multiscales beside the first, with the shapes of their arrays."""
    return tuple(
        MultiscaleInfo(
            multiscale.name,
            tuple(axis.name for axis in multiscale.axes),
            tuple(
                (dataset.path, _shape(document))
                for dataset, document in zip(
                    multiscale.datasets,
                    read_each(store, [join(path, d.path) for d in multiscale.datasets]),
                    strict=True,
                )
            ),
        )
        for multiscale in ome.multiscales[1:]
    )


def _shape(document: object) -> tuple[int, ...] | None:
    if not isinstance(document, Mapping) or not is_array_document(document):
        return None
    return parse_array(document).shape
