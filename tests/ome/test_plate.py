"""Plates: made, read, changed, renamed, merged."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr import crud, open_ome_zarr
from anyzarr.errors import (
    MetadataError,
    NodeExistsError,
    NodeNotFoundError,
    ReadOnlyError,
    UnsupportedError,
)
from anyzarr.ome import Image, Plate, Position, Row, Well
from anyzarr.stores import MemoryStore, open_store

SPOTS = [("A", "1", "0"), ("A", "1", "1"), ("A", "02", "0"), ("B", "1", "0")]
PATHS = ["/".join(spot) for spot in SPOTS]
IMAGE = {"shape": (2, 8, 8), "dtype": "uint16"}


def new_plate(location, **options):
    return open_ome_zarr(
        location, layout="hcs", mode="w-", axes="cyx", channel_names=["a", "b"], **options
    )


def a_plate(location, **options):
    with new_plate(location, **options) as plate:
        for i, position in enumerate(plate.create_positions(SPOTS)):
            position.create_image("0", np.full((2, 8, 8), i, "uint16"), scale=(1, 0.5, 0.5))
    return location


def ome(path):
    attributes = json.loads(Path(path, "zarr.json").read_text())["attributes"]
    return attributes["ome"]


@pytest.fixture(params=["memory", "local", "s3"])
def location(request, tmp_path):
    """Location and options of a store."""
    if request.param == "memory":
        return {}, {}
    if request.param == "local":
        return tmp_path / "plate.zarr", {}
    s3 = request.getfixturevalue("s3")
    return f"s3://{s3.new_bucket()}/a/plate.zarr", s3.options


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_is_read_as_written(location, version):
    where, options = location
    a_plate(where, version=version, **options)
    plate = open_ome_zarr(where, **options)
    assert isinstance(plate, Plate)
    assert plate.version == version
    assert [path for path, _ in plate.positions()] == PATHS
    assert [path for path, _ in plate.wells()] == ["A/1", "A/02", "B/1"]
    assert [name for name, _ in plate.rows()] == list(plate) == ["A", "B"]
    for i, (path, position) in enumerate(plate.positions()):
        assert isinstance(position, Position)
        assert isinstance(position, Image)
        assert f"{position.row}/{position.column}/{position.fov}" == path
        assert position.well == path.rpartition("/")[0]
        assert position.plate is plate
        assert (position.data[...] == i).all()
        assert position.scale == [1, 0.5, 0.5]
    assert plate.channel_names == ["a", "b"]
    assert plate.axis_names == ["c", "y", "x"]
    assert plate.metadata.field_count == 2
    assert [a.id for a in plate.metadata.acquisitions] == [0]


def test_what_is_at_a_path():
    plate = open_ome_zarr(a_plate({}))
    assert isinstance(plate["A"], Row)
    assert isinstance(plate["/A/1/"], Well)
    assert isinstance(plate["A/1/1"], Position)
    assert plate["A/1/1/0"].shape == (2, 8, 8)
    assert [name for name, _ in plate["A/1"].positions()] == ["0", "1"] == list(plate["A/1"])
    assert plate["A"]["1"]["1"].fov == "1"
    assert [name for name, _ in plate["A"].wells()] == ["1", "02"]
    assert [path for path, _ in plate["A"].positions()] == PATHS[:3]
    assert "A/1/1" in plate
    assert "C" not in plate
    assert "1" in plate["A/1"]
    with pytest.raises(NodeNotFoundError):
        plate["C/1/0"]
    with pytest.raises(KeyError):
        plate["A/1"]["7"]
    assert "A/" in str(plate.tree())
    assert "wells=3" in repr(plate)


def test_a_well_by_itself(tmp_path):
    a_plate(tmp_path / "p.zarr")
    with open_ome_zarr(tmp_path / "p.zarr" / "A" / "1", mode="r+") as well:
        assert isinstance(well, Well)
        assert well.column == "1"
        assert well.row is None
        position = well.create_position("2", shape=(8, 8), dtype="u1")
        assert (position.row, position.well, position.plate) == (None, None, None)
        with pytest.raises(NodeExistsError):
            well.create_position("2")
    plate = open_ome_zarr(tmp_path / "p.zarr")
    assert [name for name, _ in plate["A/1"].positions()] == ["0", "1", "2"]


def test_rows_and_wells_create_too():
    plate = new_plate({})
    plate.create_well("B", "2")
    plate["B"].create_well("3")
    plate["B"].create_position("2", "0", **IMAGE)
    plate["B/3"].create_position("5", acquisition=1, **IMAGE)
    assert [path for path, _ in plate.positions()] == ["B/2/0", "B/3/5"]
    assert [a.id for a in plate.metadata.acquisitions] == [0, 1]
    assert plate["B/3"].metadata.images[0].acquisition == 1
    assert plate["B/3/5"].channel_names == ["a", "b"]
    with pytest.raises(NodeExistsError):
        plate.create_well("B", "2")


def test_positions_do_not_share_channels():
    plate = new_plate({})
    first, second = plate.create_positions([("A", "1", "0"), ("A", "2", "0")])
    names = plate.channel_names
    names.append("mine")
    first.channel_names.append("more")
    assert second.channel_names == plate.channel_names == ["a", "b"]
    first.create_image("0", np.zeros((2, 8, 8), "u1"))
    assert second.channel_names == ["a", "b"]


def test_new_positions_are_like_the_first():
    store = a_plate({})
    plate = open_ome_zarr(store, mode="r+")
    position = plate.create_position("C", "3", "0")
    position.create_image("0", np.zeros((2, 4, 4), "u1"))
    assert position.channel_names == ["a", "b"]
    assert position.axis_names == ["c", "y", "x"]


def test_indices_are_places_in_the_lists():
    plate = new_plate({})
    plate.create_position("C", "4", "0", 2, 3)
    plate.create_position("A", "1", "0")
    plate.create_position("x7", "5", "0", col_index=6)
    metadata = plate.metadata
    assert metadata.row_names == ["A", "B", "C", "x7"]
    assert metadata.column_names == ["1", "2", "3", "4", "column5", "6", "5"]
    for well in metadata.wells:
        assert metadata.row_names[well.row_index] == well.row
        assert metadata.column_names[well.column_index] == well.column


@pytest.mark.parametrize(
    "spots",
    [
        [("A", "1", "0", 0, 0), ("B", "1", "0", 0, 0)],  # a row's place is taken
        [("A", "1", "0", 0, 0), ("A", "2", "0", 1, 1)],  # a row has another place
        [("A", "1", "0"), ("A", "1", "0")],
        [("A", "b", "0"), ("A", "B", "0")],
        [("a", "1", "0"), ("A", "2", "0")],
        [("A", "1", "x"), ("A", "1", "X")],
        [("A", "1", "0", -1, 0)],
        [("A", "1", "0", 10**9, 0)],
        [("A", "1", "0", 0, 0, -1)],
        [("A", "1", "0", 0.5)],
        [("A", "1")],
        [("A", "1", "0", 0, 0, 0, 0)],
        [("A B", "1", "0")],
        [("A", "1/2", "0")],
        [("A", "1", "..")],
        [("A", "1", "")],
        [("Ä", "1", "0")],
        [("A", 1, "0_1")],
    ],
)
def test_what_no_plate_can_hold(spots):
    store = {}
    plate = new_plate(store)
    before = dict(store)
    with pytest.raises(MetadataError):
        plate.create_positions(spots)
    assert store == before
    assert plate.metadata.wells == ()
    plate.create_positions(SPOTS)
    assert [path for path, _ in plate.positions()] == PATHS


def test_options_are_checked_before_anything_is_written():
    store = {}
    plate = new_plate(store)
    before = dict(store)
    for wrong in ({"shape": (2, 8, 8)}, {"shape": (8, 8), "dtype": "u1"}, {"chunk": 3}):
        with pytest.raises((MetadataError, TypeError)):
            plate.create_positions(SPOTS, **wrong)
    assert store == before


def test_what_is_there_is_not_written_over():
    store = a_plate({})
    plate = open_ome_zarr(store, mode="r+")
    before = dict(store)
    for spot in (("A", "1", "0"), ("A", "1", "1", None, None, 3)):
        with pytest.raises(NodeExistsError) as caught:
            plate.create_positions([("Z", "1", "0"), spot])
        assert caught.value.path == "/".join(spot[:3])
    assert store == before


def test_a_plate_opened_for_reading_is_not_written_to(tmp_path):
    a_plate(tmp_path / "p.zarr")
    plate = open_ome_zarr(tmp_path / "p.zarr")
    for write in (
        lambda: plate.create_position("C", "1", "0"),
        lambda: plate.create_well("C", "1"),
        lambda: plate.rename_well("A/1", "A/3"),
        lambda: plate["A/1"].create_position("7"),
    ):
        with pytest.raises(ReadOnlyError):
            write()


def test_array_options_reach_every_position():
    plate = new_plate({})
    plate.create_positions(
        SPOTS, **IMAGE, name="full/res", chunks=(1, 4, 4), shards=(1, 8, 8), fill_value=7,
        scale=(1, 2, 3), translation=(0, 5, 6), compressor="zstd:3",
    )  # fmt: skip
    for _, position in plate.positions():
        assert position.data.path.endswith("/full/res")
        assert position.data.chunks == (1, 4, 4)
        assert position.data.shards == (1, 8, 8)
        assert (position.data[...] == 7).all()
        assert (position.scale, position.translation) == ([1, 2, 3], [0, 5, 6])
        assert position.channel_names == ["a", "b"]
    assert plate["A/1/1"].name == "1"


def test_what_create_image_writes_is_what_a_batch_writes():
    one, many = {}, {}
    position = new_plate(one).create_position("A", "1", "0")
    position.create_image("0", **IMAGE, scale=(1, 2, 2))
    new_plate(many).create_positions([("A", "1", "0")], **IMAGE, scale=(1, 2, 2))
    assert one == many


# -- what is put off, and what others do -----------------------------------------------------


def wells_on_disk(path):
    return [well["path"] for well in ome(path).get("plate", {"wells": []})["wells"]]


def test_without_a_block_each_call_is_whole(tmp_path):
    plate = new_plate(tmp_path / "p.zarr")
    plate.create_position("A", "1", "0")
    assert wells_on_disk(plate.group.store.spec.root) == ["A/1"]


def test_a_block_writes_the_plate_once(tmp_path, monkeypatch):
    with new_plate(tmp_path / "p.zarr") as plate:
        puts = []
        put = type(plate.store)._put

        def counting(store, key, value, precondition):
            puts.append(key)
            return put(store, key, value, precondition)

        monkeypatch.setattr(type(plate.store), "_put", counting)
        for spot in SPOTS:
            plate.create_position(*spot, **IMAGE)
        assert [well.path for well in plate.metadata.wells] == ["A/1", "A/02", "B/1"]
        assert "zarr.json" not in puts
        plate.flush()
        assert wells_on_disk(tmp_path / "p.zarr") == ["A/1", "A/02", "B/1"]
        plate.create_position("C", "1", "0")
    assert wells_on_disk(tmp_path / "p.zarr") == ["A/1", "A/02", "B/1", "C/1"]
    assert puts.count("zarr.json") == 2


def test_a_failure_in_a_block_keeps_what_was_done(tmp_path):
    def work():
        with new_plate(tmp_path / "p.zarr") as plate:
            plate.create_position("A", "1", "0")
            plate.create_positions([("B", "1", "0"), ("A", "1", "0")])

    with pytest.raises(NodeExistsError):
        work()
    assert wells_on_disk(tmp_path / "p.zarr") == ["A/1"]


def test_what_is_put_off_is_not_put_off_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr("anyzarr.ome._plate_create._FLUSH_SECONDS", 0.0)
    with new_plate(tmp_path / "p.zarr") as plate:
        plate.create_position("A", "1", "0")
        assert wells_on_disk(tmp_path / "p.zarr") == ["A/1"]


def test_two_handles_add_to_one_plate(location):
    where, options = location
    first = new_plate(where, **options)
    second = open_ome_zarr(where, layout="hcs", mode="r+", **options)
    with first, second:
        first.create_position("A", "1", "0", **IMAGE)
        second.create_position("B", "2", "0", **IMAGE)
        second.create_position("A", "2", "0", **IMAGE)
        first.create_position("C", "1", "0", **IMAGE)
    plate = open_ome_zarr(where, **options)
    assert {path for path, _ in plate.positions()} == {"A/1/0", "B/2/0", "A/2/0", "C/1/0"}
    metadata = plate.metadata
    for well in metadata.wells:
        assert metadata.row_names[well.row_index] == well.row
        assert metadata.column_names[well.column_index] == well.column


def test_an_old_handle_does_not_take_what_another_made(tmp_path):
    first = new_plate(tmp_path / "p.zarr")
    second = open_ome_zarr(tmp_path / "p.zarr", layout="hcs", mode="r+")
    with second:
        second.create_position("B", "1", "0")
        first.create_position("A", "1", "0", **IMAGE)
        with pytest.raises(NodeExistsError):
            second.create_position("A", "1", "0")
    assert (first["A/1/0"].data[...] == 0).all()


ADD = """
import sys, anyzarr
with anyzarr.open_ome_zarr(sys.argv[1], mode="r+", layout="hcs") as plate:
    for i in range(12):
        if i % 4 == 0:
            plate.flush()
        plate.create_position(sys.argv[2], str(i + 1), "0", shape=(4, 4), dtype="u1")
        plate.create_position("S", "1", sys.argv[2] + str(i))
