"""Reading plates: which wells and fields of view there are, many documents at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anyzarr import crud
from anyzarr.abc import Store
from anyzarr.crud._batch import read_documents
from anyzarr.errors import AnyzarrError, MetadataError, NodeNotFoundError
from anyzarr.metadata import GroupMetadata, is_array_document, parse_group
from anyzarr.ome._documents import ome_of
from anyzarr.ome._plate_model import PlateMetadata
from anyzarr.ome._well_model import WellMetadata
from anyzarr.stores import join

__all__ = ["fields_of", "groups_at", "located", "natural", "well_paths"]

_TOGETHER = 128
_LAST = 1 << 30


def natural(name: str) -> tuple[int, int, str]:
    """Return a key that sorts numbers by value, before other names."""
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)


def located(error: AnyzarrError, store: Store, path: str) -> AnyzarrError:
    """Return an error that names the node it is about."""
    again = type(error)(
        f"the OME-Zarr metadata of {path or '/'!r} in {store.spec} cannot be used: {error.message}",
        kind=error.kind,
        store=str(store.spec),
        path=path,
    )
    again.__cause__ = error
    return again


def well_paths(store: Store, path: str, metadata: PlateMetadata, *, stated: bool) -> list[str]:
    """Return the paths of a plate's wells, row by row.

    Parameters
    ----------
    store, path
        The plate.
    metadata
        What it says.
    stated
        Whether it lists wells at all; where it does not, they are found in the store.
    """
    if stated:
        wells = sorted(
            metadata.wells,
            key=lambda well: (
                _LAST if well.row_index is None else well.row_index,
                _LAST if well.column_index is None else well.column_index,
            ),
        )
        return [well.path for well in wells]
    return [
        f"{row}/{column}"
        for row in _groups(store, path)
        for column in _groups(store, join(path, row))
    ]


def _groups(store: Store, path: str) -> list[str]:
    children = crud.list_children(store, path)
    return sorted((n for n, doc in children if not is_array_document(doc)), key=natural)


def fields_of(store: Store, path: str, metadata: GroupMetadata) -> list[str]:
    """Return the names of a well's fields of view.

    Those of its metadata; where it has none, the groups below it that hold images.

    Raises
    ------
    MetadataError
        The metadata is of the wrong kind; the message names the well.
    """
    attributes = metadata.attributes
    if "well" in ome_of(attributes):
        try:
            return [image.path for image in WellMetadata.from_attributes(attributes).images]
        except MetadataError as error:
            raise located(error, store, path) from error
    found = (
        name
        for name, child in crud.list_children(store, path)
        if "multiscales" in ome_of(child.get("attributes", {}))
    )
    return sorted(found, key=natural)


def groups_at(
    store: Store, paths: Sequence[str], named_by: str
) -> Iterator[tuple[str, GroupMetadata]]:
    """Iterate over path and metadata of groups, fetched many at a time.

    Raises
    ------
    NodeNotFoundError
        One of them is not there; the message names it, and who named it.
    MetadataError
        One cannot be read, or is that of an array.
    """
    for start in range(0, len(paths), _TOGETHER):
        part = paths[start : start + _TOGETHER]
        # Many fields of view have the same document: it is parsed once.
        parsed: dict[int, GroupMetadata] = {}
        for path, document in zip(part, read_documents(store, part), strict=True):
            if document is None:
                raise _missing(store, path, named_by)
            metadata = parsed.get(id(document))
            if metadata is None:
                metadata = parsed[id(document)] = _parsed(store, path, document, named_by)
            yield path, metadata


def _missing(store: Store, path: str, named_by: str) -> NodeNotFoundError:
    return NodeNotFoundError(
        f"there is no group at {path!r} in {store.spec}, and {named_by} names it; restore it, or "
        "take it out of that metadata",
        store=str(store.spec),
        path=path,
    )


def _parsed(store: Store, path: str, document: Mapping[str, Any], named_by: str) -> GroupMetadata:
    if is_array_document(document):
        raise MetadataError(
            f"{path!r} in {store.spec} is an array, and {named_by} names it as a group",
            store=str(store.spec),
            path=path,
        )
    try:
        return parse_group(document)
    except AnyzarrError as error:
        raise located(error, store, path) from error
