"""The metadata of plates as values, read and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from anyzarr.errors import MetadataError
from anyzarr.ome._documents import (
    documents_of,
    integer_of,
    merged,
    ome_of,
    rest_of,
    stated,
    text_of,
    version_of,
)

__all__ = ["Acquisition", "PlateAxis", "PlateMetadata", "PlateWell"]


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
            return cls(str(name), rest_of(document, "name"))
        return cls(text_of(document, "name", what), rest_of(document, "name"))


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
        places = stated(rowIndex=self.row_index, columnIndex=self.column_index)
        return {"path": self.path, **places, **self.extra}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PlateWell:
        """Return what a document describes."""
        path = text_of(document, "path", "a well of the plate").strip("/")
        return cls(
            path,
            integer_of(document.get("rowIndex"), f"the rowIndex of well {path!r}"),
            integer_of(document.get("columnIndex"), f"the columnIndex of well {path!r}"),
            rest_of(document, "path", "rowIndex", "columnIndex"),
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
        return {**stated(**dict(zip(_ACQUISITION_KEYS, values, strict=True))), **self.extra}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Acquisition:
        """Return what a document describes."""
        number = integer_of(document.get("id"), "the id of an acquisition")
        if number is None:
            raise MetadataError(f"an acquisition of the plate needs an 'id': {dict(document)!r}")
        name, most, description, start, end = (document.get(k) for k in _ACQUISITION_KEYS[1:])
        rest = rest_of(document, *_ACQUISITION_KEYS)
        return cls(number, name, most, description, start, end, rest)


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
        # Since 0.5 the version beside the plate counts; readers of either kind are content.
        document: dict[str, Any] = {"version": self.version, **stated(name=self.name)}
        document["rows"] = [row.to_document() for row in self.rows]
        document["columns"] = [column.to_document() for column in self.columns]
        if self.acquisitions:
            document["acquisitions"] = [a.to_document() for a in self.acquisitions]
        document |= stated(field_count=self.field_count)
        document["wells"] = [well.to_document() for well in self.wells]
        return {**document, **self.extra}

    def to_attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return a group's attributes with the plate as it is here; all others stay."""
        return merged(attributes, self.version, {"plate": self.to_document()})

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
        document = ome_of(attributes).get("plate")
        if not isinstance(document, Mapping):
            raise MetadataError("there is no 'plate' in the group's OME-Zarr metadata")
        wells = [
            PlateWell.from_document(d) for d in documents_of(document.get("wells", []), "wells")
        ]
        rows = _lines(document.get("rows"), "rows", (well.row for well in wells))
        columns = _lines(document.get("columns"), "columns", (well.column for well in wells))
        acquisitions = documents_of(document.get("acquisitions", []), "acquisitions")
        name = document.get("name")
        return cls(
            version_of(attributes, document),
            rows,
            columns,
            _placed(wells, rows, columns),
            tuple(Acquisition.from_document(d) for d in acquisitions),
            None if name is None else str(name),
            integer_of(document.get("field_count"), "the field_count of the plate"),
            rest_of(document, *_PLATE_KEYS),
        )


def _lines(documents: Any, what: str, found: Iterable[str]) -> tuple[PlateAxis, ...]:
    if documents is None:
        return tuple(PlateAxis(name) for name in dict.fromkeys(found))
    singular = f"a {what[:-1]} of the plate"
    return tuple(PlateAxis.from_document(d, singular) for d in documents_of(documents, what))


def _placed(
    wells: Sequence[PlateWell], rows: Sequence[PlateAxis], columns: Sequence[PlateAxis]
) -> tuple[PlateWell, ...]:
    if all(w.row_index is not None and w.column_index is not None for w in wells):
        return tuple(wells)
    row_places = {row.name: i for i, row in enumerate(rows)}
    column_places = {column.name: i for i, column in enumerate(columns)}
    return tuple(
        replace(
            well,
            row_index=row_places.get(well.row) if well.row_index is None else well.row_index,
            column_index=(
                column_places.get(well.column) if well.column_index is None else well.column_index
            ),
        )
        for well in wells
    )