"""


def test_processes_add_to_one_plate(tmp_path):
    open_ome_zarr(tmp_path / "p.zarr", layout="hcs", mode="w", axes="yx").close()
    others = [
        subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path / "p.zarr"), row])
        for row in ("A", "B", "C")
    ]
    assert [process.wait() for process in others] == [0, 0, 0]
    plate = open_ome_zarr(tmp_path / "p.zarr")
    found = [path for path, _ in plate.positions()]
    wanted = {f"{row}/{i + 1}/0" for row in "ABC" for i in range(12)}
    shared = {f"S/1/{row}{i}" for row in "ABC" for i in range(12)}
    assert set(found) == wanted | shared
    assert len(found) == 72
    assert plate.metadata.field_count == 36


# -- killed ----------------------------------------------------------------------------------

CREATE = """
import sys, anyzarr
plate = anyzarr.open_ome_zarr(sys.argv[1], mode="r+", layout="hcs")
print("ready", flush=True)
for n in range(1000):
    plate.create_positions(
        [(row, f"{n}x{i}", "0") for row in "ABCD" for i in range(6)], shape=(2, 4, 4), dtype="u1"
    )
"""

RENAME = """
import sys, anyzarr
plate = anyzarr.open_ome_zarr(sys.argv[1], mode="r+")
print("ready", flush=True)
names = ["A/1", "B/7", "A/9", "C/1"]
at = next(i for i, name in enumerate(names) if name in [w.path for w in plate.metadata.wells])
while True:
    old, new = names[at], names[(at + 1) % 4]
    plate.rename_well(old, new)
    at = (at + 1) % 4
