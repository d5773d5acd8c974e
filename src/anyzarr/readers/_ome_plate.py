"""What OME-XML says of a plate: which well and field of view each image shows."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

from anyzarr.ome import Spot, column_name, row_name

__all__ = ["spots_of"]


def spots_of(root: ElementTree.Element) -> dict[str, Spot]:
    """Return the place of each image by its ID; none where the images are of no plate, or several.

    Fields of view are numbered within their well, in the order the wells list them. Wells are
    named as the plate says (``RowNamingConvention``), with letters and digits where it does not.

    Parameters
    ----------
    root
        The element ``OME``.

    Raises
    ------
    ValueError
        A well has no row or column, or one that is no whole number.
    """
    plates = root.findall("{*}Plate")
    if len(plates) != 1:
        return {}
    plate = plates[0]
    named_row = _naming(plate.get("RowNamingConvention", "letter"))
    named_column = _naming(plate.get("ColumnNamingConvention", "number"))
    runs = [run.get("ID") for run in plate.findall("{*}PlateAcquisition")]
    acquisitions = {
        sample.get("ID"): number
        for number, run in enumerate(plate.findall("{*}PlateAcquisition"))
        for sample in run.findall("{*}WellSampleRef")
    }
    spots: dict[str, Spot] = {}
    for well in plate.findall("{*}Well"):
        row, column = _index(well, "Row"), _index(well, "Column")
        samples = [s for s in well.findall("{*}WellSample") if s.find("{*}ImageRef") is not None]
        for number, sample in enumerate(samples):
            reference = sample.find("{*}ImageRef")
            image = "" if reference is None else reference.get("ID", "")
            run = acquisitions.get(sample.get("ID"), 0) if runs else 0
            spots[image] = Spot(
                named_row(row), named_column(column), str(number), row, column, acquisition=run
            )
    return spots


def _naming(convention: str) -> Callable[[int], str]:
    return row_name if convention == "letter" else column_name


def _index(well: ElementTree.Element, what: str) -> int:
    text = well.get(what, "")
    if not text.isdigit():
        raise ValueError(f"a well has the {what} {text!r}, which must be a whole number")
    return int(text)
