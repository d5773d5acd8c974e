"""``examples/demo.py``, as ``make demo`` runs it, and what independent readers say of its files."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import anyzarr

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"
NAMES = ("tissue", "cell", "retina")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the demo twice into one folder, without a home and without a network."""
    folder = tmp_path_factory.mktemp("demo")
    blocked = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    environment = {**os.environ, **blocked, "HOME": str(folder / "home"), "COLUMNS": "120"}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, str(DEMO), str(folder / "out")],
            capture_output=True, text=True, env=environment, check=False, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out", done.stdout


def test_every_engine_reads_equal_values_from_both_stores(demo: tuple[Path, str]) -> None:
    lines = [line.split() for line in demo[1].splitlines()]
    for engine in anyzarr.list_engines():
        for store in ("folder", "ozx"):
            (row,) = [line for line in lines if line[:2] == [engine, store]]
            assert row[-1] == "yes"


def test_it_says_where_everything_is(demo: tuple[Path, str]) -> None:
    folder, out = demo
    for name in NAMES:
        for suffix in (".ome.tif", ".ome.zarr", ".ozx", ".png"):
            path = folder / f"{name}{suffix}"
            assert path.exists()
            assert str(path) in out


def test_pixels_and_metadata_survive(demo: tuple[Path, str]) -> None:
    import skimage.data

    folder, _ = demo
    cell = anyzarr.open_ome_zarr(folder / "cell.ozx")
    np.testing.assert_array_equal(cell.data[0], skimage.data.cell())
    facts = anyzarr.info(folder / "tissue.ome.zarr")
    assert [axis.name for axis in facts.axes] == ["c", "y", "x"]
    assert [axis.scale for axis in facts.axes[1:]] == [0.5, 0.5]
    assert {axis.unit for axis in facts.axes[1:]} == {"micrometer"}
    assert [channel.name for channel in facts.channels] == ["Hematoxylin", "DAB"]
    assert len(anyzarr.info(folder / "retina.ozx").levels) > 1


@pytest.mark.parametrize("name", NAMES)
def test_previews_fit_a_screen(demo: tuple[Path, str], name: str) -> None:
    with Image.open(demo[0] / f"{name}.png") as picture:
        assert picture.width <= 1600
        assert picture.height <= 1000
        assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 100


@pytest.mark.oracle
@pytest.mark.parametrize("name", NAMES)
def test_yaozarrs_and_ome_zarr_models_accept_it(demo: tuple[Path, str], name: str) -> None:
    import yaozarrs
    import zarr
    from ome_zarr_models.v05.image import Image as ImageModel

    folder = demo[0] / f"{name}.ome.zarr"
    yaozarrs.validate_zarr_store(str(folder))
    model = ImageModel.from_zarr(zarr.open_group(str(folder), mode="r"))
    assert [axis.name for axis in model.attributes.ome.multiscales[0].axes] == ["c", "y", "x"]


@pytest.mark.oracle
@pytest.mark.parametrize("name", NAMES)
def test_zarr_python_reads_equal_values_from_folder_and_ozx(
    demo: tuple[Path, str], name: str
) -> None:
    import zarr

    expected = anyzarr.open_ome_zarr(demo[0] / f"{name}.ome.zarr").data[...]
    theirs = zarr.open_group(str(demo[0] / f"{name}.ome.zarr"), mode="r")["0"][...]
    np.testing.assert_array_equal(theirs, expected)
    with zarr.storage.ZipStore(demo[0] / f"{name}.ozx", mode="r") as store:
        np.testing.assert_array_equal(zarr.open_group(store, mode="r")["0"][...], expected)


@pytest.mark.oracle
@pytest.mark.skipif(sys.version_info < (3, 12), reason="iohub 0.3 needs Python 3.12 or newer")
@pytest.mark.parametrize("name", NAMES)
def test_iohub_reads_equal_values(demo: tuple[Path, str], name: str) -> None:
    import iohub

    folder = demo[0] / f"{name}.ome.zarr"
    ours = anyzarr.open_ome_zarr(folder)
    with iohub.open_ome_zarr(folder, layout="fov", mode="r") as theirs:
        assert theirs.channel_names == ours.channel_names
        np.testing.assert_array_equal(theirs.data[...], ours.data[...])