"""


def killed(code, path, delay):
    """Start a process, and kill it so long after it has begun its work."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def require_whole(path):
    """Every well and position the plate names is there, and every well names what it has."""
    plate = open_ome_zarr(path)
    for _, position in plate.positions():
        assert position.data.shape is not None
    metadata = plate.metadata
    for well in metadata.wells:
        assert metadata.row_names[well.row_index] == well.row
        assert metadata.column_names[well.column_index] == well.column
    return plate


def test_a_killed_creation_leaves_a_plate(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(6):
        path = tmp_path / f"{i}.zarr"
        new_plate(path).create_position("A", "1", "0", **IMAGE)
        killed(CREATE, path, rng.uniform(0, 0.2))
        n = len(require_whole(path).metadata.wells)
        new = open_ome_zarr(path, mode="r+").create_position("Z", "1", "0", **IMAGE)
        assert new.data.shape == (2, 8, 8)
        assert len(require_whole(path).metadata.wells) == n + 1


def test_a_killed_creation_is_done_again(tmp_path):
    """What a killed writer left without naming it does not stand in the way of its repetition."""
    path = tmp_path / "p.zarr"
    with new_plate(path) as plate:
        plate.create_position("A", "1", "0", **IMAGE)
    kept = (path / "zarr.json").read_bytes()
    with open_ome_zarr(path, mode="r+") as plate:
        plate.create_positions([("A", "2", "0"), ("B", "1", "0")], **IMAGE)
    (path / "zarr.json").write_bytes(kept)  # as if killed before the last step
    with open_ome_zarr(path, mode="r+") as plate:
        plate.create_positions([("A", "2", "0"), ("B", "1", "0")], **IMAGE)
        plate["A/2/0"].data[...] = 5
    (path / "zarr.json").write_bytes(kept)
    with open_ome_zarr(path, mode="r+") as plate:
        with pytest.raises(NodeExistsError, match="replace_leftovers") as caught:
            plate.create_positions([("A", "2", "0")], **IMAGE)
        assert caught.value.kind == "leftover"
        plate.create_positions([("A", "2", "0")], **IMAGE, replace_leftovers=True)
        assert (plate["A/2/0"].data[...] == 0).all()
    assert [p for p, _ in require_whole(path).positions()] == ["A/1/0", "A/2/0"]


def test_a_killed_renaming_leaves_a_plate(tmp_path):
    path = tmp_path / "p.zarr"
    a_plate(path)
    rng = np.random.default_rng(1)
    for _ in range(8):
        killed(RENAME, path, rng.uniform(0, 0.1))
        plate = require_whole(path)
        moved = [well.path for well in plate.metadata.wells if well.path not in {"A/02", "B/1"}]
        assert len(moved) == 1
        for i in (0, 1):
            assert (plate[f"{moved[0]}/{i}"].data[...] == i).all()
    with open_ome_zarr(path, mode="r+") as plate:
        plate.rename_well(moved[0], "Q/1")
    # Only a document that was being written when its writer was killed may lie there, hidden.
    assert all(left.suffix == ".tmp" for left in path.glob(".anyzarr*"))
    assert len(list(require_whole(path).positions())) == 4


# -- renamed ---------------------------------------------------------------------------------


def test_renaming_moves_one_well(location):
    where, options = location
    a_plate(where, **options)
    with open_ome_zarr(where, mode="r+", **options) as plate:
        plate.rename_well("A/1", "C/3")
        assert [path for path, _ in plate.wells()] == ["A/02", "B/1", "C/3"]
    plate = open_ome_zarr(where, **options)
    assert {p: int(q.data[0, 0, 0]) for p, q in plate.positions()} == {
        "C/3/0": 0, "C/3/1": 1, "A/02/0": 2, "B/1/0": 3,
    }  # fmt: skip
    assert "A/1" not in plate
    assert "A/02" in plate
    metadata = plate.metadata
    for well in metadata.wells:
        assert metadata.row_names[well.row_index] == well.row
        assert metadata.column_names[well.column_index] == well.column


def test_an_emptied_row_goes_only_from_the_end(tmp_path):
    a_plate(tmp_path / "p.zarr")
    plate = open_ome_zarr(tmp_path / "p.zarr", mode="r+")
    plate.rename_well("B/1", "A/3")
    assert plate.metadata.row_names == ["A"]
    assert not (tmp_path / "p.zarr" / "B").exists()
    plate.create_position("C", "1", "0", 2)
    plate.rename_well("A/1", "A/4")
    assert plate.metadata.row_names == ["A", "B", "C"]
    single = new_plate({})
    single.create_position("B", "03", "0")
    single.rename_well("B/03", "D/4")
    assert (single.metadata.row_names, single.metadata.column_names) == (["D"], ["4"])


def test_renaming_keeps_what_it_does_not_know(tmp_path):
    a_plate(tmp_path / "p.zarr")
    group = anyzarr.open_group(tmp_path / "p.zarr")
    known = group.attrs["ome"]
    known["plate"]["wells"][0]["treatment"] = "DMSO"
    known["plate"]["colour"] = "blue"
    known["plate"]["rows"][0]["note"] = 1
    group.attrs.update(ome={**known, "_creator": {"name": "me"}}, mine=[1])
    with open_ome_zarr(tmp_path / "p.zarr", mode="r+") as plate:
        plate.rename_well("A/1", "A/3")
        plate.create_position("D", "1", "0")
    attributes = anyzarr.open_group(tmp_path / "p.zarr").attrs.asdict()
    assert attributes["mine"] == [1]
    assert attributes["ome"]["_creator"] == {"name": "me"}
    stored = attributes["ome"]["plate"]
    assert stored["colour"] == "blue"
    assert stored["rows"][0] == {"name": "A", "note": 1}
    assert stored["wells"][0]["path"] == "A/3"
    assert stored["wells"][0]["treatment"] == "DMSO"


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("A/7", "A/8", NodeNotFoundError),
        ("A/1", "B/1", NodeExistsError),
        ("A/1", "A", MetadataError),
        ("A/1", "A/b c", MetadataError),
        ("A/1", "a/9", MetadataError),
    ],
)
def test_renamings_that_are_refused(tmp_path, old, new, error):
    a_plate(tmp_path / "p.zarr")
    before = sorted(p for p in (tmp_path / "p.zarr").rglob("*"))
    plate = open_ome_zarr(tmp_path / "p.zarr", mode="r+")
    with pytest.raises(error):
        plate.rename_well(old, new)
    assert sorted(p for p in (tmp_path / "p.zarr").rglob("*")) == before
    assert wells_on_disk(tmp_path / "p.zarr") == ["A/1", "A/02", "B/1"]


