"""Folders, archives, dicts: complete or not there at all, and byte for byte the same."""

import _thread
import functools
import gc
import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import anyzarr
from anyzarr import _atomic
from anyzarr._convert._refusals import refuse_remote_images
from anyzarr._convert._target import Location
from anyzarr._progress import Progress
from anyzarr.errors import (
    AnyzarrError,
    CorruptDataError,
    MetadataError,
    NodeExistsError,
    NodeNotFoundError,
    StoreError,
    UnsupportedError,
)
from anyzarr.stores import LocalStore, MemoryStore

from .._unprivileged import (  # noqa: TID252 (tests are no installed package)
    as_nobody,
    reachable_folder,
)

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 4000, (2, 600, 700)).astype("u2")


@pytest.fixture
def tiff(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "cells.ome.tif"
    path.parent.mkdir()
    metadata = {"axes": "CYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, PIXELS, ome=True, photometric="minisblack", metadata=metadata)
    return path


@pytest.fixture
def hierarchy(tiff: Path) -> Path:
    anyzarr.convert(tiff, tiff.with_name("cells.zarr"))
    return tiff.with_name("cells.zarr")


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def reference_mean(values: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Plain numpy, windows cut at the edge included."""
    total = values.astype("f8")
    for axis, factor in enumerate(factors):
        starts = np.arange(0, values.shape[axis], factor)
        counts = np.minimum(factor, values.shape[axis] - starts)
        shape = [-1 if i == axis else 1 for i in range(values.ndim)]
        total = np.add.reduceat(total, starts, axis=axis) / counts.reshape(shape)
    return np.rint(total).astype(values.dtype)


@pytest.mark.parametrize("engine", [n for n in anyzarr.list_engines() if n != "native"])
@pytest.mark.parametrize("target", ["out.zarr", "out.ozx"])
def test_every_engine_writes_the_same_pyramid(
    tiff: Path, tmp_path: Path, engine: str, target: str
) -> None:
    report = anyzarr.convert(tiff, tmp_path / target, engine=engine, levels=3)
    image = anyzarr.open_ome_zarr(tmp_path / target)
    assert report.level_shapes == ((2, 600, 700), (2, 300, 350), (2, 150, 175))
    expected = PIXELS
    for level in image.levels:
        np.testing.assert_array_equal(level[...], expected)
        expected = reference_mean(expected, (1, 2, 2))
    assert [image.get_effective_scale(i)[1:] for i in range(3)] == [[0.5] * 2, [1.0] * 2, [2.0] * 2]
    shifts = [image.get_effective_translation(i)[1:] for i in range(3)]
    assert shifts == [[0.0] * 2, [0.25] * 2, [0.75] * 2]
    assert names(tmp_path) == ["in", target]


def test_odd_sizes_and_anisotropic_voxels(tmp_path: Path) -> None:
    values = RNG.integers(0, 255, (5, 301, 523)).astype("u1")
    metadata = {"axes": "ZYX", "PhysicalSizeX": 1, "PhysicalSizeY": 1, "PhysicalSizeZ": 2}
    options: dict[str, Any] = {"ome": True, "photometric": "minisblack", "metadata": metadata}
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    anyzarr.convert(tmp_path / "a.tif", tmp_path / "a.zarr", levels=4)
    image = anyzarr.open_ome_zarr(tmp_path / "a.zarr")
    factors = [(1, 2, 2), (2, 2, 2), (2, 2, 2)]
    expected = values
    for level, step in zip(image.levels[1:], factors, strict=True):
        expected = reference_mean(expected, step)
        np.testing.assert_array_equal(level[...], expected)
    assert image.get_effective_scale(3) == [8, 8, 8]
    assert image.get_effective_translation(3) == [3, 3.5, 3.5]


def test_folder_to_archive_and_back_is_byte_identical(hierarchy: Path, tmp_path: Path) -> None:
    packed = anyzarr.convert(hierarchy, tmp_path / "a.ozx")
    restored = anyzarr.convert(tmp_path / "a.ozx", tmp_path / "b.zarr")
    assert (packed.kind, restored.kind) == ("pack", "copy")
    assert packed.warnings == restored.warnings == ()
    assert files(tmp_path / "b.zarr") == files(hierarchy)
    assert packed.n_objects == restored.n_objects == len(files(hierarchy))
    anyzarr.convert(tmp_path / "b.zarr", tmp_path / "b.ozx")
    assert (tmp_path / "b.ozx").read_bytes() == (tmp_path / "a.ozx").read_bytes()


def test_an_archive_straight_from_an_image_is_the_packed_folder(
    tiff: Path, hierarchy: Path, tmp_path: Path
) -> None:
    anyzarr.convert(hierarchy, tmp_path / "a.ozx")
    report = anyzarr.convert(tiff, tmp_path / "b.ozx")
    assert (tmp_path / "b.ozx").read_bytes() == (tmp_path / "a.ozx").read_bytes()
    assert report.size_bytes == (tmp_path / "b.ozx").stat().st_size
    assert report.kind == "image"


def test_between_dicts_stores_and_folders(hierarchy: Path, tmp_path: Path) -> None:
    target: dict[str, bytes] = {}
    anyzarr.convert(hierarchy, target)
    assert target == files(hierarchy)
    store = MemoryStore()
    anyzarr.convert(target, store)
    anyzarr.convert(store, tmp_path / "c.zarr")
    assert files(tmp_path / "c.zarr") == files(hierarchy)
    anyzarr.convert(store, tmp_path / "c.ozx")
    np.testing.assert_array_equal(anyzarr.open_ome_zarr(tmp_path / "c.ozx").data[...], PIXELS)


def test_version_0_4(tiff: Path, tmp_path: Path) -> None:
    anyzarr.convert(tiff, tmp_path / "a.zarr", version="0.4")
    image = anyzarr.open_ome_zarr(tmp_path / "a.zarr")
    assert (image.version, image.data.metadata.zarr_format) == ("0.4", 2)
    np.testing.assert_array_equal(image.data[...], PIXELS)
    assert not list((tmp_path / "a.zarr").rglob("zarr.json"))
    report = anyzarr.convert(tmp_path / "a.zarr", tmp_path / "a.ozx")
    assert any("v2" in warning for warning in report.warnings)
    np.testing.assert_array_equal(anyzarr.open_ome_zarr(tmp_path / "a.ozx").data[...], PIXELS)


def test_unsharded_archives_are_warned_of(tiff: Path, tmp_path: Path) -> None:
    report = anyzarr.convert(tiff, tmp_path / "a.ozx", shards=False)
    assert any("sharding" in warning for warning in report.warnings)


@pytest.mark.parametrize("target", ["out.zarr", "out.ozx"])
@pytest.mark.parametrize("source", ["tiff", "hierarchy"])
def test_what_is_there_is_replaced_only_when_told(
    request: pytest.FixtureRequest, tmp_path: Path, source: str, target: str
) -> None:
    origin, place = request.getfixturevalue(source), tmp_path / target
    options = {"levels": 1} if source == "tiff" else {}
    anyzarr.convert(origin, place, **options)
    before = files(tmp_path)
    with pytest.raises(NodeExistsError) as caught:
        anyzarr.convert(origin, place)
    assert caught.value.kind == "node_exists"
    assert files(tmp_path) == before
    anyzarr.convert(origin, place, overwrite=True)
    np.testing.assert_array_equal(anyzarr.open_ome_zarr(place).data[...], PIXELS)
    assert names(tmp_path) == ["in", target]


def test_a_dict_is_replaced_only_when_told(tiff: Path, hierarchy: Path) -> None:
    target: dict[str, bytes] = {}
    anyzarr.convert(tiff, target, levels=1)
    before = dict(target)
    with pytest.raises(NodeExistsError):
        anyzarr.convert(hierarchy, target)
    assert target == before
    anyzarr.convert(hierarchy, target, overwrite=True)
    assert target == files(hierarchy)


def test_what_is_no_zarr_is_never_replaced(tiff: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_bytes(b"x")
    (tmp_path / "thesis.docx").write_bytes(b"x")
    other = {"me.jpg": b"x"}
    for target in (tmp_path / "photos", tmp_path / "thesis.docx", other):
        with pytest.raises(NodeExistsError):
            anyzarr.convert(tiff, target, overwrite=True)
    assert (tmp_path / "photos" / "me.jpg").exists()
    assert (tmp_path / "thesis.docx").read_bytes() == b"x"
    assert other == {"me.jpg": b"x"}


def test_an_empty_folder_may_be_filled(tiff: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    anyzarr.convert(tiff, tmp_path / "out")
    assert anyzarr.open_ome_zarr(tmp_path / "out").has_data


class Stopping:
    """A progress function that raises at its n-th call."""

    def __init__(self, at: int, error: BaseException) -> None:
        self._left, self._error = at, error

    def __call__(self, progress: Progress) -> None:
        self._left -= 1
        if self._left <= 0:
            raise self._error


JOBS: dict[str, tuple[str, str]] = {
    "image to folder": ("tiff", "out.zarr"),
    "image to archive": ("tiff", "out.ozx"),
    "folder to archive": ("hierarchy", "out.ozx"),
    "folder to folder": ("hierarchy", "out.zarr"),
    "archive to folder": ("archive", "out.zarr"),
}


@pytest.fixture
def archive(hierarchy: Path) -> Path:
    anyzarr.convert(hierarchy, hierarchy.with_name("cells.ozx"))
    return hierarchy.with_name("cells.ozx")


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
@pytest.mark.parametrize("job", JOBS)
def test_interrupted_anywhere_leaves_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, job: str, error: type[BaseException]
) -> None:
    source, target = JOBS[job]
    origin = request.getfixturevalue(source)
    steps: list[Progress] = []
    anyzarr.convert(origin, tmp_path / "whole" / target, progress=steps.append)
    expected = sorted(os.listdir(tmp_path))
    for at in {1, 2, len(steps) // 2, len(steps)} - {0}:
        with pytest.raises(error):
            anyzarr.convert(origin, tmp_path / "n" / target, progress=Stopping(at, error()))
        assert sorted(os.listdir(tmp_path)) == expected


@pytest.mark.parametrize("job", JOBS)
def test_interrupted_replacement_leaves_the_old(
    request: pytest.FixtureRequest, tmp_path: Path, job: str
) -> None:
    source, target = JOBS[job]
    origin, place = request.getfixturevalue(source), tmp_path / "out" / target
    anyzarr.convert(request.getfixturevalue("tiff"), place, levels=1)
    before = files(tmp_path)
    stop = Stopping(2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        anyzarr.convert(origin, place, overwrite=True, progress=stop)
    assert files(tmp_path) == before
    assert names(tmp_path / "out") == [target]


def test_interrupted_dicts_are_emptied(tiff: Path, hierarchy: Path) -> None:
    target: dict[str, bytes] = {}
    for origin, at in itertools.product((tiff, hierarchy), (1, 2, 3)):
        with pytest.raises(KeyboardInterrupt):
            anyzarr.convert(origin, target, progress=Stopping(at, KeyboardInterrupt()))
        assert target == {}


# Between opening a file and the block that closes it, an interrupt leaves that to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_while_threads_write(
    tiff: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The main thread is interrupted, as Ctrl-C does, while others are writing."""
    puts: list[str] = []
    put = LocalStore.put
    counting = threading.Lock()

    def interrupting(self: LocalStore, key: str, *args: Any, **more: Any) -> Any:
        with counting:
            puts.append(key)
            # Python ignores one that comes while an object is being collected.
            is_the_one = len(puts) % 40 == 6
        if is_the_one:
            _thread.interrupt_main()
        return put(self, key, *args, **more)

    monkeypatch.setattr(LocalStore, "put", interrupting)
    options: dict[str, Any] = {"shards": False, "chunks": (1, 64, 64), "engine": "zarr"}
    for target in ("out.zarr", "out.ozx"):
        puts.clear()
        with anyzarr.config.set(concurrency=4), pytest.raises(KeyboardInterrupt):
            anyzarr.convert(tiff, tmp_path / target, **options)
        n = len(puts)
        assert names(tmp_path) == ["in"]
        assert n < 2 * 10 * 11
        time.sleep(0.05)
        assert len(puts) == n
        gc.collect()


def test_progress_never_goes_back_and_ends_complete(tiff: Path, tmp_path: Path) -> None:
    for origin, target, labels in (
        (tiff, "a.zarr", ["levels 0 to 2"]),
        (tiff, "a.ozx", ["levels 0 to 2", "packing a.ozx"]),
        (tmp_path / "a.zarr", "b.ozx", ["packing b.ozx"]),
        (tmp_path / "a.ozx", "b.zarr", ["copying"]),
    ):
        steps: list[Progress] = []
        anyzarr.convert(origin, tmp_path / target, progress=steps.append)
        assert list(dict.fromkeys(step.label for step in steps)) == labels
        for _, group in itertools.groupby(steps, key=lambda step: step.label):
            done = list(group)
            assert done[0].done_bytes == 0
            assert all(a.done_bytes <= b.done_bytes for a, b in itertools.pairwise(done))
            assert done[-1].done_bytes == done[-1].total_bytes
            assert done[-1].fraction == 1


@pytest.mark.parametrize("target", ["in/cells.zarr/sub", "in/cells.zarr/x.ozx", "in"])
def test_target_in_or_around_the_source(hierarchy: Path, tmp_path: Path, target: str) -> None:
    before = files(tmp_path)
    for source in (hierarchy, LocalStore(hierarchy)):
        with pytest.raises(MetadataError, match="within the other"):
            anyzarr.convert(source, tmp_path / target, overwrite=True)
    assert files(tmp_path) == before


def test_a_source_within_what_would_be_replaced(tiff: Path, archive: Path, tmp_path: Path) -> None:
    anyzarr.convert(tiff, tmp_path / "out.zarr")
    for source in (tiff, archive):
        inside = tmp_path / "out.zarr" / source.name
        os.link(source, inside)
        with pytest.raises(MetadataError, match="within the other"):
            anyzarr.convert(inside, tmp_path / "out.zarr", overwrite=True)
        assert inside.exists()


def test_source_and_target_are_the_same(hierarchy: Path) -> None:
    with pytest.raises(NodeExistsError, match="the same"):
        anyzarr.convert(hierarchy, f"{hierarchy}/", overwrite=True)


def no_folder(folder: Path) -> Path:
    (folder / "file").write_bytes(b"")
    return folder / "file"


def proc(folder: Path) -> Path:
    if not os.path.isdir("/proc"):
        pytest.skip("there is no /proc, which nobody can write to")
    return Path("/proc")


@pytest.mark.parametrize("place", [no_folder, proc])
@pytest.mark.parametrize("job", JOBS)
def test_places_that_cannot_be_written_to(
    request: pytest.FixtureRequest, tmp_path: Path, job: str, place: Callable[[Path], Path]
) -> None:
    source, target = JOBS[job]
    origin, folder = request.getfixturevalue(source), place(tmp_path)
    before = files(tmp_path)
    for inner in (folder / target, folder / "new" / target):
        with pytest.raises(StoreError) as caught:
            anyzarr.convert(origin, inner)
        assert str(folder) in str(caught.value)
    assert files(tmp_path) == before


def test_folder_without_permission(hierarchy: Path, tiff: Path) -> None:
    with reachable_folder() as folder:
        image = shutil.copy(tiff, folder)
        shutil.copytree(hierarchy, folder / "h.zarr")
        locked = folder / "locked"
        for target in ("out.zarr", "out.ozx"):
            anyzarr.convert(image, folder / target)  # all that it needs is loaded
        locked.mkdir(mode=0o555)
        for source in (image, folder / "h.zarr"):
            for target in ("out.zarr", "out.ozx"):
                convert = functools.partial(anyzarr.convert, source, locked / target)
                error = as_nobody(convert)
                assert isinstance(error, StoreError), error
                assert "locked" in str(error)
                assert "permissions" in str(error)
        assert list(locked.iterdir()) == []


def test_sources_that_are_not_there_or_of_no_known_kind(tmp_path: Path) -> None:
    (tmp_path / "a.oib").write_bytes(b"OTHER FORMAT" + bytes(99))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.tif").write_bytes(b"")
    (tmp_path / "bad.ozx").write_bytes(b"PK\3\4" + bytes(99))
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "zarr.json").write_text('{"zarr_fo')
    before = files(tmp_path)
    expected: dict[str, type[AnyzarrError]] = {
        "a.oib": UnsupportedError,
        "empty": NodeNotFoundError,
        "empty.tif": CorruptDataError,
        "bad.ozx": CorruptDataError,
        "cut": MetadataError,
        "missing.tif": NodeNotFoundError,
        "missing.zarr": NodeNotFoundError,
        "gopher://host/a.zarr": StoreError,
    }
    for source, error in expected.items():
        for target in ("out.zarr", "out.ozx"):
            location = source if "://" in source else tmp_path / source
            with pytest.raises(error) as caught:
                anyzarr.convert(location, tmp_path / target)
            assert source.rpartition("/")[2] in str(caught.value)
    with pytest.raises(UnsupportedError, match=r"\.tiff.*\.ozx"):
        anyzarr.convert(tmp_path / "a.oib", tmp_path / "out.zarr")
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"chunks": (1, 2)}, MetadataError),
        ({"chunks": (0, 2, 2)}, MetadataError),
        ({"chunks": (1, 2, 2), "shards": (1, 3, 3)}, MetadataError),
        ({"levels": 0}, MetadataError),
        ({"levels": "many"}, MetadataError),
        ({"method": "meen"}, UnsupportedError),
        ({"compressor": "zip"}, AnyzarrError),
        ({"version": "0.3"}, UnsupportedError),
        ({"engine": "warp"}, UnsupportedError),
        ({"series": 9}, UnsupportedError),
        ({"axes": "yx"}, MetadataError),
    ],
)
@pytest.mark.parametrize("target", ["new/out.zarr", "new/out.ozx"])
def test_wrong_options_write_nothing(
    tiff: Path, tmp_path: Path, options: dict[str, Any], error: type[AnyzarrError], target: str
) -> None:
    with pytest.raises(error):
        anyzarr.convert(tiff, tmp_path / target, **options)
    assert names(tmp_path) == ["in"]


