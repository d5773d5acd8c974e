"""Valid attributes of every kind and version, to be broken by the tests."""

from __future__ import annotations

import copy
from typing import Any

WINDOW = {"min": 0, "max": 255, "start": 10, "end": 200}
OMERO = {"channels": [{"color": "00FF00", "window": WINDOW, "label": "GFP", "active": True}]}
AXES = [
    {"name": "t", "type": "time", "unit": "second"},
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


def _steps(factor: float) -> list[dict[str, Any]]:
    return [
        {"type": "scale", "scale": [1.0, 1.0, 2.0, 0.5 * factor, 0.5 * factor]},
        {"type": "translation", "translation": [0.0, 0.0, 0.0, 0.25, 0.25]},
    ]


def _multiscale(version: str) -> dict[str, Any]:
    common = {"name": "image", "type": "mean", "metadata": {"method": "mean", "version": "1"}}
    if version < "0.4":
        found = {**common, "datasets": [{"path": "0"}, {"path": "1"}], "version": version}
        return {**found, "axes": ["t", "c", "z", "y", "x"]} if version == "0.3" else found
    datasets = [
        {"path": "0", "coordinateTransformations": _steps(1)},
        {"path": "1", "coordinateTransformations": _steps(2)},
    ]
    found = {**common, "axes": AXES, "datasets": datasets, "coordinateTransformations": _steps(1)}
    return {**found, "version": "0.4"} if version == "0.4" else found


def _ends(source: str, target: str, key: str = "path") -> dict[str, Any]:
    return {"input": {key: source}, "output": {"name": target}}


TRANSFORMATIONS: list[dict[str, Any]] = [
    {"type": "identity"},
    {"type": "mapAxis", "mapAxis": [1, 0, 2]},
    {"type": "projectAxis", "droppedInputs": [0]},
    {"type": "scale", "scale": [1, 2, 3]},
    {"type": "translation", "translation": [1, 2, 3]},
    {"type": "affine", "affine": [[1, 0, 0, 5], [0, 1, 0, 5], [0, 0, 1, 5]]},
    {"type": "affine", "path": "matrix"},
    {"type": "rotation", "rotation": [[0, 1], [1, 0]]},
    {"type": "rotation", "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]},
    {
        "type": "bijection",
        "forward": {"type": "scale", "scale": [2, 2]},
        "inverse": {"type": "scale", "scale": [0.5, 0.5]},
    },
    {"type": "sequence", "transformations": [{"type": "identity"}, {"type": "identity"}]},
    {
        "type": "byDimension",
        "transformations": [
            {"transformation": {"type": "identity"}, "inputAxes": [0], "outputAxes": [0]}
        ],
    },
    {"type": "displacements", "path": "field", "interpolation": "linear"},
    {"type": "coordinates", "path": "field"},
]


def _image_06() -> dict[str, Any]:
    first = {"type": "scale", "scale": [1, 1, 2, 0.5, 0.5], **_ends("0", "physical")}
    second = {"type": "sequence", "transformations": _steps(2), **_ends("1", "physical")}
    further = [
        {**step, "input": {"name": "physical"}, "output": {"name": "other"}}
        for step in TRANSFORMATIONS
    ]
    multiscale = {
        "name": "image",
        "type": "mean",
        "metadata": {},
        "coordinateSystems": [
            {"name": "physical", "axes": AXES},
            {"name": "other", "axes": AXES[2:]},
            {"name": "array", "axes": [{"name": n, "type": "array"} for n in ("i", "j")]},
        ],
        "datasets": [
            {"path": "0", "coordinateTransformations": [first]},
            {"path": "1", "coordinateTransformations": [second]},
        ],
        "coordinateTransformations": further,
    }
    return {"version": "0.6", "multiscales": [multiscale], "omero": OMERO}


def _plate(version: str) -> dict[str, Any]:
    plate = {
        "name": "plate",
        "rows": [{"name": "A"}, {"name": "B"}],
        "columns": [{"name": "1"}, {"name": "2"}],
        "wells": [
            {"path": "A/1", "rowIndex": 0, "columnIndex": 0},
            {"path": "B/2", "rowIndex": 1, "columnIndex": 1},
        ],
        "field_count": 2,
        "acquisitions": [
            {"id": 0, "name": "first", "maximumfieldcount": 1, "starttime": 5, "endtime": 9},
            {"id": 1, "name": "second", "maximumfieldcount": 2, "description": "late"},
        ],
    }
    return {**plate, "version": version} if version < "0.5" else plate


def _well(version: str) -> dict[str, Any]:
    well = {"images": [{"path": "0", "acquisition": 0}, {"path": "1", "acquisition": 1}]}
    return {**well, "version": version} if version < "0.5" else well


def _label(version: str) -> dict[str, Any]:
    label = {
        "colors": [
            {"label-value": 1, "rgba": [255, 0, 0, 128]},
            {"label-value": 2, "rgba": [0, 255, 0, 128]},
        ],
        "properties": [{"label-value": 1, "class": "cell"}, {"label-value": 2}],
        "source": {"image": "../../"},
    }
    return {**label, "version": version} if version < "0.5" else label


def _scene() -> dict[str, Any]:
    ends = {"input": {"name": "a", "path": "one"}, "output": {"name": "b", "path": "two"}}
    return {
        "coordinateSystems": [{"name": "world", "axes": AXES[2:]}],
        "coordinateTransformations": [{**step, **ends} for step in TRANSFORMATIONS],
    }


def valid_attributes(version: str, kind: str) -> dict[str, Any]:
    """Return attributes that are valid and warn of nothing."""
    keys: dict[str, Any]
    match kind:
        case "image" if version == "0.6":
            keys = _image_06()
        case "image":
            keys = {"multiscales": [_multiscale(version)], "omero": OMERO}
        case "plate":
            keys = {"plate": _plate(version)}
        case "well":
            keys = {"well": _well(version)}
        case "label":
            keys = {"image-label": _label(version)}
        case "bf2raw":
            keys = {"bioformats2raw.layout": 3}
        case "ome":
            keys = {"series": ["0", "1"]}
        case _:
            keys = {"scene": _scene()}
    found = copy.deepcopy(keys)
    return {"ome": {**found, "version": version}} if version >= "0.5" else found


CASES = [
    *((version, kind) for version in ("0.1", "0.2", "0.3") for kind in ("image", "plate", "well")),
    *((version, kind) for version in ("0.4", "0.5", "0.6")
      for kind in ("image", "plate", "well", "label", "bf2raw", "ome")),
    ("0.6", "scene"),
]  # fmt: skip
