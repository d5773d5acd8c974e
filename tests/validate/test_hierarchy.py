"""Hierarchies as they are stored: every group and array that the metadata names."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr import crud
from anyzarr.stores import MemoryStore

from ._documents import valid_attributes

UNITS = [
    {"name": "c", "type": "channel"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


def write_image(store: Any, path: str = "", *, version: str = "0.5", dtype: str = "uint16") -> None:
    """Write an image of two levels below a path, with all that should be there."""
    zarr_format = 3 if version >= "0.5" else 2
    rng = np.random.default_rng(3)
    data = rng.integers(0, 900, (2, 64, 48)).astype(dtype)
    small = data[:, ::2, ::2]
    names = ["c", "y", "x"] if zarr_format == 3 else None
    for level, values in enumerate((data, small)):
        extra = {"chunk_key_encoding": {"name": "v2", "separator": "/"}} if zarr_format == 2 else {}
        array = anyzarr.create_array(
            store, name=f"{path}/{level}".strip("/"), shape=values.shape, dtype=dtype,
            chunks=(1, 16, 16), dimension_names=names, zarr_format=zarr_format, **extra,
        )  # fmt: skip
        array[:] = values
    scales = [[1.0, 0.5, 0.5], [1.0, 1.0, 1.0]]
    multiscale = {
        "name": "n", "type": "nearest", "metadata": {}, "axes": UNITS,
        "datasets": [
            {"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": s}]}
            for i, s in enumerate(scales)
        ],
    }  # fmt: skip
    window = {"min": 0, "max": 900, "start": 0, "end": 900}
    omero = {"channels": [{"color": "00FF00", "window": window} for _ in range(2)]}
    keys: dict[str, Any] = {"multiscales": [multiscale], "omero": omero}
    write_group(store, path, keys, version)


def write_group(store: Any, path: str, keys: dict[str, Any], version: str = "0.5") -> None:
    if version >= "0.5":
        attributes = {"ome": {"version": version, **keys}}
        document = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    else:
        for value in keys.get("multiscales", []):
            value["version"] = version
        document = {"zarr_format": 2, "attributes": keys}
    crud.write_metadata(document, store, path)


def write_labels(store: Any, image: str = "", dtype: str = "uint16") -> None:
    prefix = f"{image}/" if image else ""
    write_group(store, f"{prefix}labels", {"labels": ["cells"]})
    path = f"{prefix}labels/cells"
    write_image(store, path, dtype=dtype)
    change(store, path, lambda ome: ome.update({"image-label": _label()}))
    change(store, path, lambda ome: ome.pop("omero"))


def _label() -> dict[str, Any]:
    return {"colors": [{"label-value": 1, "rgba": [1, 2, 3, 4]}], "source": {"image": "../../"}}


def write_plate(store: Any) -> None:
    plate = copy.deepcopy(valid_attributes("0.5", "plate")["ome"])
    plate.pop("version")
    write_group(store, "", plate)
    for row, column in (("A", "1"), ("B", "2")):
        images = [{"path": "0", "acquisition": 0}, {"path": "1", "acquisition": 1}]
        write_group(store, row, {})
        write_group(store, f"{row}/{column}", {"well": {"images": images}})
        for field in ("0", "1"):
            write_image(store, f"{row}/{column}/{field}")


def change(store: Any, path: str, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Edit the OME-Zarr metadata of a group."""
    document = crud.read_metadata(store, path)
    attributes = document["attributes"]
    edit(attributes.get("ome", attributes))
    crud.write_metadata(document, store, path)


def edit_array(store: Any, path: str, **fields: Any) -> None:
    document = crud.read_metadata(store, path)
    document.update(fields)
    crud.write_metadata(document, store, path)


def rules(report: anyzarr.ome.Image | Any) -> set[tuple[str, str]]:
    return {(error.path, error.rule) for error in report.errors}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_whole_image_is_valid_and_warns_of_nothing(version: str) -> None:
    store = MemoryStore()
    write_image(store, version=version)
    report = anyzarr.validate(store, deep=True)
    assert (report.errors, report.warnings) == ((), ())
    assert (report.version, report.kinds) == (version, ("image",))
    assert (report.n_nodes, report.n_chunks) == (3, 2 * 4 * 3 + 2 * 2 * 2)


def test_a_whole_plate_with_labels_is_valid() -> None:
    store = MemoryStore()
    write_plate(store)
    write_labels(store, "A/1/0")
    report = anyzarr.validate(store, deep=True)
    assert (report.errors, report.warnings) == ((), ())
    assert report.kinds == ("plate",)
    assert report.n_nodes == 1 + 2 + 4 * 3 + 1 + 3


def drop_level(store: Any) -> None:
    crud.delete_node(store, "1")


def group_for_level(store: Any) -> None:
    drop_level(store)
    write_group(store, "1", {})


IMAGE_FAULTS: list[tuple[str, Callable[[Any], Any]]] = [
    ("level-missing", drop_level),
    ("level-array", group_for_level),
    ("level-unreadable", lambda store: store.put("1/zarr.json", b"{nonsense")),
    ("dimension-names", lambda store: edit_array(store, "1", dimension_names=["c", "x", "y"])),
    ("dimension-names", lambda store: edit_array(store, "0", dimension_names=None)),
    ("levels-order", lambda s: change(s, "", lambda o: o["multiscales"][0]["datasets"].reverse())),
    ("no-metadata", lambda store: write_group(store, "", {})),
    ("version", lambda s: change(s, "", lambda o: o.update(version="0.9"))),
]


@pytest.mark.parametrize(("rule", "break_it"), IMAGE_FAULTS)
def test_faults_of_images(rule: str, break_it: Callable[[Any], Any]) -> None:
    store = MemoryStore()
    write_image(store)
    break_it(store)
    report = anyzarr.validate(store)
    assert not report.valid
    assert ("", rule) in rules(report)


