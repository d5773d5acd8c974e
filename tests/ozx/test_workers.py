"""Workers that read an archive which their parent opened, and used, before they were started."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr

RECIPE = Path(__file__).parents[2] / "examples" / "data_loader.py"
PIXELS = np.random.default_rng(0).integers(0, 999, (40, 64, 96)).astype("u2")

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork"),
]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with anyzarr.open_ome_zarr(tmp_path / "a.ozx", mode="w", axes="zyx") as image:
        image.create_image("0", PIXELS, chunks=(1, 32, 32), shards=(4, 64, 96))
    return tmp_path / "a.ozx"


class Planes:
    """What a data loader asks for items: planes of an image."""

    def __init__(self, image: Any) -> None:
        self.image = image

    def __len__(self) -> int:
        return len(PIXELS)

    def __getitem__(self, index: int) -> np.ndarray:
        plane: np.ndarray = self.image.data[index]
        return plane


def sums(planes: Planes, indices: list[int], found: Any) -> None:
    for _ in range(5):
        result = [(i, int(planes[i].sum())) for i in indices]
    found.put(result)


@pytest.mark.parametrize("engine", ["native", "zarr"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_four_workers_and_their_parent(archive: Path, method: str, engine: str) -> None:
    planes = Planes(anyzarr.open_ome_zarr(archive, engine=engine))
    assert np.array_equal(planes[3], PIXELS[3]), "the archive is open, and its threads run"
    context: Any = multiprocessing.get_context(method)
    found = context.SimpleQueue()
    indices = [list(range(start, len(PIXELS), 4)) for start in range(4)]
    workers = [context.Process(target=sums, args=(planes, part, found)) for part in indices]
    for worker in workers:
        worker.start()
    # The parent goes on reading by the same descriptor.
    for _ in range(5):
        assert np.array_equal(planes.image.data[...], PIXELS)
    results = dict(item for _ in workers for item in found.get())
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert results == {i: int(plane.sum()) for i, plane in enumerate(PIXELS)}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_recipe_for_data_loaders(archive: Path, method: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(RECIPE), str(archive), method],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert lines[0] == f"sums_with_multiprocessing, {method}: 40 planes"
    has_torch = importlib.util.find_spec("torch") is not None
    assert [line.split(",")[0] for line in lines[1:]] == ["sums_with_torch"] * has_torch


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_data_loader(archive: Path, method: str) -> None:
    data = pytest.importorskip("torch.utils.data", reason="the data loader of torch")
    planes = Planes(anyzarr.open_ome_zarr(archive))
    assert np.array_equal(planes[0], PIXELS[0])
    loader = data.DataLoader(
        planes, batch_size=4, num_workers=4, multiprocessing_context=method, collate_fn=np.stack
    )
    assert np.array_equal(np.concatenate(list(loader)), PIXELS)