def test_a_renaming_does_not_take_a_place_that_is_not_named(tmp_path):
    a_plate(tmp_path / "p.zarr")
    anyzarr.create_array(tmp_path / "p.zarr" / "A" / "3", data=np.ones(3))
    with pytest.raises(NodeExistsError) as caught:
        open_ome_zarr(tmp_path / "p.zarr", mode="r+").rename_well("A/1", "A/3")
    assert caught.value.kind == "leftover"
    assert len(list(open_ome_zarr(tmp_path / "p.zarr").positions())) == 4


# -- merged ----------------------------------------------------------------------------------


def test_plates_are_merged(location, tmp_path):
    where, options = location
    a_plate(tmp_path / "other.zarr")
    other = open_ome_zarr(tmp_path / "other.zarr")
    with new_plate(where, **options) as plate:
        plate.create_position("A", "1", "7", **IMAGE)
        added = plate.add_from(other)
        assert added == PATHS
        assert len(plate.metadata.wells) == 3
    merged = open_ome_zarr(where, **options)
    assert [p for p, _ in merged.positions()] == ["A/1/7", *PATHS]
    for path, position in other.positions():
        np.testing.assert_array_equal(merged[path].data[...], position.data[...])
        assert merged[path].metadata == position.metadata
    assert merged.metadata.field_count == 3


