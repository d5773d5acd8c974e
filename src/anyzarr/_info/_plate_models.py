"""What :func:`anyzarr.info` answers for plates, wells, series of images and lists of labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from anyzarr._info._archive import ArchiveInfo
from anyzarr._info._models import ImageInfo, LabelInfo, StoredSize, ToDict

__all__ = ["LabelsInfo", "PlateInfo", "PositionInfo", "SeriesInfo", "WellInfo", "WellPlace"]


@dataclass(frozen=True, slots=True)
class PositionInfo:
    """One image of a plate, well or series.

    Attributes
    ----------
    path
        Relative to the plate, well or series.
    shape, dtype
        Of level 0; None where it cannot be read or holds no image yet.
    channels
        Names of the channels it declares.
    n_levels
        Resolution levels.
    differs
        In what it differs from the first image that can be read: of ``shape``, ``dtype``,
        ``channels``.
    error
        Why it cannot be read, or None.
    """

    path: str
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    channels: tuple[str, ...] = ()
    n_levels: int = 0
    differs: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class WellPlace:
    """A well that a plate names.

    Attributes
    ----------
    path, row, column
        Its path (``A/1``), and the names of its row and column.
    n_fields
        Its fields of view; None unless every position was asked for, or where the well cannot
        be read.
    """

    path: str
    row: str
    column: str
    n_fields: int | None = None


@dataclass(frozen=True, slots=True)
class PlateInfo(ToDict):
    """What is known of one plate.

    Attributes
    ----------
    location, path, zarr_format, backend
        As for an array.
    name, version
        Of the plate; the last part of its location where it has no name.
    rows, columns
        Their names, in their order on the plate.
    wells
        The wells that hold images, row by row.
    field_count
        Most fields of view of a well, as declared, or None.
    acquisitions
        Names (else numbers) of the acquisitions.
    image
        The first image, which stands for all; None where there is none that can be read.
    positions
        Every image, if asked for.
    stored
        All chunk objects of the plate, if asked for.
    notes
        What could not be found out, in sentences.
    archive
        The zip archive it lies in, if that was asked for (``stored``) and it lies in one.
    """

    kind: ClassVar[str] = "plate"

    location: str
    path: str
    zarr_format: Literal[2, 3]
    name: str
    version: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    wells: tuple[WellPlace, ...]
    field_count: int | None
    acquisitions: tuple[str, ...]
    image: ImageInfo | None
    backend: str
    positions: tuple[PositionInfo, ...] | None = None
    stored: StoredSize | None = None
    notes: tuple[str, ...] = ()
    archive: ArchiveInfo | None = None


@dataclass(frozen=True, slots=True)
class WellInfo(ToDict):
    """What is known of one well, opened by itself.

    Attributes
    ----------
    location, path, zarr_format, backend, image, positions, stored, notes
        As for a plate.
    name, version
        Row and column as far as the path tells them.
    images
        Names of its fields of view.
    archive
        The zip archive it lies in, if that was asked for (``stored``) and it lies in one.
    """

    kind: ClassVar[str] = "well"

    location: str
    path: str
    zarr_format: Literal[2, 3]
    name: str
    version: str
    images: tuple[str, ...]
    image: ImageInfo | None
    backend: str
    positions: tuple[PositionInfo, ...] | None = None
    stored: StoredSize | None = None
    notes: tuple[str, ...] = ()
    archive: ArchiveInfo | None = None


@dataclass(frozen=True, slots=True)
class SeriesInfo(ToDict):
    """What is known of a series of images in bioformats2raw's layout.

    Attributes
    ----------
    location, path, zarr_format, backend, image, positions, stored, notes
        As for a plate.
    name, version
        Of the series.
    images
        Paths of the images, in their order.
    has_ome_xml
        Whether there is OME-XML that describes them; None where the store does not say.
    archive
        The zip archive it lies in, if that was asked for (``stored``) and it lies in one.
    """

    kind: ClassVar[str] = "series"

    location: str
    path: str
    zarr_format: Literal[2, 3]
    name: str
    version: str
    images: tuple[str, ...]
    has_ome_xml: bool | None
    image: ImageInfo | None
    backend: str
    positions: tuple[PositionInfo, ...] | None = None
    stored: StoredSize | None = None
    notes: tuple[str, ...] = ()
    archive: ArchiveInfo | None = None


@dataclass(frozen=True, slots=True)
class LabelsInfo(ToDict):
    """What is known of the list of an image's label images.

    Attributes
    ----------
    location, path, zarr_format, backend, stored
        As for an array.
    version
        Of OME-Zarr.
    labels
        The label images it lists.
    archive
        The zip archive it lies in, if that was asked for (``stored``) and it lies in one.
    """

    kind: ClassVar[str] = "labels"

    location: str
    path: str
    zarr_format: Literal[2, 3]
    version: str
    labels: tuple[LabelInfo, ...]
    backend: str
    stored: StoredSize | None = None
    archive: ArchiveInfo | None = None
