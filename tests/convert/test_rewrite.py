"""Zarr to Zarr: other chunks, shards and codecs, v2 and v3; workers, resuming, verifying."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import anyzarr
from anyzarr._convert import _copy, _hierarchy
from anyzarr._convert._journal import JOURNAL
from anyzarr._progress import Progress
from anyzarr.errors import (
    AnyzarrError,
    ConflictError,
    CorruptDataError,
    MetadataError,
    NodeNotFoundError,
    StoreError,
    UnsupportedError,
)
from anyzarr.stores import LocalStore, MemoryStore, open_store

VALUES = np.random.default_rng(0).integers(0, 999, (20, 60, 50)).astype("u2")


@pytest.fixture(autouse=True)
def _everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_hierarchy, "LONG_BYTES", 1)
    monkeypatch.setattr(_copy, "_BATCH_OBJECTS", 4)


def hierarchy(path: Path, zarr_format: Any, **options: Any) -> Path:
    """Write a hierarchy of several kinds of arrays with zarr-python."""
    root = zarr.create_group(path, zarr_format=zarr_format, attributes={"made": {"by": [1, 2]}})
    deep = root.create_group("a/b", attributes={"deep": True})
    options = {"chunks": (10, 30, 25), **options}
    array = deep.create_array("image", shape=VALUES.shape, dtype="u2", **options)
    array[...] = VALUES
    array.attrs["unit"] = "photons"
    plane = root.create_array("plane", shape=(30, 40), chunks=(10, 20), dtype=">f4", fill_value=7)
    plane[:10] = np.arange(400, dtype="f4").reshape(10, 40)
    root.create_array("scalar", shape=(), dtype="i8")[...] = -3
    root.create_array("empty", shape=(0, 4), chunks=(1, 4), dtype="u1")
    names = root.create_array("names", shape=(5,), chunks=(2,), dtype=np.dtypes.StringDType())
    names[:] = np.array(["α", "", "c" * 99, "d", "e"], dtype=object)
    (path / "notes.txt").write_text("of the group")
    return path


def check(location: Any, zarr_format: int) -> Any:
    """Compare with what was written, as zarr-python reads it; return its root."""
    root = zarr.open_group(location, mode="r")
    assert root.metadata.zarr_format == zarr_format
    assert dict(root.attrs) == {"made": {"by": [1, 2]}}
    assert dict(root["a/b"].attrs) == {"deep": True}
    assert root["a/b/image"].attrs["unit"] == "photons"
    np.testing.assert_array_equal(root["a/b/image"][...], VALUES)
    plane = root["plane"][...]
    np.testing.assert_array_equal(plane[:10], np.arange(400, dtype="f4").reshape(10, 40))
    assert (plane[10:] == 7).all()
    assert int(root["scalar"][()]) == -3
    assert root["empty"].shape == (0, 4)
    assert list(root["names"][:]) == ["α", "", "c" * 99, "d", "e"]
    assert {array.metadata.zarr_format for _, array in root.arrays()} == {zarr_format}
    return root


@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 3), (3, 2), (3, 3)])
@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_hierarchies_between_the_formats(tmp_path: Path, before: int, after: int) -> None:
    source = hierarchy(tmp_path / "a.zarr", before)
    report = anyzarr.convert(source, tmp_path / "b.zarr", zarr_format=after, verify=True)
    assert (report.kind, report.n_arrays) == ("rewrite", 5)
    assert report.verification is not None
    assert report.verification.n_images == 0, "nothing had to be decoded"
    check(tmp_path / "b.zarr", after)
    assert (tmp_path / "b.zarr/notes.txt").read_text() == "of the group"
    other = {2: "zarr.json", 3: ".zarray"}[after]
    assert not list((tmp_path / "b.zarr").rglob(other))
    anyzarr.convert(tmp_path / "b.zarr", tmp_path / "c.zarr", zarr_format=before)
    check(tmp_path / "c.zarr", before)


@pytest.mark.parametrize("before", [2, 3])
@pytest.mark.parametrize("target", ["b.zarr", "b.ozx", "memory"])
@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_rechunk_reshard_and_recompress(tmp_path: Path, before: int, target: str) -> None:
    source = hierarchy(tmp_path / "a.zarr", before)
    where: Any = MemoryStore() if target == "memory" else tmp_path / target
    report = anyzarr.convert(
        source, where, chunks=(5, 16, 16), shards=(20, 32, 48), compressor="blosc-zstd:1",
        zarr_format=3, verify=True,
    )  # fmt: skip
    image = anyzarr.open_array(where, path="a/b/image")
    assert (image.chunks, image.shards) == ((5, 16, 16), (20, 32, 48))
    assert [codec.name for codec in image.codecs] == ["bytes", "blosc"]
    np.testing.assert_array_equal(image[...], VALUES)
    plane = anyzarr.open_array(where, path="plane")
    assert plane.chunks == (10, 20), "an array of other dimensions keeps its chunks"
    assert report.verification is not None
    assert report.verification.n_images == 4  # all but the scalar, which has no axes
    if target == "b.zarr":
        check(where, 3)
        left = [name for name in os.listdir(tmp_path) if name.endswith(".partial")]
        assert left == []


def test_an_array_of_its_own(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a", shape=VALUES.shape, chunks=(10, 30, 25), dtype="u2",
                      dimension_names=("z", "y", "x"))[...] = VALUES  # fmt: skip
    anyzarr.convert(tmp_path / "a", tmp_path / "b", zarr_format=2)
    two = zarr.open_array(tmp_path / "b", mode="r")
    assert two.attrs["_ARRAY_DIMENSIONS"] == ["z", "y", "x"]
    np.testing.assert_array_equal(two[...], VALUES)
    anyzarr.convert(tmp_path / "b", tmp_path / "c", zarr_format=3, shards=(20, 60, 50))
    three = zarr.open_array(tmp_path / "c", mode="r")
    assert three.metadata.dimension_names == ("z", "y", "x")
    assert (three.shards, three.chunks, dict(three.attrs)) == ((20, 60, 50), (10, 30, 25), {})
    np.testing.assert_array_equal(three[...], VALUES)
    anyzarr.convert(tmp_path / "c", tmp_path / "d", zarr_format=2, chunks={"y": 20})
    assert zarr.open_array(tmp_path / "d", mode="r").chunks == (10, 20, 25)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "d", mode="r")[...], VALUES)
    anyzarr.convert(tmp_path / "c", tmp_path / "e", shards=False, compressor="none")
    plain = zarr.open_array(tmp_path / "e", mode="r")
    assert (plain.shards, plain.compressors) == (None, ())
    np.testing.assert_array_equal(plain[...], VALUES)


@pytest.mark.parametrize("options", [{"compressor": "zstd:0"}, {"chunks": (10, 30, 25)}])
def test_what_is_stored_so_already_is_copied(tmp_path: Path, options: dict[str, Any]) -> None:
    """Chunks that would be the same are not decoded: here they could not be."""
    array = anyzarr.create_array(
        tmp_path / "a", shape=VALUES.shape, chunks=(10, 30, 25), dtype="u2", compressors="zstd:0"
    )
    array[...] = VALUES
    chunk = tmp_path / "a/c/0/0/0"
    chunk.write_bytes(b"not zstd")
    anyzarr.convert(tmp_path / "a", tmp_path / "b", **options)
    assert (tmp_path / "b/c/0/0/0").read_bytes() == b"not zstd"
    with pytest.raises(CorruptDataError):
        anyzarr.convert(tmp_path / "a", tmp_path / "c", chunks=(5, 30, 25))
    assert not (tmp_path / "c").exists()


def test_consolidated_metadata_is_made_anew(tmp_path: Path) -> None:
    source = tmp_path / "a"
    root = zarr.create_group(source, zarr_format=2)
    root.create_array("x", shape=(4,), chunks=(2,), dtype="u1")[...] = 1
    zarr.consolidate_metadata(source, zarr_format=2)
    anyzarr.convert(source, tmp_path / "b", zarr_format=3)
    inside = json.loads((tmp_path / "b/zarr.json").read_text())["consolidated_metadata"]
    assert list(inside["metadata"]) == ["x"]
    assert not (tmp_path / "b/.zmetadata").exists()
    anyzarr.convert(tmp_path / "b", tmp_path / "c", zarr_format=2, chunks=(4,))
    metadata = json.loads((tmp_path / "c/.zmetadata").read_text())["metadata"]
    assert metadata["x/.zarray"]["chunks"] == [4]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"chunks": (1, 2)}, MetadataError),
        ({"chunks": (0, 1, 1)}, MetadataError),
        ({"chunks": {"q": 1}}, MetadataError),
        ({"chunks": (5, 5, 5), "shards": (5, 5)}, MetadataError),
        ({"compressor": "zip"}, AnyzarrError),
        ({"zarr_format": 2, "shards": (20, 60, 50)}, UnsupportedError),
        ({"zarr_format": 4}, MetadataError),
    ],
)
def test_impossible_options_write_nothing(
    tmp_path: Path, options: dict[str, Any], error: type[AnyzarrError]
) -> None:
    anyzarr.create_array(tmp_path / "a", data=VALUES)
    with pytest.raises(error):
        anyzarr.convert(tmp_path / "a", tmp_path / "b", **options)
    assert os.listdir(tmp_path) == ["a"]


def test_what_v2_cannot_say(tmp_path: Path) -> None:
    edges = [[10, 4, 6], [60], [50]]
    anyzarr.create_array(tmp_path / "a", shape=VALUES.shape, dtype="u2", chunks=edges)[...] = VALUES
    with pytest.raises(UnsupportedError, match="v2"):
        anyzarr.convert(tmp_path / "a", tmp_path / "b", zarr_format=2)
    with pytest.raises(UnsupportedError, match="chunks="):
        anyzarr.convert(tmp_path / "a", tmp_path / "b", compressor="gzip")
    anyzarr.convert(tmp_path / "a", tmp_path / "b", compressor="gzip", chunks=(5, 5, 5))
    np.testing.assert_array_equal(anyzarr.open_array(tmp_path / "b")[...], VALUES)
    anyzarr.convert(tmp_path / "a", tmp_path / "c")
    assert anyzarr.open_array(tmp_path / "c").metadata.grid.edges is not None


def test_ome_zarr_of_another_format_is_of_another_version(tmp_path: Path) -> None:
    with anyzarr.open_ome_zarr(tmp_path / "a", mode="w", axes="zyx", version="0.4") as image:
        image.create_image("0", VALUES, chunks=(5, 30, 25))
    report = anyzarr.convert(tmp_path / "a", tmp_path / "b", zarr_format=3, verify=True)
    assert report.kind == "upgrade"
    assert anyzarr.open_ome_zarr(tmp_path / "b").version == "0.5"
    assert anyzarr.validate(tmp_path / "b").errors == ()
    anyzarr.convert(tmp_path / "b", tmp_path / "c", zarr_format=2)
    assert anyzarr.open_ome_zarr(tmp_path / "c").version == "0.4"
    with pytest.raises(MetadataError, match="zarr_format=2"):
        anyzarr.convert(tmp_path / "b", tmp_path / "d", zarr_format=2, version="0.5")


# -- workers, interruption, what goes wrong ---------------------------------------------------

LAYOUT: dict[str, Any] = {"chunks": (4, 10, 10), "shards": (4, 30, 30), "zarr_format": 3}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.zarr"
    group = anyzarr.create_group(path, zarr_format=2)
    for name in ("a", "b"):
        group.create_array(name, data=VALUES, chunks=(10, 60, 50))
    group.create_array("c", data=np.arange(200), chunks=(10,))
    return path


def test_processes(source: Path, tmp_path: Path) -> None:
    anyzarr.convert(source, tmp_path / "b", processes=True, workers=2, verify=True, **LAYOUT)
    for name in ("a", "b"):
        np.testing.assert_array_equal(anyzarr.open_array(tmp_path / "b" / name)[...], VALUES)
    with pytest.raises(UnsupportedError, match="memory of this process"):
        anyzarr.convert(source, {}, processes=True, **LAYOUT)


_STOPPED = """
import os, sys
import anyzarr
from anyzarr._convert import _copy, _hierarchy

