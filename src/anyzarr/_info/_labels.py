"""What is known of the label images of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anyzarr._info._members import Level, levels_at
from anyzarr._info._models import LabelInfo
from anyzarr._info._plate_models import LabelsInfo
from anyzarr._info._stored import stored_size
from anyzarr._nodes import Group
from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError
from anyzarr.metadata import GroupMetadata
from anyzarr.ome import Image, LabelMetadata
from anyzarr.ome._documents import ome_of, version_of
from anyzarr.stores import join
from anyzarr.stores._shown import holding_backend, shown_root

__all__ = ["label_facts", "label_infos", "labels_info", "labels_of"]


def label_infos(
    metadata: GroupMetadata, store: Store, path: str
) -> tuple[tuple[LabelInfo, ...], tuple[str, ...]]:
    """Return the label images of the image at a path, and what could not be found out."""
    if label_facts(metadata.attributes) is not None:
        return (), ()
    try:
        names = labels_of(metadata, store, path)
    except AnyzarrError as error:
        return (), (f"its labels cannot be listed: {error.message}",)
    return _labels(store, join(path, "labels"), names), ()


def labels_of(metadata: GroupMetadata, store: Store, path: str) -> list[str]:
    """Return the names of the label images of the image at a path."""
    return Image(Group(metadata, store, path)).label_names


def label_facts(attributes: Mapping[str, Any], name: str = "") -> LabelInfo | None:
    """Return what an image says of itself as a label image; None where it is none."""
    document = ome_of(attributes).get("image-label")
    if not isinstance(document, Mapping):
        return None
    said = LabelMetadata.from_document(document)
    n_colors = sum(color.rgba is not None for color in said.colors)
    return LabelInfo(name, n_colors=n_colors, source=said.source)


def labels_info(metadata: GroupMetadata, store: Store, path: str, stored: bool) -> LabelsInfo:
    """Return what is known of the group ``labels`` at a path."""
    listed = ome_of(metadata.attributes).get("labels")
    names = [str(name) for name in listed] if isinstance(listed, list) else []
    return LabelsInfo(
        location=shown_root(store),
        path=path,
        zarr_format=metadata.zarr_format,
        version=version_of(metadata.attributes, {}),
        labels=_labels(store, path, names),
        backend=holding_backend(store),
        stored=stored_size(store, path) if stored else None,
    )


def _labels(store: Store, folder: str, names: Sequence[str]) -> tuple[LabelInfo, ...]:
    levels = levels_at(store, [join(folder, name) for name in names])
    return tuple(_label(name, level) for name, level in zip(names, levels, strict=True))


def _label(name: str, level: Level | AnyzarrError) -> LabelInfo:
    if isinstance(level, AnyzarrError):
        return LabelInfo(name, error=level.message)
    if level.ome is None or level.array is None:
        return LabelInfo(name, error="it declares no image")
    said = label_facts(level.group.attributes)
    return LabelInfo(
        name,
        level.array.shape,
        level.array.data_type.name,
        len(level.ome.image.datasets),
        0 if said is None else said.n_colors,
        None if said is None else said.source,
    )
