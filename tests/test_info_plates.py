"""``anyzarr.info`` of plates, wells and series: the first image stands for all, or each is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._info import ImageInfo, PlateInfo, SeriesInfo, WellInfo, info, tree
from anyzarr.errors import StoreError, UnsupportedError
from anyzarr.stores import MemoryStore

SPOTS = [("A", "1", "0"), ("A", "3", "0"), ("A", "3", "1"), ("C", "2", "0")]


def make_plate(location: Any, spots: Any = SPOTS, **options: Any) -> Any:
    with anyzarr.open_ome_zarr(
        location, layout="hcs", mode="w", axes="cyx", channel_names=["DAPI", "GFP"], **options
    ) as plate:
        indexed = [(r, c, f, "ABCDEFGH".index(r), int(c) - 1) for r, c, f in spots]
        plate.create_positions(indexed, shape=(2, 64, 48), dtype="uint16", scale=(1, 0.5, 0.5))
    return location


def change(store: dict[str, bytes], key: str, **entries: Any) -> None:
    store[key] = json.dumps({**json.loads(store[key]), **entries}).encode()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_plate(tmp_path: Path, version: str) -> None:
    make_plate(tmp_path / "my.zarr", version=version)
    facts = info(tmp_path / "my.zarr")
    assert isinstance(facts, PlateInfo)
    assert (facts.kind, facts.version, facts.name) == ("plate", version, "my")
    assert (facts.rows, facts.columns) == (("A", "B", "C"), ("1", "2", "3"))
    assert [(w.path, w.row, w.column, w.n_fields) for w in facts.wells] == [
        ("A/1", "A", "1", None), ("A/3", "A", "3", None), ("C/2", "C", "2", None),
    ]  # fmt: skip
    assert facts.field_count == 2
    assert facts.positions is None
    assert isinstance(facts.image, ImageInfo)
    assert facts.image.path == "A/1/0"
    assert [c.name for c in facts.image.channels] == ["DAPI", "GFP"]
    assert facts.image.axes[1].scale == 0.5
    assert json.loads(json.dumps(facts.to_dict()))["wells"][2]["path"] == "C/2"


def test_every_position() -> None:
    facts = info(make_plate({}), positions=True)
    assert isinstance(facts, PlateInfo)
    assert facts.positions is not None
    assert [p.path for p in facts.positions] == ["A/1/0", "A/3/0", "A/3/1", "C/2/0"]
    assert [w.n_fields for w in facts.wells] == [1, 2, 1]
    assert {(p.shape, p.dtype, p.n_levels, p.differs, p.error) for p in facts.positions} == {
        ((2, 64, 48), "uint16", 1, (), None)
    }
    assert facts.positions[0].channels == ("DAPI", "GFP")


def test_what_differs_from_the_first_is_said() -> None:
    store = make_plate({})
    change(store, "A/3/0/0/zarr.json", shape=[2, 64, 40])
    change(store, "A/3/1/0/zarr.json", data_type="int16")
    anyzarr.open_ome_zarr(store, mode="r+")["C/2/0"].rename_channel("GFP", "RFP")
    positions = info(store, positions=True).positions
    assert positions is not None
    assert [p.differs for p in positions] == [(), ("shape",), ("dtype",), ("channels",)]


def test_members_that_cannot_be_read_are_told_and_the_others_too() -> None:
    store = make_plate({})
    store["A/1/0/zarr.json"] = b"{"
    del store["A/3/1/0/zarr.json"]
    del store["C/2/zarr.json"]
    facts = info(store, positions=True)
    assert isinstance(facts, PlateInfo)
    assert facts.positions is not None
    told = {p.path: p for p in facts.positions}
    assert list(told) == ["A/1/0", "A/3/0", "A/3/1", "C/2"]
    assert told["A/3/0"].error is None
    assert told["A/3/0"].differs == ()
    assert "JSON" in str(told["A/1/0"].error)
    assert "A/3/1/0" in str(told["A/3/1"].error)
    assert "C/2" in str(told["C/2"].error)
    assert [w.n_fields for w in facts.wells] == [1, 2, None]
    assert facts.image is not None
    assert facts.image.path == "A/3/0"
    assert any("A/1/0" in note for note in facts.notes)


def test_members_of_equal_documents_are_told_apart() -> None:
    store = make_plate({})
    document = json.loads(store["A/1/0/zarr.json"])
    document["attributes"]["ome"]["multiscales"][0]["datasets"] = []
    for position in ("A/1/0", "A/3/0"):
        store[f"{position}/zarr.json"] = json.dumps(document).encode()
    del store["A/3/1/0/zarr.json"], store["C/2/0/0/zarr.json"]
    positions = info(store, positions=True).positions
    assert positions is not None
    assert all(p.error for p in positions)
    assert "A/3/1/0" in str(positions[2].error)
    assert "C/2/0/0" in str(positions[3].error)


def test_wells_and_positions_without_data() -> None:
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, layout="hcs", mode="w", axes="yx") as plate:
        plate.create_well("A", "1")
        plate.create_position("A", "2", "0")
        plate.create_position("A", "3", "0").create_image("0", np.ones((8, 8), "uint8"))
    facts = info(store, positions=True)
    assert isinstance(facts, PlateInfo)
    assert facts.image is not None
    assert facts.image.path == "A/3/0"
    assert facts.positions is not None
    assert [(p.path, p.shape, p.error, p.differs) for p in facts.positions] == [
        ("A/2/0", None, None, ()), ("A/3/0", (8, 8), None, ()),
    ]  # fmt: skip
    assert [w.n_fields for w in facts.wells] == [0, 1, 1]


def test_plate_without_wells() -> None:
    store: dict[str, bytes] = {}
    anyzarr.create_group(store, attributes={"ome": {"version": "0.5", "plate": {"wells": []}}})
    facts = info(store, positions=True)
    assert isinstance(facts, PlateInfo)
    assert (facts.wells, facts.rows, facts.positions, facts.image) == ((), (), (), None)


class Counting(dict[str, bytes]):
    """Counts the objects asked for."""

    n_read = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.n_read += 1
        return super().get(key, default)

    def __getitem__(self, key: str) -> bytes:
        self.n_read += 1
        return super().__getitem__(key)


def n_read(n_wells: int, **options: Any) -> int:
    spots = [("A", str(i + 1), "0") for i in range(n_wells)]
    store = Counting(make_plate({}, spots))
    info(store, **options)
    return store.n_read


def test_a_large_plate_costs_no_more_reads_than_a_small_one() -> None:
    assert n_read(400) == n_read(20) > 0
    assert n_read(40, positions=True) > n_read(20, positions=True)


def test_unknown_engine_is_refused() -> None:
    with pytest.raises(UnsupportedError) as caught:
        info(make_plate({}), engine="nonsense")
    assert caught.value.kind == "unknown_engine"


def test_well() -> None:
    store = make_plate({})
    facts = info(store, path="A/3")
    assert isinstance(facts, WellInfo)
    assert (facts.name, facts.images, facts.positions) == ("A/3", ("0", "1"), None)
    assert facts.image is not None
    assert facts.image.path == "A/3/0"
    positions = info(store, path="A/3", positions=True).positions
    assert positions is not None
    assert [(p.path, p.shape) for p in positions] == [("0", (2, 64, 48)), ("1", (2, 64, 48))]


def test_series() -> None:
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, layout="bf2raw", mode="w", axes="yx") as series:
        for size in (8, 12):
            series.create_image(np.ones((size, size), "uint8"))
    facts = info(store, positions=True)
    assert isinstance(facts, SeriesInfo)
    assert (facts.images, facts.has_ome_xml) == (("0", "1"), False)
    assert facts.positions is not None
    assert [(p.shape, p.differs) for p in facts.positions] == [
        ((8, 8), ()), ((12, 12), ("shape",)),
    ]  # fmt: skip
    anyzarr.open_ome_zarr(store, mode="r+").write_ome_xml("<OME/>")
    assert info(store).has_ome_xml


def test_series_on_a_server_that_does_not_say_what_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, layout="bf2raw", mode="w", axes="yx") as series:
        series.create_image(np.ones((8, 8), "uint8"))

    def refuse(self: object, key: str) -> None:
        raise StoreError(f"403 for {key}")

    monkeypatch.setattr(MemoryStore, "head", refuse)
    facts = info(store)
    assert isinstance(facts, SeriesInfo)
    assert facts.has_ome_xml is None
    assert any("OME-XML" in note for note in facts.notes)
    assert facts.image is not None


def test_tree_says_what_each_group_is() -> None:
    store = make_plate({}, SPOTS[:1])
    position = anyzarr.open_ome_zarr(store, mode="r+")["A/1/0"]
    position.create_label("cells", np.ones((64, 48), "uint8"))
    kinds = {node.path: node.ome_kind for node in tree(store).walk() if node.kind == "group"}
    assert kinds == {
        "": "plate",
        "A": None,
        "A/1": "well",
        "A/1/0": "image",
        "A/1/0/labels": "labels",
        "A/1/0/labels/cells": "label image",
    }