_hierarchy.LONG_BYTES, _copy._BATCH_OBJECTS = 1, 4
_hierarchy.Journal.mark, mark = None, _hierarchy.Journal.mark
left = int(sys.argv[3])

def counted(self, task):
    global left
    mark(self, task)
    left -= 1
    if not left:
        os._exit(9)  # as a kill would

_hierarchy.Journal.mark = counted
options = eval(sys.argv[4])
anyzarr.convert(sys.argv[1], sys.argv[2], workers=1, **options)
"""


def stopped(source: Path, target: Path, options: dict[str, Any], *, after: int) -> None:
    """Convert in another process that dies when so many parts are done."""
    command = [sys.executable, "-c", _STOPPED, str(source), str(target), str(after), repr(options)]
    assert subprocess.run(command, check=False).returncode == 9
    assert not target.exists()


@pytest.mark.parametrize(
    ("options", "name"), [(LAYOUT, "out.zarr"), (LAYOUT, "out.ozx"), ({}, "out.zarr")]
)
def test_kill_and_resume(source: Path, tmp_path: Path, options: dict[str, Any], name: str) -> None:
    target = tmp_path / name
    stopped(source, target, options, after=3)
    report = anyzarr.convert(source, target, resume=True, verify=True, **options)
    assert report.n_resumed >= 3, "another thread may have been done with one before the kill"
    for key in ("a", "b"):
        np.testing.assert_array_equal(anyzarr.open_array(target, path=key)[...], VALUES)
    np.testing.assert_array_equal(anyzarr.open_array(target, path="c")[...], np.arange(200))
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".partial")]


def test_resume_refuses_another_source_and_other_settings(source: Path, tmp_path: Path) -> None:
    stopped(source, tmp_path / "b", {}, after=3)
    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(source, tmp_path / "b", resume=True, chunks=(2, 2, 2))
    assert caught.value.kind == "settings_changed"
    anyzarr.open_array(source / "a", mode="r+")[0, 0, 0] = 7
    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(source, tmp_path / "b", resume=True)
    assert caught.value.kind == "source_changed"
    assert anyzarr.convert(source, tmp_path / "b").n_resumed == 0


@pytest.mark.parametrize("options", [LAYOUT, {"zarr_format": 3}, {}])
def test_a_source_that_changes_meanwhile(
    source: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    array = anyzarr.open_array(source / "a", mode="r+")

    def change(step: Progress) -> None:
        if step.done_bytes:
            array[0, 0, 0] = (step.done_bytes % 9) + 1000

    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(source, tmp_path / "b", progress=change, **options)
    assert caught.value.kind in {"source_changing", None} or caught.value.key
    assert os.listdir(tmp_path) == ["in.zarr"]


@pytest.mark.parametrize("options", [LAYOUT, {}])
def test_a_full_disk_leaves_what_can_be_gone_on_with(
    source: Path, tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    put = LocalStore.put

    def full(self: Any, key: str, *values: Any, **others: Any) -> Any:
        if key.startswith(f"{JOURNAL}done/") and any(Path(self.root, JOURNAL, "done").glob("*")):
            raise StoreError("no space left on device", key=key)
        return put(self, key, *values, **others)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put", full)
        with pytest.raises(StoreError, match="space") as caught:
            anyzarr.convert(source, tmp_path / "b", workers=1, **options)
    assert any("resume=True" in note for note in caught.value.__notes__) or not options
    assert not (tmp_path / "b").exists()
    anyzarr.convert(source, tmp_path / "b", resume=True, verify=True, **options)
    np.testing.assert_array_equal(anyzarr.open_array(tmp_path / "b/a")[...], VALUES)


@pytest.mark.parametrize("options", [LAYOUT, {}, {"zarr_format": 3}])
@pytest.mark.parametrize("name", ["out.zarr", "out.ozx"])
def test_verify_finds_what_differs(
    source: Path, tmp_path: Path, options: dict[str, Any], name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    store = open_store(source, mode="r")
    twin = MemoryStore({item.key: store.get(item.key) for item in store.list()})
    part, calls = MemoryStore._part, itertools.count()

    def moody(self: Any, key: str, value: Any, where: Any) -> Any:
        got = part(self, key, value, where)
        if key != "c/3" or got is None or next(calls):
            return got
        return got[:-1] + bytes([got[-1] ^ 1])

    monkeypatch.setattr(MemoryStore, "_part", moody)
    with pytest.raises(AnyzarrError):
        anyzarr.convert(twin, tmp_path / name, verify=True, workers=1, **options)
    assert os.listdir(tmp_path) == ["in.zarr"]


@pytest.mark.parametrize("options", [LAYOUT, {}])
def test_a_target_that_exists(source: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    anyzarr.create_array(tmp_path / "b", data=np.arange(3))
    with pytest.raises(AnyzarrError, match="overwrite"):
        anyzarr.convert(source, tmp_path / "b", **options)
    np.testing.assert_array_equal(anyzarr.open_array(tmp_path / "b")[...], np.arange(3))
    anyzarr.convert(source, tmp_path / "b", overwrite=True, **options)
    np.testing.assert_array_equal(anyzarr.open_array(tmp_path / "b/a")[...], VALUES)


def test_a_plan_writes_nothing(source: Path, tmp_path: Path) -> None:
    report = anyzarr.convert(source, tmp_path / "b", dry_run=True, **LAYOUT)
    assert (report.kind, report.n_arrays) == ("plan", 3)
    assert report.plan is not None
    assert (report.plan.chunks, report.plan.shards) == ((4, 10, 10), (4, 30, 30))
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("options", [{"zarr_format": 3}, {"zarr_format": 2}])
def test_a_plan_of_chunks_that_stay(tmp_path: Path, options: dict[str, Any]) -> None:
    group = anyzarr.create_group(tmp_path / "a", zarr_format=5 - options["zarr_format"])
    group.create_array("x", data=VALUES, chunks=(4, 10, 10))
    plan = anyzarr.convert(tmp_path / "a", tmp_path / "b", dry_run=True, **options).plan
    assert plan is not None
    assert not (tmp_path / "b").exists()
    done = anyzarr.convert(tmp_path / "a", tmp_path / "b", **options)
    assert done.n_objects == plan.n_objects
    assert plan.sampled_bytes > 0


def test_reports_tell_of_the_image_whatever_was_done(tmp_path: Path) -> None:
    with anyzarr.open_ome_zarr(tmp_path / "a", mode="w", axes="zyx", version="0.4") as image:
        image.create_image("0", VALUES, scale=(2, 0.5, 0.5))
        image.compute_pyramid(levels=2)
    reports = [
        anyzarr.convert(tmp_path / "a", tmp_path / "copy"),
        anyzarr.convert(tmp_path / "a", tmp_path / "a.ozx", verify=True),
        anyzarr.convert(tmp_path / "a", tmp_path / "new", version="0.5", verify=True),
        anyzarr.convert(tmp_path / "a", tmp_path / "image", levels=2),
    ]
    assert [report.kind for report in reports] == ["copy", "pack", "upgrade", "image"]
    for report in reports:
        assert (report.layout, report.n_images, report.axes) == ("image", 1, ("z", "y", "x"))
        assert (report.dtype, report.scale) == ("uint16", (2, 0.5, 0.5))
        assert report.level_shapes == ((20, 60, 50), (20, 30, 25))
        assert report.size_bytes > 0 < report.n_objects
        assert report.seconds > 0
        assert "z=20 y=60 x=50 uint16" in str(report)
        assert json.loads(json.dumps(report.to_dict()))["kind"] == report.kind
    assert [report.verification is not None for report in reports] == [False, True, True, False]


@pytest.mark.parametrize("options", [{"version": "0.6"}, {"compressor": "gzip"}])
def test_an_image_that_lacks_a_level_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with anyzarr.open_ome_zarr(tmp_path / "a", mode="w", axes="zyx") as image:
        image.create_image("0", VALUES, shards=False)
        image.compute_pyramid(levels=2)
    (tmp_path / "a/1/zarr.json").unlink()
    with pytest.raises(NodeNotFoundError, match="'1'"):
        anyzarr.convert(tmp_path / "a", tmp_path / "b", **options)
    assert not (tmp_path / "b").exists()
    assert anyzarr.convert(tmp_path / "a", tmp_path / "b").kind == "copy"
