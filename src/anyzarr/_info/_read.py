"""``info``: what is at a location."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from anyzarr import crud
from anyzarr._info._archive import archive_info
from anyzarr._info._collections import plate_info, series_info, well_info
from anyzarr._info._describe import (
    chosen_engine,
    chunk_shape,
    codec_chain,
    last_part,
    memory_bytes,
    shard_shape,
)
from anyzarr._info._image import image_info
from anyzarr._info._labels import labels_info
from anyzarr._info._models import ArrayInfo, GroupInfo, ImageInfo, MemberInfo
from anyzarr._info._plate_models import LabelsInfo, PlateInfo, SeriesInfo, WellInfo
from anyzarr._info._stored import stored_size
from anyzarr._info._vectors import VectorsInfo, vectors_info
from anyzarr._nodes import locate
from anyzarr._nodes._tree import ome_kind
from anyzarr.abc import Store
from anyzarr.errors import UnsupportedError
from anyzarr.metadata import ArrayMetadata, GroupMetadata, parse
from anyzarr.stores._shown import holding_backend, shown_root
from anyzarr.vectors import is_vector_store

__all__ = ["Info", "info"]

Info: TypeAlias = (
    ArrayInfo | GroupInfo | ImageInfo | PlateInfo | WellInfo | SeriesInfo | LabelsInfo | VectorsInfo
)


def info(
    location: Any,
    *,
    path: str = "",
    stored: bool = False,
    positions: bool = False,
    engine: str | None = None,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> Info:
    """Return what is known of what is at a location: array, group, image, plate, well, ...

    Only metadata is read; chunks are not. Of a plate, well or series that is its own and that
    of its first image, however many it holds.

    Parameters
    ----------
    location
        A path, URL, store, dict, or an open :class:`anyzarr.Array` or :class:`anyzarr.Group`.
    path
        Path of the node within the location.
    stored
        Count what is stored too, which lists everything below the node, and look at the zip
        archive it lies in, if it lies in one.
    positions
        Look at every image of a plate, well or series. One that cannot be read is listed with
        the reason.
    engine
        The engine to ask about; default the one that would be taken.
    backend, **backend_kwargs
        As for :func:`anyzarr.open`.

    Raises
    ------
    NodeNotFoundError
        There is no Zarr array or group there.
    MetadataError
        Its metadata is not valid.
    UnsupportedError
        No engine is called ``engine``.

    Returns
    -------
    ArrayInfo, GroupInfo, ImageInfo, PlateInfo, WellInfo, SeriesInfo, LabelsInfo or VectorsInfo
        All have ``kind`` and ``to_dict()``.

    Examples
    --------
    >>> import anyzarr
    >>> store = {}
    >>> array = anyzarr.create_array(store, shape=(30, 20), chunks=(10, 10), dtype="uint8")
    >>> facts = anyzarr.info(store)
    >>> facts.shape, facts.chunks, facts.n_chunks
    ((30, 20), (10, 10), 6)
    """
    store, path = locate(location, path, backend, backend_kwargs)
    facts = _info(store, path, engine, stored=stored, positions=positions)
    return replace(facts, archive=archive_info(store)) if stored else facts


def _info(store: Store, path: str, engine: str | None, *, stored: bool, positions: bool) -> Info:
    metadata = parse(crud.read_metadata(store, path))
    if isinstance(metadata, ArrayMetadata):
        return _array_info(metadata, store, path, engine, stored)
    if is_vector_store(metadata.attributes):
        return vectors_info(metadata, store, path, stored)
    try:
        return _ome_info(metadata, store, path, engine, stored=stored, positions=positions)
    except UnsupportedError as error:
        if error.kind == "unknown_engine":
            raise
        return _group_info(metadata, store, path, stored, note=error.message)


_COLLECTIONS: dict[str | None, Callable[..., PlateInfo | WellInfo | SeriesInfo]] = {
    "plate": plate_info,
    "well": well_info,
    "series": series_info,
}


def _ome_info(
    metadata: GroupMetadata,
    store: Store,
    path: str,
    engine: str | None,
    *,
    stored: bool,
    positions: bool,
) -> Info:
    kind = ome_kind(metadata.attributes, last_part(store, path))
    if kind in _COLLECTIONS:
        collected = _COLLECTIONS[kind]
        return collected(metadata, store, path, engine, stored=stored, positions=positions)
    if kind == "labels":
        return labels_info(metadata, store, path, stored)
    if kind in {"image", "label image"}:
        return image_info(metadata, store, path, engine, stored)
    return _group_info(metadata, store, path, stored)


def _array_info(
    metadata: ArrayMetadata, store: Store, path: str, engine: str | None, stored: bool
) -> ArrayInfo:
    choice = chosen_engine(metadata, store, path, engine)
    return ArrayInfo(
        location=shown_root(store),
        path=path,
        zarr_format=metadata.zarr_format,
        shape=metadata.shape,
        dtype=metadata.data_type.name,
        chunks=chunk_shape(metadata),
        shards=shard_shape(metadata),
        codecs=codec_chain(metadata),
        fill_value=metadata.document.get("fill_value"),
        dimension_names=metadata.dimension_names,
        attributes=metadata.attributes,
        n_chunks=metadata.grid.n_chunks,
        n_bytes=memory_bytes(metadata),
        engine=choice.name,
        engine_reason=choice.reason,
        io=choice.io,
        backend=holding_backend(store),
        stored=stored_size(store, path) if stored else None,
    )


def _group_info(
    metadata: GroupMetadata, store: Store, path: str, stored: bool, note: str | None = None
) -> GroupInfo:
    return GroupInfo(
        location=shown_root(store),
        path=path,
        zarr_format=metadata.zarr_format,
        members=tuple(_member(name, doc) for name, doc in crud.list_children(store, path)),
        attributes=metadata.attributes,
        backend=holding_backend(store),
        stored=stored_size(store, path) if stored else None,
        note=note,
    )


def _member(name: str, document: dict[str, Any]) -> MemberInfo:
    metadata = parse(document)
    if isinstance(metadata, GroupMetadata):
        return MemberInfo(name, "group")
    return MemberInfo(name, "array", metadata.shape, metadata.data_type.name)
