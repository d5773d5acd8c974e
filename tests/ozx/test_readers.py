"""Independent readers open the archives that are written, and give equal values."""

from pathlib import Path

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