def test_clashes_are_told_before_anything_is_copied():
    first, second = a_plate({}), a_plate({})
    plate = open_ome_zarr(first, mode="r+")
    before = dict(first)
    with pytest.raises(NodeExistsError, match="rename") as caught:
        plate.add_from(open_ome_zarr(second))
    assert caught.value.path == "A/1/0"
    assert first == before
    added = plate.add_from(
        open_ome_zarr(second), rename={"A/1": "A/5", "A/02/0": "A/1/9", "B/1": "C/1"}
    )
    assert added == ["A/5/0", "A/5/1", "A/1/9", "C/1/0"]
    assert int(plate["A/1/9"].data[0, 0, 0]) == 2
    more = plate.add_from(open_ome_zarr(second), rename=lambda path: "Z" + path)
    assert more[0] == "ZA/1/0"
    with pytest.raises(MetadataError, match="two positions"):
        plate.add_from(open_ome_zarr(second), rename=lambda path: "Y/1/0")
    with pytest.raises(MetadataError):
        plate.add_from(open_ome_zarr(second), rename=lambda path: "Y/1")


def test_acquisitions_get_numbers_of_their_own():
    def with_acquisition(name):
        plate = new_plate({})
        plate.create_position("A", name, "0", acq_index=1)
        attributes = plate.group.attrs["ome"]
        attributes["plate"]["acquisitions"] = [{"id": 0}, {"id": 1, "name": name, "x": name}]
        plate.group.attrs["ome"] = attributes
        return plate.refresh()

    plate = with_acquisition("1")
    plate.add_from(with_acquisition("2"))
    plate.add_from(with_acquisition("2"), rename={"A/2": "A/3"})
    found = {(a.id, a.name, a.extra.get("x")) for a in plate.metadata.acquisitions}
    assert found == {(0, None, None), (1, "1", "1"), (2, "2", "2")}
    images = [well.metadata.images[0].acquisition for _, well in plate.wells()]
    assert images == [1, 2, 2]


