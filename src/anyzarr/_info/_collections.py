"""What is known of groups that hold many images: plates, wells, series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from anyzarr._info._describe import last_part
from anyzarr._info._image import image_info, is_image
from anyzarr._info._members import group_of, position_infos, read_each
from anyzarr._info._models import ImageInfo
from anyzarr._info._plate_models import PlateInfo, SeriesInfo, WellInfo, WellPlace
from anyzarr._info._stored import stored_size
from anyzarr._nodes import Group
from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError, UnsupportedError
from anyzarr.metadata import GroupMetadata
from anyzarr.ome import Bioformats2RawSeries, PlateMetadata, WellMetadata
from anyzarr.ome._documents import ome_of
from anyzarr.ome._plate_read import fields_of, well_paths
from anyzarr.stores import join
from anyzarr.stores._shown import holding_backend, shown_root

__all__ = ["Fields", "fields_below", "plate_info", "series_info", "well_info"]

# Wells looked into for the first image: a plate may have been laid out before it was filled.
_WELLS_TRIED = 8

Named = str | tuple[str, AnyzarrError]
Fields = dict[str, list[str] | AnyzarrError]


def plate_info(
    metadata: GroupMetadata,
    store: Store,
    path: str,
    engine: str | None,
    *,
    stored: bool,
    positions: bool,
) -> PlateInfo:
    """Return what is known of the plate whose group is at ``path``.

    Raises
    ------
    MetadataError
        Its metadata is not valid.
    """
    plate = PlateMetadata.from_attributes(metadata.attributes)
    listed = "wells" in ome_of(metadata.attributes).get("plate", {})
    wells = well_paths(store, path, plate, stated=listed)
    fields = fields_below(store, path, wells if positions else wells[:_WELLS_TRIED])
    names = _names(fields)
    image, notes = _first_image(store, path, names, engine)
    rows, columns = _lines(plate.row_names, wells, 0), _lines(plate.column_names, wells, 2)
    return PlateInfo(
        **_common(metadata, store, path, stored),
        name=plate.name or last_part(store, path),
        version=plate.version,
        rows=rows,
        columns=columns,
        wells=tuple(_place(well, fields.get(well) if positions else None) for well in wells),
        field_count=plate.field_count,
        acquisitions=tuple(a.name or str(a.id) for a in plate.acquisitions),
        image=image,
        positions=position_infos(store, path, names) if positions else None,
        notes=notes,
    )


def well_info(
    metadata: GroupMetadata,
    store: Store,
    path: str,
    engine: str | None,
    *,
    stored: bool,
    positions: bool,
) -> WellInfo:
    """Return what is known of the well whose group is at ``path``."""
    version = WellMetadata.from_attributes(metadata.attributes).version
    names = fields_of(store, path, metadata)
    image, notes = _first_image(store, path, names, engine)
    parts = f"{store.spec.root.rstrip('/')}/{path}".rstrip("/").split("/")
    return WellInfo(
        **_common(metadata, store, path, stored),
        name="/".join(parts[-2:]),
        version=version,
        images=tuple(names),
        image=image,
        positions=position_infos(store, path, names) if positions else None,
        notes=notes,
    )


def series_info(
    metadata: GroupMetadata,
    store: Store,
    path: str,
    engine: str | None,
    *,
    stored: bool,
    positions: bool,
) -> SeriesInfo:
    """Return what is known of the series of images whose root is at ``path``."""
    series = Bioformats2RawSeries(Group(metadata, store, path))
    names = series.names
    image, notes = _first_image(store, path, names, engine)
    try:
        has_xml = store.head(join(path, "OME/METADATA.ome.xml")) is not None
    except AnyzarrError as error:  # a server may refuse to say that there is none
        has_xml, notes = None, (*notes, f"the OME-XML cannot be looked up: {error.message}")
    return SeriesInfo(
        **_common(metadata, store, path, stored),
        name=last_part(store, path),
        version=series.version,
        images=tuple(names),
        has_ome_xml=has_xml,
        image=image,
        positions=position_infos(store, path, names) if positions else None,
        notes=notes,
    )


def fields_below(store: Store, path: str, wells: Sequence[str]) -> Fields:
    """Return the names of the fields of view of each well, or why it cannot be read."""
    found: Fields = {}
    paths = [join(path, well) for well in wells]
    for well, full, document in zip(wells, paths, read_each(store, paths), strict=True):
        try:
            found[well] = fields_of(store, full, group_of(document, full))
        except AnyzarrError as error:
            found[well] = error
    return found


def _names(fields: Fields) -> list[Named]:
    names: list[Named] = []
    for well, found in fields.items():
        if isinstance(found, AnyzarrError):
            names.append((well, found))
        else:
            names.extend(join(well, field) for field in found)
    return names


def _first_image(
    store: Store, base: str, names: Iterable[Named], engine: str | None
) -> tuple[ImageInfo | None, tuple[str, ...]]:
    """Return what is known of the first image, and which before it could not be read."""
    notes: list[str] = []
    for name in list(names)[:_WELLS_TRIED]:
        try:
            if not isinstance(name, str):
                raise name[1]
            path = join(base, name)
            (document,) = read_each(store, [path])
            group = group_of(document, path)
            if is_image(group):
                return image_info(group, store, path, engine, stored=False), tuple(notes)
            notes.append(f"{name} holds no image yet")
        except AnyzarrError as error:
            if isinstance(error, UnsupportedError) and error.kind == "unknown_engine":
                raise
            where = name if isinstance(name, str) else name[0]
            notes.append(f"{where} cannot be read: {error.message}")
    return None, tuple(notes)


def _place(well: str, fields: list[str] | AnyzarrError | None) -> WellPlace:
    row, _, column = well.partition("/")
    return WellPlace(well, row, column, len(fields) if isinstance(fields, list) else None)


def _lines(declared: Sequence[str], wells: Sequence[str], part: int) -> tuple[str, ...]:
    """Return the names of rows (part 0) or columns (2), with those that only wells name."""
    return tuple(dict.fromkeys([*declared, *(well.partition("/")[part] for well in wells)]))


def _common(metadata: GroupMetadata, store: Store, path: str, stored: bool) -> dict[str, Any]:
    return {
        "location": shown_root(store),
        "path": path,
        "zarr_format": metadata.zarr_format,
        "backend": holding_backend(store),
        "stored": stored_size(store, path) if stored else None,
    }
