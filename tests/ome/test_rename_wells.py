"""Renaming many wells: whole plans, swaps and chains, checked before anything changes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anyzarr
from anyzarr import open_ome_zarr
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError

WELLS = ["A/1", "A/2", "B/1", "B/2"]


def make_plate(location: Any) -> Any:
    with open_ome_zarr(location, layout="hcs", mode="w", axes="yx") as plate:
        spots = [(*well.split("/"), "0") for well in WELLS]
        positions = plate.create_positions(spots, shape=(4, 4), dtype="uint8")
        for number, position in enumerate(positions):
            position.data[...] = number
    return location


def contents(location: Any) -> dict[str, int]:
    plate = open_ome_zarr(location)
    metadata = plate.metadata
    for well in metadata.wells:
        assert metadata.row_names[well.row_index] == well.row
        assert metadata.column_names[well.column_index] == well.column
    return {path[:-2]: int(position.data[0, 0]) for path, position in plate.positions()}


def expected(names: dict[str, str]) -> dict[str, int]:
    return {names.get(well, well): number for number, well in enumerate(WELLS)}


PLANS = [
    {"A/1": "C/1"},
    {"A/1": "B/2", "B/2": "A/1"},
    {"A/1": "A/2", "A/2": "B/1", "B/1": "B/2", "B/2": "A/1"},
    {"B/2": "B/3", "B/1": "B/2", "A/2": "A/3", "A/1": "A/2"},
    {"A/1": "B/1", "B/1": "A/1", "A/2": "C/4"},
    {"A/1": "A/1"},
    {},
]


@pytest.mark.parametrize("names", PLANS, ids=str)
@pytest.mark.parametrize("local", [True, False])
def test_wells_take_their_new_names(names: dict[str, str], local: bool, tmp_path: Path) -> None:
    location: Any = make_plate(tmp_path / "p.zarr" if local else {})
    plate = open_ome_zarr(location, mode="r+")
    before = plate.metadata
    moves = plate.rename_wells(names)
    assert contents(location) == expected(names)
    assert plate.metadata.wells == open_ome_zarr(location).metadata.wells
    if set(names) == set(names.values()):
        assert plate.metadata.row_names == before.row_names
        assert plate.metadata.column_names == before.column_names
    assert len({new for _, new in moves}) == len(moves)
    if local:
        assert not list(Path(location).glob("**/*to*"))
        assert not list(Path(location).glob(".anyzarr*"))
        assert anyzarr.validate(location).valid


PLACES = [f"{row}/{column}" for row in "ABC" for column in "123"]


@given(st.permutations(PLACES), st.sets(st.sampled_from(WELLS), min_size=1))
def test_any_permutation_gives_what_it_says(places: list[str], moved: set[str]) -> None:
    kept = set(WELLS) - moved
    free = (place for place in places if place not in kept)
    names = dict(zip(sorted(moved), free, strict=False))
    store = make_plate({})
    open_ome_zarr(store, mode="r+").rename_wells(list(names.items()))
    assert contents(store) == expected(names)
    assert not [key for key in store if "to" in key]


def test_declared_rows_and_columns_stay_and_emptied_ones_at_the_end_go() -> None:
    store: dict[str, bytes] = {}
    with open_ome_zarr(store, layout="hcs", mode="w", axes="yx") as plate:
        plate.create_position("A", "1", "0", 0, 0)
        plate.create_position("A", "2", "0", 0, 1)
        plate.create_position("H", "12", "0", 7, 11)
    plate = open_ome_zarr(store, mode="r+")
    plate.rename_wells({"A/1": "A/2", "A/2": "A/1"})
    assert (len(plate.metadata.rows), len(plate.metadata.columns)) == (8, 12)
    plate.rename_wells({"H/12": "B/2", "A/2": "B/1"})
    assert plate.metadata.row_names[:2] == ["A", "B"]
    assert "H" not in plate.metadata.row_names
    assert "12" not in plate.metadata.column_names


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        ([("A/1", "B/1")], NodeExistsError, "B/1"),
        ([("A/1", "C/1"), ("A/2", "C/1")], NodeExistsError, "different names"),
        ([("A/1", "C/1"), ("A/1", "C/2")], MetadataError, "twice"),
        ([("A/1", "C/1"), ("Q/1", "C/2")], NodeNotFoundError, "Q/1"),
        ([("A/1", "C/1"), ("A/2", "C")], MetadataError, "'C'"),
        ([("A/1", "C/1"), ("A/2", "C/x y")], MetadataError, "x y"),
        ([("A/1", "C/1"), ("A/2", "c/2")], MetadataError, "upper and lower"),
        ([("A/1", "C/1"), ("A/2", "A/9")], NodeExistsError, "A/9"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("local", [True, False])
def test_nothing_is_changed_where_one_is_refused(
    names: Any, error: type[Exception], words: str, dry_run: bool, local: bool, tmp_path: Path
) -> None:
    location: Any = make_plate(tmp_path / "p.zarr" if local else {})
    # Something that the plate does not name is where a well would go.
    anyzarr.create_array(location, name="A/9", data=np.ones(3))
    before = snapshot(location)
    with pytest.raises(error, match=words):
        open_ome_zarr(location, mode="r+").rename_wells(names, dry_run=dry_run)
    assert snapshot(location) == before


def snapshot(location: Any) -> dict[str, bytes]:
    if isinstance(location, dict):
        return dict(location)
    files = (path for path in location.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def test_dry_run_tells_the_moves_and_makes_none() -> None:
    store = make_plate({})
    before = dict(store)
    moves = open_ome_zarr(store, mode="r+").rename_wells({"A/1": "B/2", "B/2": "A/1"}, dry_run=True)
    assert moves == [
        ("A/1", "A/1toB2"), ("B/2", "B/2toA1"), ("A/1toB2", "B/2"), ("B/2toA1", "A/1"),
    ]  # fmt: skip
    assert store == before


def test_a_plate_is_valid_after_every_write() -> None:
    class Watched(dict[str, bytes]):
        n = 0

        def __setitem__(self, key: str, value: bytes) -> None:
            super().__setitem__(key, value)
            self.check()

        def pop(self, *arguments: Any) -> Any:
            value = super().pop(*arguments)
            self.check()
            return value

        def check(self) -> None:
            self.n += 1
            found = contents(dict(self))
            assert sorted(found.values()) == [0, 1, 2, 3]

    store = Watched(make_plate({}))
    open_ome_zarr(store, mode="r+").rename_wells({"A/1": "B/2", "B/2": "A/1", "A/2": "C/7"})
    assert store.n > 10
    assert contents(store) == expected({"A/1": "B/2", "B/2": "A/1", "A/2": "C/7"})


def test_many_wells_write_the_plate_twice_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    from anyzarr import crud

    calls = itertools.count()
    real = crud.update_attributes

    def counted(*arguments: Any, **keywords: Any) -> Any:
        next(calls)
        return real(*arguments, **keywords)

    store: dict[str, bytes] = {}
    with open_ome_zarr(store, layout="hcs", mode="w", axes="yx") as plate:
        plate.create_positions([("A", str(i), "0") for i in range(50)])
    monkeypatch.setattr(crud, "update_attributes", counted)
    plate = open_ome_zarr(store, mode="r+")
    plate.rename_wells({f"A/{i}": f"A/{i + 1}" for i in range(50)})
    assert next(calls) == 2
    assert len(plate.metadata.wells) == 50