def test_versions_are_not_mixed():
    plate = new_plate({})
    with pytest.raises(UnsupportedError, match=r"0\.4"):
        plate.add_from(open_ome_zarr(a_plate({}, version="0.4")))


def test_chunks_are_copied_as_they_are():
    """Bytes that no codec here could have written arrive unchanged."""
    source, target = a_plate({}), {}
    key = next(key for key in source if "/c/" in key)
    source[key] = b"not a chunk"
    new_plate(target).add_from(open_ome_zarr(source))
    assert target[key] == b"not a chunk"


# -- read ------------------------------------------------------------------------------------


def with_plate(store, change, path=""):
    group = anyzarr.open_group(store, path=path)
    attributes = group.attrs["ome"]
    change(attributes)
    group.attrs["ome"] = attributes


@pytest.mark.parametrize(
    "field", ["rows", "columns", "wells", "acquisitions", "field_count", "name", "version"]
)
def test_a_plate_with_a_missing_field(field):
    store = a_plate({})
    with_plate(store, lambda o: o["plate"].pop(field, None))
    plate = open_ome_zarr(store, mode="r+")
    assert {path for path, _ in plate.positions()} == set(PATHS)
    if field == "wells":
        return
    plate.create_position("A", "7", "0", **IMAGE)
    assert plate.metadata.row_names == ["A", "B"]
    assert plate.metadata.wells[-1].row_index == 0