def test_version_05_is_zarr_v3() -> None:
    store = MemoryStore()
    write_image(store, version="0.4")
    before = crud.read_metadata(store, "")["attributes"]
    for key in (".zgroup", ".zattrs"):
        store.delete(key)
    before["multiscales"][0].pop("version")
    write_group(store, "", before)
    assert ("", "zarr-format") in rules(anyzarr.validate(store))


def test_number_of_dimensions_is_that_of_the_axes() -> None:
    store = MemoryStore()
    write_image(store)
    crud.delete_node(store, "1")
    anyzarr.create_array(store, name="1", shape=(2, 2), dtype="uint16", dimension_names=["y", "x"])
    assert {("", "level-ndim"), ("", "dimension-names")} <= rules(anyzarr.validate(store))


LABEL_FAULTS: list[tuple[str, str, Callable[[Any], Any]]] = [
    ("labels", "label-missing", lambda s: crud.delete_node(s, "labels/cells")),
    ("labels", "label-kind", lambda s: change(s, "labels/cells", lambda o: o.pop("multiscales"))),
    ("labels", "labels", lambda s: change(s, "labels", lambda o: o.pop("labels"))),
    ("labels/cells", "label-dtype", lambda s: write_labels(s, dtype="float32")),
    (
        "labels",
        "label-levels",
        lambda s: change(s, "labels/cells", lambda o: o["multiscales"][0]["datasets"].pop()),
    ),
    (
        "labels/cells",
        "image-label-source",
        lambda s: change(
            s, "labels/cells", lambda o: o["image-label"]["source"].update(image="../nothing")
        ),
    ),
]


@pytest.mark.parametrize(("path", "rule", "break_it"), LABEL_FAULTS)
def test_faults_of_labels(path: str, rule: str, break_it: Callable[[Any], Any]) -> None:
    store = MemoryStore()
    write_image(store)
    write_labels(store)
    assert anyzarr.validate(store).valid
    if rule == "label-dtype":
        crud.delete_node(store, "labels")
    break_it(store)
    assert (path, rule) in rules(anyzarr.validate(store))


def test_a_label_that_is_not_listed_is_warned_of() -> None:
    store = MemoryStore()
    write_image(store)
    write_labels(store)
    change(store, "labels", lambda ome: ome.update(labels=[]))
    assert [w.rule for w in anyzarr.validate(store).warnings] == ["labels-listed"]


PLATE_FAULTS: list[tuple[str, str, Callable[[Any], Any]]] = [
    ("", "plate-well-missing", lambda s: crud.delete_node(s, "B/2")),
    ("", "plate-well-kind", lambda s: change(s, "B/2", lambda o: o.pop("well"))),
    ("", "plate-well-unreadable", lambda s: s.put("B/2/zarr.json", b"[")),
    ("B/2", "well-image-missing", lambda s: crud.delete_node(s, "B/2/1")),
    ("B/2/1", "level-missing", lambda s: crud.delete_node(s, "B/2/1/0")),
    (
        "B/2",
        "well-image-acquisition",
        lambda s: change(s, "B/2", lambda o: o["well"]["images"][1].update(acquisition=7)),
    ),
    (
        "B/2",
        "well-image-acquisition",
        lambda s: change(s, "B/2", lambda o: o["well"]["images"][1].pop("acquisition")),
    ),
    (
        "A/1/0",
        "version-consistent",
        lambda s: change(s, "A/1/0", lambda o: o.update(version="0.6")),
    ),
]


@pytest.mark.parametrize(("path", "rule", "break_it"), PLATE_FAULTS)
def test_faults_of_plates(path: str, rule: str, break_it: Callable[[Any], Any]) -> None:
    store = MemoryStore()
    write_plate(store)
    break_it(store)
    assert (path, rule) in rules(anyzarr.validate(store))


@pytest.mark.parametrize("listed", [True, False])
def test_every_image_of_a_series_is_looked_at(listed: bool) -> None:
    store = MemoryStore()
    write_group(store, "", {"bioformats2raw.layout": 3})
    for number in range(3):
        write_image(store, str(number))
    if listed:
        write_group(store, "OME", {"series": ["2", "0", "1"]})
    report = anyzarr.validate(store)
    assert report.valid
    assert report.n_nodes == 1 + 9 + listed
    crud.delete_node(store, "2/1")
    assert ("2", "level-missing") in rules(anyzarr.validate(store))


def test_an_array_or_nothing_is_no_image() -> None:
    store = MemoryStore()
    with pytest.raises(anyzarr.NodeNotFoundError):
        anyzarr.validate(store)
    anyzarr.create_array(store, shape=(2, 2), dtype="uint8")
    assert rules(anyzarr.validate(store)) == {("", "group")}


def test_folders_archives_and_servers_are_judged_alike(tmp_path: Path, web: str) -> None:
    folder = tmp_path / "a.zarr"
    write_image(anyzarr.stores.LocalStore(str(folder)))
    crud.delete_node(anyzarr.stores.LocalStore(str(folder)), "1")
    archive = tmp_path / "a.ozx"
    anyzarr.convert(folder, archive)
    expected = {("", "level-missing")}
    for place in (folder, archive, f"{web}/a.zarr"):
        assert rules(anyzarr.validate(place)) == expected


def test_reports_are_json() -> None:
    store = MemoryStore()
    write_image(store)
    drop_level(store)
    document = json.loads(json.dumps(anyzarr.validate(store).to_dict()))
    assert document["valid"] is False
    assert document["errors"][0]["rule"] == "level-missing"
    assert document["errors"][0]["where"] == "ome.multiscales[0].datasets[1]"
