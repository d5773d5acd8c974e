"""The metadata of plates, wells and series of images as values, read and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anyzarr.errors import MetadataError

__all__ = [
    "Acquisition",
    "FieldOfView",
    "PlateAxis",
    "PlateMetadata",
    "PlateWell",
    "SeriesMetadata",
    "WellMetadata",
    "ome_of",
]


def ome_of(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the OME-Zarr metadata of a group: within ``ome`` since 0.5, beside others before."""
    nested = attributes.get("ome")
    return nested if isinstance(nested, Mapping) else attributes


def _merged(
    attributes: Mapping[str, Any], version: str, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return attributes with OME-Zarr metadata changed; all others stay."""
    if version < "0.5":
        return {**attributes, **changes}
    nested = attributes.get("ome")
    before = nested if isinstance(nested, Mapping) else {}
    return {**attributes, "ome": {**before, "version": version, **changes}}


def _documents(value: Any, what: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(d, Mapping) for d in value):
        raise MetadataError(f"{what!r} must be a list of documents, not {value!r}")
    return value


def _rest(document: Mapping[str, Any], *known: str) -> dict[str, Any]:
    return {k: v for k, v in document.items() if k not in known}


def _stated(**values: Any) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v is not None}


def _integer(value: Any, what: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise MetadataError(f"{what} must be a whole number, not {value!r}")


def _text(document: Mapping[str, Any], key: str, what: str) -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise MetadataError(f"{what} needs a {key!r} that is a string, not {value!r}")
    return value


@dataclass(frozen=True, slots=True)
class PlateAxis:
    """One row or column of a plate.

    Attributes
    ----------
    name
        Letters and digits.
    extra
        Further keys of the document, kept on rewriting.
    """

    name: str
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        return {"name": self.name, **self.extra}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], what: str = "a row") -> PlateAxis:
        """Return what a document describes; a number as name is taken for its digits."""
        name = document.get("name")
        if isinstance(name, int) and not isinstance(name, bool):
            return cls(str(name), _rest(document, "name"))
        return cls(_text(document, "name", what), _rest(document, "name"))


@dataclass(frozen=True, slots=True)
class PlateWell:
    """Where a well of a plate is.

    Attributes
    ----------
    path
        Row and column, as in ``A/1``.
    row_index, column_index
        Places in the plate's lists of rows and columns; None where the metadata has none.
    extra
        Further keys of the document, kept on rewriting.
    """

    path: str
    row_index: int | None = None
    column_index: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @property
    def row(self) -> str:
        """Name of the row."""
        return self.path.partition("/")[0]

    @property
    def column(self) -> str:
        """Name of the column."""
        return self.path.partition("/")[2]

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        places = _stated(rowIndex=self.row_index, columnIndex=self.column_index)
        return {"path": self.path, **places, **self.extra}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PlateWell:
        """Return what a document describes."""
        path = _text(document, "path", "a well of the plate").strip("/")
        return cls(
            path,
            _integer(document.get("rowIndex"), f"the rowIndex of well {path!r}"),
            _integer(document.get("columnIndex"), f"the columnIndex of well {path!r}"),
            _rest(document, "path", "rowIndex", "columnIndex"),
        )


_ACQUISITION_KEYS = ("id", "name", "maximumfieldcount", "description", "starttime", "endtime")


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One acquisition of a plate.

    Attributes
    ----------
    id
        The number by which the images of wells refer to it.
    name, description
        What it was, or None.
    maximum_field_count
        Most fields of view of a well in it, or None.
    start_time, end_time
        Seconds since 1970, or None.
    extra
        Further keys of the document, kept on rewriting.
    """

    id: int
    name: str | None = None
    maximum_field_count: int | None = None
    description: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        values = (
            self.id, self.name, self.maximum_field_count, self.description, self.start_time,
            self.end_time,
        )  # fmt: skip
        return {**_stated(**dict(zip(_ACQUISITION_KEYS, values, strict=True))), **self.extra}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Acquisition:
        """Return what a document describes."""
        number = _integer(document.get("id"), "the id of an acquisition")
        if number is None:
            raise MetadataError(f"an acquisition of the plate needs an 'id': {dict(document)!r}")
        values = [document.get(key) for key in _ACQUISITION_KEYS[1:]]
        return cls(number, *values, extra=_rest(document, *_ACQUISITION_KEYS))


_PLATE_KEYS = ("name", "rows", "columns", "wells", "acquisitions", "field_count", "version")


@dataclass(frozen=True, slots=True)
class PlateMetadata:
    """The ``plate`` metadata: which wells there are, and where.

    Attributes
    ----------
    version
        Of OME-Zarr.
    rows, columns
        In their order on the plate.
    wells
        Those that hold images.
    acquisitions
        Empty where the metadata names none.
    name
        Of the plate, or None.
    field_count
        Most fields of view of a well, or None.
    extra
        Further keys of the document, kept on rewriting.
    """

    version: str
    rows: tuple[PlateAxis, ...] = ()
    columns: tuple[PlateAxis, ...] = ()
    wells: tuple[PlateWell, ...] = ()
    acquisitions: tuple[Acquisition, ...] = ()
    name: str | None = None
    field_count: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @property
    def row_names(self) -> list[str]:
        """Names of the rows, in their order."""
        return [row.name for row in self.rows]

    @property
    def column_names(self) -> list[str]:
        """Names of the columns, in their order."""
        return [column.name for column in self.columns]

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        document: dict[str, Any] = {"version": self.version} if self.version < "0.5" else {}
        document |= _stated(name=self.name)
        document["rows"] = [row.to_document() for row in self.rows]
        document["columns"] = [column.to_document() for column in self.columns]
        if self.acquisitions:
            document["acquisitions"] = [a.to_document() for a in self.acquisitions]
        document |= _stated(field_count=self.field_count)
        document["wells"] = [well.to_document() for well in self.wells]
        return {**document, **self.extra}

    def to_attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return a group's attributes with the plate as it is here; all others stay."""
        return _merged(attributes, self.version, {"plate": self.to_document()})

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> PlateMetadata:
        """Return what the attributes of a group say.

        What the specification demands and a plate lacks is made up for where the rest tells it:
        rows and columns come from the wells' paths, indices from rows and columns.

        Raises
        ------
        MetadataError
            They hold no ``plate``, or what it holds is of the wrong kind.
        """
        ome = ome_of(attributes)
        document = ome.get("plate")
        if not isinstance(document, Mapping):
            raise MetadataError("there is no 'plate' in the group's OME-Zarr metadata")
        wells = [PlateWell.from_document(d) for d in _documents(document.get("wells", []), "wells")]
        rows = _lines(document.get("rows"), "rows", (well.row for well in wells))
        columns = _lines(document.get("columns"), "columns", (well.column for well in wells))
        acquisitions = _documents(document.get("acquisitions", []), "acquisitions")
        version = ome.get("version") or document.get("version")
        name = document.get("name")
        return cls(
            str(version or ("0.5" if "ome" in attributes else "0.4")),
            rows,
            columns,
            _placed(wells, rows, columns),
            tuple(Acquisition.from_document(d) for d in acquisitions),
            None if name is None else str(name),
            _integer(document.get("field_count"), "the field_count of the plate"),
            _rest(document, *_PLATE_KEYS),
        )


def _lines(documents: Any, what: str, found: Iterable[str]) -> tuple[PlateAxis, ...]:
    if documents is None:
        return tuple(PlateAxis(name) for name in dict.fromkeys(found))
    singular = f"a {what[:-1]} of the plate"
    return tuple(PlateAxis.from_document(d, singular) for d in _documents(documents, what))


def _placed(
    wells: Sequence[PlateWell], rows: Sequence[PlateAxis], columns: Sequence[PlateAxis]
) -> tuple[PlateWell, ...]:
    if all(w.row_index is not None and w.column_index is not None for w in wells):
        return tuple(wells)
    row_places = {row.name: i for i, row in enumerate(rows)}
    column_places = {column.name: i for i, column in enumerate(columns)}
    return tuple(
        PlateWell(
            well.path,
            row_places.get(well.row) if well.row_index is None else well.row_index,
            column_places.get(well.column) if well.column_index is None else well.column_index,
            well.extra,
        )
        for well in wells
    )


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """One image of a well.

    Attributes
    ----------
    path
        Of its group, relative to the well's.
    acquisition
        The number of the acquisition it is of, or None.
    extra
        Further keys of the document, kept on rewriting.
    """

    path: str
    acquisition: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        return {"path": self.path, **_stated(acquisition=self.acquisition), **self.extra}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FieldOfView:
        """Return what a document describes."""
        path = _text(document, "path", "an image of the well").strip("/")
        number = _integer(document.get("acquisition"), f"the acquisition of image {path!r}")
        return cls(path, number, _rest(document, "path", "acquisition"))


@dataclass(frozen=True, slots=True)
class WellMetadata:
    """The ``well`` metadata: which images a well has.

    Attributes
    ----------
    version
        Of OME-Zarr.
    images
        Its fields of view.
    extra
        Further keys of the document, kept on rewriting.
    """

    version: str
    images: tuple[FieldOfView, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return a group's attributes with the well as it is here; all others stay."""
        document: dict[str, Any] = {"version": self.version} if self.version < "0.5" else {}
        document["images"] = [image.to_document() for image in self.images]
        return _merged(attributes, self.version, {"well": {**document, **self.extra}})

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> WellMetadata:
        """Return what the attributes of a group say.

        Raises
        ------
        MetadataError
            They hold no ``well``, or what it holds is of the wrong kind.
        """
        ome = ome_of(attributes)
        document = ome.get("well")
        if not isinstance(document, Mapping):
            raise MetadataError("there is no 'well' in the group's OME-Zarr metadata")
        version = ome.get("version") or document.get("version")
        images = _documents(document.get("images", []), "images")
        return cls(
            str(version or ("0.5" if "ome" in attributes else "0.4")),
            tuple(FieldOfView.from_document(d) for d in images),
            _rest(document, "images", "version"),
        )


@dataclass(frozen=True, slots=True)
class SeriesMetadata:
    """The metadata of a series of images in bioformats2raw's layout.

    Attributes
    ----------
    version
        Of OME-Zarr.
    layout
        Of bioformats2raw: 3.
    series
        Paths of the images in their order, or None where the metadata lists none.
    """

    version: str
    layout: int = 3
    series: tuple[str, ...] | None = None

    def to_attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the root's attributes with the layout; all others stay."""
        return _merged(attributes, self.version, {"bioformats2raw.layout": self.layout})

    def to_list_attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes of the group ``OME`` with the list; all others stay."""
        return _merged(attributes, self.version, {"series": list(self.series or ())})

    @classmethod
    def from_attributes(
        cls, attributes: Mapping[str, Any], listed: Mapping[str, Any] | None = None
    ) -> SeriesMetadata:
        """Return what the attributes of the root say, and those of the group ``OME``.

        Raises
        ------
        MetadataError
            There is no ``bioformats2raw.layout``, or ``series`` is no list of paths.
        """
        ome = ome_of(attributes)
        layout = ome.get("bioformats2raw.layout", attributes.get("bioformats2raw.layout"))
        number = _integer(layout, "'bioformats2raw.layout'")
        if number is None:
            raise MetadataError(
                "there is no 'bioformats2raw.layout' in the group's OME-Zarr metadata"
            )
        series = ome.get("series")
        if listed is not None and ome_of(listed).get("series") is not None:
            series = ome_of(listed)["series"]
        if series is not None and not _is_paths(series):
            raise MetadataError(f"'series' must be a list of paths, not {series!r}")
        version = str(ome.get("version") or ("0.5" if "ome" in attributes else "0.4"))
        return cls(version, number, None if series is None else tuple(map(str, series)))


def _is_paths(series: Any) -> bool:
    return isinstance(series, list) and all(isinstance(path, str | int) for path in series)