def test_wells_without_indices_get_them():
    store = a_plate({})

    def change(o):
        for well in o["plate"]["wells"]:
            del well["rowIndex"], well["columnIndex"]

    with_plate(store, change)
    plate = open_ome_zarr(store)
    assert [(w.row_index, w.column_index) for w in plate.metadata.wells] == [(0, 0), (0, 1), (1, 0)]


def test_a_well_without_metadata_is_listed():
    store = a_plate({})
    with_plate(store, lambda o: o.pop("well"), "A/1")
    assert [path for path, _ in open_ome_zarr(store).positions()] == PATHS


@pytest.mark.parametrize(
    ("break_it", "named"),
    [
        (lambda s: s.update({"A/1/1/zarr.json": b"{"}), "A/1/1"),
        (lambda s: s.update({"A/1/zarr.json": b"{"}), "A/1"),
        (lambda s: s.pop("A/1/1/zarr.json"), "A/1/1"),
        (lambda s: s.pop("B/1/zarr.json"), "B/1"),
        (lambda s: with_plate(s, lambda o: o["well"].update(images=3), "B/1"), "B/1"),
        (lambda s: with_plate(s, lambda o: o["well"]["images"][0].pop("path"), "B/1"), "B/1"),
    ],
)
def test_what_cannot_be_read_is_named(break_it, named):
    store = a_plate({})
    break_it(store)
    with pytest.raises((MetadataError, NodeNotFoundError)) as caught:
        list(open_ome_zarr(store).positions())
    assert caught.value.path == named
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "plate",
    [
        3,
        {"wells": {}},
        {"wells": [{}]},
        {"rows": ["A"]},
        {"wells": [{"path": "A/1", "rowIndex": "x"}]},
    ],
)
def test_metadata_of_the_wrong_kind(plate):
    store = a_plate({})
    with_plate(store, lambda o: o.update(plate=plate))
    with pytest.raises(MetadataError):
        list(open_ome_zarr(store).positions())


