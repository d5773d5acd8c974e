"""Independent readers open the archives that are written, and ours open what others write."""

import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr

pytestmark = pytest.mark.oracle

PIXELS = np.random.default_rng(0).integers(0, 999, (2, 600, 700)).astype("u2")


@pytest.fixture(scope="module", params=["sharded", "unsharded", "v2"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    version = "0.4" if request.param == "v2" else "0.5"
    with anyzarr.open_ome_zarr(folder / "a.zarr", mode="w-", axes="cyx", version=version) as image:
        shards = None if request.param == "sharded" else False
        image.create_image("0", PIXELS, shards=shards, chunks=(1, 256, 256))
        image.compute_pyramid(levels=3)
    anyzarr.convert(folder / "a.zarr", folder / "a.ozx")
    return folder / "a.ozx"


def levels(archive: Path) -> list[np.ndarray]:
    return [array[...] for array in anyzarr.open_ome_zarr(archive).levels]


def test_zarr_python(archive: Path) -> None:
    zarr = pytest.importorskip("zarr", minversion="3")
    with zarr.storage.ZipStore(archive, mode="r") as store:
        group = zarr.open_group(store, mode="r")
        for name, expected in enumerate(levels(archive)):
            np.testing.assert_array_equal(group[str(name)][...], expected)
        assert "ome" in group.attrs or "multiscales" in group.attrs


def test_zarrista(archive: Path) -> None:
    zarrista = pytest.importorskip("zarrista")
    folder = zarrista.store.FilesystemStore(archive.parent)
    store = zarrista.store.ZipStore(folder, archive.name)
    for name, expected in enumerate(levels(archive)):
        array = zarrista.Array.open(store, f"/{name}")
        np.testing.assert_array_equal(np.asarray(array[...]), expected)


def test_tensorstore(archive: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    version = anyzarr.open_ome_zarr(archive).version
    for name, expected in enumerate(levels(archive)):
        spec = {
            "driver": "zarr" if version == "0.4" else "zarr3",
            "kvstore": {
                "driver": "zip",
                "base": {"driver": "file", "path": str(archive)},
                "path": f"{name}/",
            },
        }
        array = tensorstore.open(spec, read=True).result()
        np.testing.assert_array_equal(array.read().result(), expected)


@pytest.mark.parametrize("engine", [n for n in anyzarr.list_engines() if n != "native"])
def test_our_engines(archive: Path, engine: str) -> None:
    image = anyzarr.open_ome_zarr(archive, engine=engine)
    np.testing.assert_array_equal(image.data[...], PIXELS)


@pytest.mark.filterwarnings("ignore")
def test_ngff_zarr_reads_ours(archive: Path) -> None:
    ngff_zarr = pytest.importorskip("ngff_zarr")
    if anyzarr.open_ome_zarr(archive).version == "0.4":
        pytest.skip("ngff-zarr takes every .ozx for Zarr v3")
    read = ngff_zarr.from_ngff_zarr(str(archive))
    for image, expected in zip(read.images, levels(archive), strict=True):
        np.testing.assert_array_equal(np.asarray(image.data), expected)


@pytest.mark.filterwarnings("ignore")
def test_ngff_zarr_writes_what_we_read(tmp_path: Path) -> None:
    ngff_zarr = pytest.importorskip("ngff_zarr")
    image = ngff_zarr.to_ngff_image(PIXELS, dims="cyx", scale={"c": 1.0, "y": 0.5, "x": 0.25})
    path = tmp_path / "theirs.ozx"
    ngff_zarr.to_ngff_zarr(str(path), ngff_zarr.to_multiscales(image, [2], chunks=128))
    ours = anyzarr.open_ome_zarr(path)
    np.testing.assert_array_equal(ours.data[...], PIXELS)
    assert ours.scale == [1, 0.5, 0.25]
    report = anyzarr.validate(path)
    assert report.valid
    assert {rule.rule for rule in report.archive if not rule.met} <= {"ozx-zip64", "ozx-sharding"}
    facts = anyzarr.info(path, stored=True).archive
    assert facts.n_entries == len(zipfile.ZipFile(path).namelist())
    anyzarr.convert(path, tmp_path / "again.ozx")  # with ZIP64
    np.testing.assert_array_equal(np.asarray(levels(tmp_path / "again.ozx")[0]), PIXELS)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zarr_python_writes_what_we_read(tmp_path: Path) -> None:
    """Metadata last, and twice what is written twice."""
    zarr = pytest.importorskip("zarr", minversion="3")
    path = tmp_path / "theirs.zip"
    with zarr.storage.ZipStore(path, mode="w") as to:
        group = zarr.create_group(to)
        array = group.create_array("a", data=PIXELS, chunks=(1, 256, 256))
        array.attrs["first"] = 1
        array.attrs["second"] = 2
    written = zipfile.ZipFile(path).namelist()
    assert len(set(written)) < len(written)
    ours = anyzarr.open_array(path, path="a")
    np.testing.assert_array_equal(ours[...], PIXELS)
    assert dict(ours.attrs) == {"first": 1, "second": 2}
    anyzarr.convert(path, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        names = packed.namelist()
    assert len(set(names)) == len(names), "each is there once"
    assert anyzarr.open_array(tmp_path / "a.zip", path="a").attrs["second"] == 2


@pytest.mark.parametrize("options", [("-qr0",), ("-qr",), ("-qr", "-fz")])
@pytest.mark.parametrize("nested", [False, True])
def test_zip_writes_what_we_read(tmp_path: Path, options: tuple[str, ...], nested: bool) -> None:
    """By the command ``zip -r``: stored or deflated, with ZIP64 or without, folder or not."""
    program = shutil.which("zip")
    if program is None:
        pytest.skip("the command zip is not installed")
    folder = tmp_path / "a.zarr"
    with anyzarr.open_ome_zarr(folder, mode="w", axes="cyx") as image:
        image.create_image("0", PIXELS, chunks=(1, 256, 256))
    (folder / ".DS_Store").write_bytes(b"x")
    what, where = ("a.zarr", tmp_path) if nested else (".", folder)
    for name in ("b.ozx", "B.OZX", "b.zip"):
        subprocess.run([program, *options, tmp_path / name, what], cwd=where, check=True)
        for engine in ("native", "zarr"):
            if engine in anyzarr.list_engines():
                ours = anyzarr.open_ome_zarr(tmp_path / name, engine=engine)
                np.testing.assert_array_equal(ours.data[...], PIXELS)
        anyzarr.convert(tmp_path / name, tmp_path / "c.ozx", overwrite=True)
        report = anyzarr.validate(tmp_path / "c.ozx")
        assert [rule.rule for rule in report.archive if not rule.met] == []


@pytest.mark.parametrize(
    "command", [["unzip", "-tqq"], ["zipinfo", "-1"], ["jar", "--list", "--file"], ["zip", "-T"],
                ["bsdtar", "-tf"], ["7z", "t"]], ids=lambda c: c[0]
)  # fmt: skip
def test_commands_read_ours(archive: Path, command: list[str]) -> None:
    program: Any = shutil.which(command[0])
    if program is None:
        pytest.skip(f"the command {command[0]} is not installed")
    done = subprocess.run([program, *command[1:], archive], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if command[0] in ("zipinfo", "jar", "bsdtar"):
        assert done.stdout.split() == zipfile.ZipFile(archive).namelist()
