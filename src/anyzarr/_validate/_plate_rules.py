"""Rules on plates, wells, and series of images."""

from __future__ import annotations

import re
from typing import Any, Final

from anyzarr._validate._spot import Spot, is_integer

__all__ = ["check_layout", "check_plate", "check_series", "check_well"]

_NAME: Final = re.compile("[A-Za-z0-9]+")
_WELL_PATH: Final = re.compile("[A-Za-z0-9]+/[A-Za-z0-9]+")
_FIELD_06: Final = re.compile(r"(?!\.+$)(?!__)[A-Za-z0-9_.-]+")


def check_plate(ome: Spot, version: str) -> None:
    """Check the key ``plate``."""
    plate = ome.required("plate", "an object", "plate")
    if plate is None:
        return
    plate.optional("name", "a string", "plate-name")
    plate.recommended("name", "plate-name")
    _check_version(plate, version)
    rows, columns = (_names(plate, key, version) for key in ("rows", "columns"))
    _check_acquisitions(plate, version)
    _check_count(plate, version)
    wells = plate.required("wells", "a list", "plate-wells")
    if wells is None:
        return
    wells.not_empty("plate-wells")
    wells.unique("plate-wells-unique")
    seen: set[str] = set()
    for well in wells.objects("plate-well"):
        path = _check_well_entry(well, version, rows, columns)
        if path is not None and path in seen:
            well.error("plate-well-unique", f"the well {path!r} is listed twice")
        seen |= {path} if path is not None else set()


def _check_version(owner: Spot, version: str) -> None:
    if version >= "0.5":
        return
    if version < "0.4" and owner.where.endswith("plate"):
        found = owner.required("version", "a string", "version")
    else:
        owner.recommended("version", f"{owner.where.rpartition('.')[2]}-version")
        found = owner.optional("version", "a string", "version")
    if found is not None:
        found.one_of((version,), "version")


def _names(plate: Spot, key: str, version: str) -> list[Any]:
    entries = plate.required(key, "a list", f"plate-{key}")
    if entries is None:
        return []
    entries.not_empty(f"plate-{key}")
    entries.unique(f"plate-{key}-unique")
    names: list[Any] = []
    for entry in entries.objects(f"plate-{key}"):
        name = entry.required("name", "a string", f"plate-{key}-name")
        if name is not None and version >= "0.4":
            name.matches(_NAME, "letters and digits only", f"plate-{key}-name")
        names.append(None if name is None else name.value)
    known = [name for name in names if name is not None]
    if len(set(known)) != len(known):
        entries.error(f"plate-{key}-names-unique", f"two {key} have one name")
    elif len({name.lower() for name in known}) != len(known):
        entries.warn(
            f"plate-{key}-names-case", f"two {key} differ in case only, which some disks ignore"
        )
    return names


def _check_acquisitions(plate: Spot, version: str) -> None:
    acquisitions = plate.optional("acquisitions", "a list", "plate-acquisitions")
    if acquisitions is None:
        return
    if version < "0.4":
        acquisitions.not_empty("plate-acquisitions")
        acquisitions.unique("plate-acquisitions")
    number = "a number" if version == "0.1" else "an integer"
    seen: set[float] = set()
    for entry in acquisitions.objects("plate-acquisition"):
        found = entry.required("id", number, "plate-acquisition-id")
        if found is not None:
            if version >= "0.4":
                found.at_least(0, "plate-acquisition-id")
            if found.value in seen:
                found.error("plate-acquisition-unique", f"two acquisitions have id {found.shown}")
            seen.add(found.value)
        _check_acquisition(entry, version, number)


def _check_acquisition(entry: Spot, version: str, number: str) -> None:
    for key in ("name", "description"):
        entry.optional(key, "a string", f"plate-acquisition-{key}")
    for key in ("name", "maximumfieldcount"):
        entry.recommended(key, f"plate-acquisition-{key}")
    most = entry.optional("maximumfieldcount", number, "plate-acquisition-maximumfieldcount")
    if most is not None and version >= "0.4" and most.value <= 0:
        most.error("plate-acquisition-maximumfieldcount", f"{most.shown} must be above zero")
    times = ("starttime",) if version == "0.1" else ("starttime", "endtime")
    for key in times:
        time = entry.optional(key, number, f"plate-acquisition-{key}")
        if time is not None and version != "0.1":
            time.at_least(0, f"plate-acquisition-{key}")


def _check_count(plate: Spot, version: str) -> None:
    if version < "0.4":
        return
    plate.recommended("field_count", "plate-field-count")
    count = plate.optional("field_count", "an integer", "plate-field-count")
    if count is not None and count.value <= 0:
        count.error("plate-field-count", f"{count.shown} must be above zero")


def _check_well_entry(well: Spot, version: str, rows: list[Any], columns: list[Any]) -> str | None:
    path = well.required("path", "a string", "plate-well-path")
    if version < "0.4":
        return None if path is None else str(path.value)
    indices: list[Any] = []
    for key, names in (("rowIndex", rows), ("columnIndex", columns)):
        index = well.required(key, "an integer", f"plate-well-{key}")
        valid = index is not None and index.at_least(0, f"plate-well-{key}")
        if valid and index is not None and index.value >= len(names):
            index.error(
                f"plate-well-{key}", f"{index.shown} is none of the {len(names)} that are listed"
            )
            valid = False
        indices.append(names[int(index.value)] if valid and index is not None else None)
    if path is None or not path.matches(_WELL_PATH, "ROW/COLUMN, such as A/1", "plate-well-path"):
        return None
    row, column = path.value.split("/")
    for name, listed, what in ((row, rows, "rows"), (column, columns, "columns")):
        if name not in listed:
            path.error("plate-well-known", f"{name!r} must be one of the {what} that are listed")
    if None not in indices and f"{indices[0]}/{indices[1]}" != path.value:
        well.error(
            "plate-well-index",
            f"the indices mean {indices[0]}/{indices[1]} and the path is {path.value}; they must "
            "be of one well",
        )
    return str(path.value)


def check_well(ome: Spot, version: str) -> None:
    """Check the key ``well``."""
    well = ome.required("well", "an object", "well")
    if well is None:
        return
    _check_version(well, version)
    images = well.required("images", "a list", "well-images")
    if images is None:
        return
    images.not_empty("well-images")
    images.unique("well-images-unique")
    seen: set[str] = set()
    for image in images.objects("well-image"):
        acquisition = image.optional("acquisition", "an integer", "well-image-acquisition")
        del acquisition
        path = image.required("path", "a string", "well-image-path")
        if path is None:
            continue
        if version >= "0.6":
            what = "letters, digits, '_', '-' and '.', not dots only, nor begin with '__'"
            path.matches(_FIELD_06, what, "well-image-path")
        else:
            path.matches(_NAME, "letters and digits only", "well-image-path")
        if path.value in seen:
            path.error("well-image-unique", f"the field {path.shown} is listed twice")
        seen.add(path.value)


def check_layout(ome: Spot) -> None:
    """Check the key ``bioformats2raw.layout``."""
    key = "bioformats2raw.layout"
    layout = ome.at(key, ome.get(key))
    if not is_integer(layout.value) or layout.value != 3:
        layout.error("bioformats2raw-layout", f"{layout.shown} must be 3")


def check_series(ome: Spot) -> None:
    """Check the key ``series`` of the group ``OME``."""
    series = ome.required("series", "a list", "series")
    if series is not None:
        for path in series.items():
            path.is_a("a string", "series-path")
