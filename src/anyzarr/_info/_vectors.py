"""What :func:`anyzarr.info` answers for a vector store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from anyzarr import vectors
from anyzarr._info._archive import ArchiveInfo
from anyzarr._info._models import StoredSize, ToDict, VectorLayerInfo
from anyzarr._info._stored import stored_size
from anyzarr._nodes import Group
from anyzarr._parallel import map_ordered
from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError
from anyzarr.metadata import GroupMetadata
from anyzarr.ome import Image
from anyzarr.stores._shown import holding_backend, shown_root

__all__ = ["VectorsInfo", "vector_layers", "vectors_info"]


@dataclass(frozen=True, slots=True)
class VectorsInfo(ToDict):
    """What is known of a vector store.

    Attributes
    ----------
    location, path, zarr_format, backend
        As for an array.
    store
        The store and its levels.
    stored
        All chunk objects, if asked for.
    archive
        The zip archive it lies in, if that was asked for (``stored``) and it lies in one.
    """

    kind: ClassVar[str] = "vectors"

    location: str
    path: str
    zarr_format: Literal[2, 3]
    store: vectors.StoreInfo
    backend: str
    stored: StoredSize | None = None
    archive: ArchiveInfo | None = None


def vectors_info(metadata: GroupMetadata, store: Store, path: str, stored: bool) -> VectorsInfo:
    """Return the facts of a vector store."""
    return VectorsInfo(
        location=shown_root(store),
        path=path,
        zarr_format=metadata.zarr_format,
        store=vectors.store_info(Group(metadata, store, path)),
        backend=holding_backend(store),
        stored=stored_size(store, path) if stored else None,
    )


def vector_layers(
    metadata: GroupMetadata, store: Store, path: str
) -> tuple[tuple[VectorLayerInfo, ...], tuple[str, ...]]:
    """Return the vector stores of the image at a path, and what could not be found out."""
    if metadata.zarr_format != 3:
        return (), ()
    image = Image(Group(metadata, store, path))
    try:
        names = image.vector_names
    except AnyzarrError as error:
        return (), (f"its vectors cannot be listed: {error.message}",)
    return tuple(map_ordered(lambda name: _layer(image, name), names)), ()


def _layer(image: Image, name: str) -> VectorLayerInfo:
    try:
        found = image.vectors()[name]
        count = found[0].vertex_count
    except AnyzarrError as error:
        return VectorLayerInfo(name, error=error.message)
    axes = tuple(str(axis.get("name")) for axis in found.metadata.axes)
    return VectorLayerInfo(name, found.geometry_types, axes, count, len(found.levels))