def test_opening_reads_one_document(tmp_path, monkeypatch):
    a_plate(tmp_path / "p.zarr")
    reads = []
    read = open_store(tmp_path / "p.zarr").__class__._read

    def counting(store, key, ranges):
        reads.append(key)
        return read(store, key, ranges)

    monkeypatch.setattr("anyzarr.stores._local.LocalStore._read", counting)
    plate = open_ome_zarr(tmp_path / "p.zarr")
    assert len(plate.metadata.wells) == 3
    assert set(reads) <= {"zarr.json", ".zarray", ".zgroup", ".zattrs"}


def test_an_archive_is_read(tmp_path):
    a_plate(tmp_path / "p.zarr")
    archive = tmp_path / "p.ozx"
    anyzarr.convert(tmp_path / "p.zarr", archive)
    plate = open_ome_zarr(archive)
    assert [path for path, _ in plate.positions()] == PATHS
    assert (plate["B/1/0"].data[...] == 3).all()


def test_an_empty_plate():
    store = {}
    new_plate(store).close()
    plate = open_ome_zarr(store, layout="hcs", mode="r+")
    assert list(plate.positions()) == list(plate.wells()) == list(plate.rows()) == []
    assert plate.channel_names == []
    with pytest.raises(MetadataError):
        open_ome_zarr(store)
    plate.create_position("A", "1", "0")
    assert isinstance(open_ome_zarr(store), Plate)


def test_info_and_tree_of_a_plate(tmp_path):
    a_plate(tmp_path / "p.zarr")
    assert anyzarr.info(tmp_path / "p.zarr").path == ""
    run = subprocess.run(
        [sys.executable, "-m", "anyzarr", "info", str(tmp_path / "p.zarr")],
        capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    assert "A" in run.stdout


names = st.text("ABab019", min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(names, names, names), min_size=1, max_size=12))
def test_any_names(spots):
    """Whatever legal names come in whatever order: a plate, or a refusal that changes nothing."""
    store = {}
    plate = open_ome_zarr(store, layout="hcs", mode="w")
    made = []
    for spot in spots:
        before = dict(store)
        try:
            plate.create_position(*spot)
        except (MetadataError, NodeExistsError):
            assert store == before
            folded = {p.casefold() for p in made}
            parts = {"/".join(p.split("/")[:1]) for p in made} | {p.split("/")[1] for p in made}
            clash = "/".join(spot).casefold() in folded
            assert clash or any(
                p.casefold() == n.casefold() and p != n for p in parts for n in spot[:2]
            )
        else:
            made.append("/".join(spot))
    again = open_ome_zarr(store)
    assert {path for path, _ in again.positions()} == set(made)
    metadata = again.metadata
    for well in metadata.wells:
        assert metadata.row_names[well.row_index] == well.row
        assert metadata.column_names[well.column_index] == well.column


def test_what_a_handle_knows_is_what_is_stored():
    """What it remembers of its own writing is what reading gives, to the last key."""
    store = a_plate({})
    plate = open_ome_zarr(store, mode="r+")
    plate.create_position("C", "9", "0", 4, 8, 3)
    plate.rename_well("A/1", "D/1")
    with plate:
        plate.create_position("E", "1", "0")
        known = plate.metadata
        plate.flush()
        assert plate.metadata == known
    assert open_ome_zarr(store).metadata == plate.metadata


def test_memory_stores_too():
    store = MemoryStore()
    a_plate(store)
    assert crud.read_metadata(store, "A/1")["attributes"]["ome"]["well"]["images"] == [
        {"path": "0", "acquisition": 0},
        {"path": "1", "acquisition": 0},
    ]
