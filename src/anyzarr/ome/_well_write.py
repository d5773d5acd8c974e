"""Putting fields of view into wells: fields first, then their wells, then the rows."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anyzarr import crud
from anyzarr.abc import Store
from anyzarr.crud._batch import create_new_nodes, read_documents
from anyzarr.errors import NodeExistsError
from anyzarr.metadata import group_document
from anyzarr.ome._documents import ome_of
from anyzarr.ome._new_fields import Make
from anyzarr.ome._plate_layout import Spot
from anyzarr.ome._position import Position
from anyzarr.ome._versions import zarr_format_of
from anyzarr.ome._well_model import FieldOfView, WellMetadata
from anyzarr.stores import join
from anyzarr.stores._keys import is_document_key

__all__ = ["Writer"]

Document = Mapping[str, Any]


class Writer:
    """Puts fields of view into the wells of a plate, or into one well.

    Parameters
    ----------
    store
        Where.
    version
        The OME-Zarr version to write.
    replace_leftovers
        Whether to replace data that no well names.
    """

    def __init__(self, store: Store, version: str, *, replace_leftovers: bool = False) -> None:
        self._store = store
        self._version = version
        self._format = zarr_format_of(version)
        self._replace = replace_leftovers

    def write_plate(
        self, base: str, spots: Sequence[Spot], is_listed: Callable[[str], bool], make: Make
    ) -> tuple[list[Position], dict[str, int]]:
        """Put fields of view below a plate; return them, and how many each well has then.

        Parameters
        ----------
        base
            Path of the plate.
        spots
            Which.
        is_listed
            Tells whether the plate names a well: what is below others was left behind by a
            writer that was interrupted.
        make
            Writes the fields themselves, before the wells and the rows.
        """
        rows = list(dict.fromkeys(spot.row for spot in spots))
        documents = read_documents(self._store, [join(base, row) for row in rows])
        there = {row for row, doc in zip(rows, documents, strict=True) if doc is not None}
        by_well: dict[str, list[Spot]] = {}
        for spot in spots:
            by_well.setdefault(spot.well, []).append(spot)
        wells = self._stored_wells(base, [w for w in by_well if w.partition("/")[0] in there])
        for well, document in wells.items():
            listed = functools.partial(is_listed, well)
            self._make_room(join(base, well), document, by_well[well], listed)
        positions = make(
            [(join(base, spot.path), spot) for spot in spots if spot.field is not None]
        )
        counts = self._write_wells(base, by_well, wells)
        self._write_rows(base, [row for row in rows if row not in there])
        return positions, counts

    def write_fields(self, path: str, spots: Sequence[Spot], make: Make) -> list[Position]:
        """Put fields of view into the well at a path, whose plate is not known."""
        document = crud.read_metadata(self._store, path)
        self._make_room(path, document, spots, lambda: True)
        positions = make([(join(path, str(spot.field)), spot) for spot in spots])
        self._add_to_well(path, spots)
        return positions

    # -- what is there ---------------------------------------------------------------------

    def _stored_wells(self, base: str, wells: Sequence[str]) -> dict[str, Document]:
        documents = read_documents(self._store, [join(base, well) for well in wells])
        return {well: doc for well, doc in zip(wells, documents, strict=True) if doc is not None}

    def _make_room(
        self, path: str, document: Document, spots: Sequence[Spot], is_listed: Callable[[], bool]
    ) -> None:
        """Refuse fields that are there, and clear away what only an interruption explains."""
        named = {image.path.casefold(): image.path for image in self._well_of(document).images}
        names = [str(spot.field) for spot in spots if spot.field is not None]
        for name in names:
            other = named.get(name.casefold())
            if other is not None and (other != name or is_listed()):
                raise NodeExistsError(
                    f"{join(path, name)!r} cannot be created in {self._store.spec}: the well has "
                    f"a field {other!r} already; choose another name",
                    store=str(self._store.spec),
                    path=join(path, other),
                )
        paths = [join(path, name) for name in names]
        for place, found in zip(paths, read_documents(self._store, paths), strict=True):
            if found is not None:
                self._clear_leftover(place)

    def _clear_leftover(self, path: str) -> None:
        keys = (info.key for info in self._store.list(f"{path}/"))
        if not self._replace and not all(map(is_document_key, keys)):
            raise NodeExistsError(
                f"{path!r} in {self._store.spec} holds data, but the plate does not name it: a "
                "writer may have been interrupted, or is at work; give replace_leftovers=True to "
                "replace it",
                store=str(self._store.spec),
                path=path,
                kind="leftover",
            )
        crud.delete_node(self._store, path)

    def _well_of(self, document: Document) -> WellMetadata:
        attributes = document.get("attributes", {})
        if "well" not in ome_of(attributes):
            return WellMetadata(self._version)
        return WellMetadata.from_attributes(attributes)

    # -- what is to be there ---------------------------------------------------------------

    def _write_wells(
        self, base: str, by_well: Mapping[str, Sequence[Spot]], stored: Mapping[str, Document]
    ) -> dict[str, int]:
        new = {well: spots for well, spots in by_well.items() if well not in stored}
        counts = {well: len(_images(spots)) for well, spots in new.items()}
        # As a rule all wells are alike: one document, checked and encoded once.
        known: dict[tuple[FieldOfView, ...], Document] = {}
        for spots in new.values():
            images = _images(spots)
            known[images] = known.get(images) or self._well_document(images)
        nodes = [(join(base, well), known[_images(spots)]) for well, spots in new.items()]
        to_change = [well for well in by_well if well in stored]
        try:
            create_new_nodes(nodes, self._store)
        except NodeExistsError:  # another writer was faster: the well gets the fields of both
            for path, document in nodes:
                with contextlib.suppress(NodeExistsError):
                    create_new_nodes([(path, document)], self._store)
            to_change = list(by_well)
        for well in to_change:
            counts[well] = self._add_to_well(join(base, well), by_well[well])
        return counts

    def _well_document(self, images: tuple[FieldOfView, ...]) -> Document:
        attributes = WellMetadata(self._version, images).to_attributes({})
        return group_document(zarr_format=self._format, attributes=attributes)

    def _write_rows(self, base: str, rows: Sequence[str]) -> None:
        document = group_document(zarr_format=self._format)
        for row in rows:
            with contextlib.suppress(NodeExistsError):  # another writer needs it too
                create_new_nodes([(join(base, row), document)], self._store)

    def _add_to_well(self, path: str, spots: Sequence[Spot]) -> int:
        images = _images(spots)
        n = 0

        def change(stored: dict[str, Any]) -> dict[str, Any]:
            nonlocal n
            well = self._well_of({"attributes": stored})
            known = {image.path for image in well.images}
            every = (*well.images, *(i for i in images if i.path not in known))
            n = len(every)
            return WellMetadata(well.version, every, well.extra).to_attributes(stored)

        crud.update_attributes(self._store, path, change)
        return n


def _images(spots: Sequence[Spot]) -> tuple[FieldOfView, ...]:
    return tuple(FieldOfView(s.field, s.acquisition) for s in spots if s.field is not None)
