"""Train on images in an archive: a data set whose items are read by worker processes.

``python examples/data_loader.py cells.ozx [fork|spawn]`` reads every plane with four workers, with
torch's ``DataLoader`` where torch is installed, and with plain multiprocessing everywhere.
"""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import sys
from typing import Any

import numpy as np

import anyzarr

WORKERS = 4


class Planes:
    """The planes of an image along its first axis, with an archive that the parent has opened."""

    def __init__(self, location: str) -> None:
        # Opened once. A forked worker goes on with the same file; a spawned one is sent the
        # archive's address, and opens it again.
        self.image = anyzarr.open_ome_zarr(location)

    def __len__(self) -> int:
        return int(self.image.data.shape[0])

    def __getitem__(self, index: int) -> Any:
        return self.image.data[index]


_planes: Planes


def _start(planes: Planes) -> None:
    global _planes
    _planes = planes


def _load(index: int) -> tuple[int, int]:
    return index, int(_planes[index].sum())


def sums_with_multiprocessing(planes: Planes, method: str) -> dict[int, int]:
    """Return the sum of each plane, read by worker processes."""
    context: Any = multiprocessing.get_context(method)
    with context.Pool(WORKERS, initializer=_start, initargs=(planes,)) as pool:
        return dict(pool.imap_unordered(_load, range(len(planes))))


def sums_with_torch(planes: Planes, method: str) -> dict[int, int]:
    """Return the same with torch's loader, in batches."""
    torch_data: Any = importlib.import_module("torch.utils.data")
    loader = torch_data.DataLoader(
        planes,
        batch_size=4,
        num_workers=WORKERS,
        multiprocessing_context=method,
        collate_fn=np.stack,
    )
    return dict(enumerate(int(plane.sum()) for batch in loader for plane in batch))


def main(location: str, method: str = "spawn") -> None:
    """Read all planes in every way there is, and compare with what the parent reads."""
    planes = Planes(location)
    expected = {index: int(planes[index].sum()) for index in range(len(planes))}
    ways = [sums_with_multiprocessing]
    if importlib.util.find_spec("torch"):
        ways.append(sums_with_torch)
    for way in ways:
        found = way(planes, method)
        assert found == expected
        sys.stdout.write(f"{way.__name__}, {method}: {len(found)} planes\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
