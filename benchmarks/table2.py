"""Table 2: the arrays of zarr_benchmarks: a cube of uint16, plain, in zstd chunks, and sharded."""

from __future__ import annotations

import shutil
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from _jobs import create, opened, own_copies, read_row, write_row
from _measure import Row, compare, save
from _peers import Array, Slices, openers, whole

LAYOUTS: dict[str, dict[str, Any]] = {
    "plain 256³": {"chunks": (256,) * 3, "compressors": None},
    "zstd 0, 256³": {"chunks": (256,) * 3, "compressors": "zstd:0"},
    "zstd 0, 64³ in 256³ shards": {
        "chunks": (64,) * 3, "shards": (256,) * 3, "compressors": "zstd:0",
    },
}  # fmt: skip
ENGINES = ("native",)


def cube(side: int) -> Array:
    """Return the data: (g2 + g1² / 32 + g0³) % 65536."""
    axis = np.arange(side, dtype="int64")
    g0, g1, g2 = axis[:, None, None] ** 3, axis[None, :, None] ** 2 // 32, axis[None, None, :]
    out = np.empty((side,) * 3, "uint16")
    for z in range(side):
        out[z] = ((g2 + g1 + g0[z]) % 65536)[0]
    return out


def cells(side: int, step: int) -> list[Slices]:
    """Return every cell of a grid, in order."""
    starts = range(0, side, step)
    return [tuple(slice(n, n + step) for n in at) for at in product(starts, repeat=3)]


def rows_for(name: str, layout: dict[str, Any], data: Array, folder: Path) -> list[Row]:
    """Return the rows of one layout."""
    location = folder / "cube.zarr"
    create(location, data, **layout)
    peers = opened(location, ENGINES)
    side = data.shape[0]
    chunks, subchunks = cells(side, 256), cells(side, 64)
    rows = [
        read_row(f"{name}: read all", peers, data, [whole(data)]),
        read_row(f"{name}: chunk by chunk", peers, data, chunks),
    ]
    if "shards" in layout:
        rows.append(read_row(f"{name}: subchunk by subchunk", peers, data, subchunks))
    copies = own_copies(location, ENGINES)
    rows.append(write_row(f"{name}: write all", copies, data, whole(data)))
    rows.append(round_trip(f"{name}: round trip", location, data))
    for copy in folder.iterdir():
        shutil.rmtree(copy)
    return rows


def round_trip(job: str, location: Path, data: Array) -> Row:
    """Time writing everything, opening it anew, and reading everything."""
    copies = {name: path for name, (path, _) in own_copies(location, ENGINES).items()}
    candidates = {}
    for name, opener in openers(ENGINES).items():

        def work(opener: Any = opener, path: Path = copies[name]) -> Array:
            opener(path).write(whole(data), data)
            found: Array = opener(path).read(whole(data))
            return found

        candidates[name] = work

    def check(name: str, result: Any) -> None:
        if not np.array_equal(result, data):
            raise ValueError("the result is wrong")

    return compare(job, candidates, check=check)


def main(full: bool = False) -> None:
    """Measure, print and save."""
    side = 1024 if full else 512
    data = cube(side)
    rows = []
    for name, layout in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            rows += rows_for(name, layout, data, Path(folder))
    save("table2", f"Table 2: a cube of {side}³ uint16", rows)


if __name__ == "__main__":
    main()