def test_a_hierarchy_is_not_changed_on_the_way(hierarchy: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="name"):
        anyzarr.convert(hierarchy, tmp_path / "out.zarr", name="x")
    with pytest.raises(UnsupportedError, match="image file"):
        anyzarr.convert(hierarchy, tmp_path / "out.tif")


def test_what_others_left_behind_is_not_copied(hierarchy: Path, tmp_path: Path) -> None:
    expected = files(hierarchy)
    (hierarchy / ".DS_Store").write_bytes(b"x")
    (hierarchy / "0" / "c.tmp").write_bytes(b"x")
    report = anyzarr.convert(hierarchy, tmp_path / "out.zarr")
    assert files(tmp_path / "out.zarr") == expected
    assert "2 objects" in report.warnings[0]


def test_report_in_words_and_values(tiff: Path, tmp_path: Path) -> None:
    report = anyzarr.convert(tiff, tmp_path / "out.ozx")
    assert "c=2 y=600 x=700 uint16, 3 levels" in str(report)
    assert "entries" in str(report)
    values = report.to_dict()
    assert values["level_shapes"][1] == (2, 300, 350)
    assert report.seconds > 0


def test_what_was_replaced_is_not_gone_on_with(tiff: Path, hierarchy: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.zarr"
    # As a process leaves it that was killed right after the new had taken the place of the old.
    left = _atomic.staging_path(target, again=True)
    shutil.copytree(hierarchy, left)
    (left / "9").mkdir()
    (left / "9" / "zarr.json").write_bytes((left / "0" / "zarr.json").read_bytes())
    anyzarr.convert(tiff, target, resume=True)
    assert not (target / "9").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.zarr"]


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tiff", "run_{t}.tif", "a.nd2", "a.npy"])
def test_image_files_elsewhere_are_told_to_be_copied(tmp_path: Path, name: str) -> None:
    for base in ("s3://nobody/runs/", "https://localhost:1/", "gs://nobody/"):
        with pytest.raises(UnsupportedError, match="copy it"):
            anyzarr.convert(f"{base}{name}", tmp_path / "out.zarr")
        refuse_remote_images(Location(f"{base}{name}|zarr3:", None, {}))  # it may be Zarr
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize("target", ["out.zarr", "out.ozx"])
def test_the_format_that_a_source_is_said_to_be_of(
    hierarchy: Path, tmp_path: Path, target: str
) -> None:
    with pytest.raises(MetadataError) as caught:
        anyzarr.convert(f"{hierarchy}|zarr2:", tmp_path / target)
    assert caught.value.kind == "zarr_format"
    assert not (tmp_path / target).exists()
    assert anyzarr.convert(f"{hierarchy}|zarr3:", tmp_path / target).n_objects > 3
