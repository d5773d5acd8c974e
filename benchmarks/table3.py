"""Table 3: an image of (64, 1024, 1024) uint16 with noise, in the layouts that are in use."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import Any

import floor
import numpy as np
from _jobs import create, opened, own_copies, read_row, write_row
from _measure import Row, save
from _peers import Array, Slices, whole

NOTE = """
The floor is a Rust program with the engine's codecs that knows where everything lies, reuses all
memory, and does nothing that depends on Zarr; it runs alone in a loop, reads into memory that is
there (the others into fresh memory), and its items of work are files.
"""
SHAPE = (64, 1024, 1024)
CROP = (32, 96, 96)
ENGINES = ("native", "zarrs")


def blosc(cname: str, shuffle: str, level: int = 5) -> list[dict[str, Any]]:
    """Return a Blosc codec."""
    settings = {"cname": cname, "clevel": level, "shuffle": shuffle, "typesize": 2, "blocksize": 0}
    return [{"name": "blosc", "configuration": settings}]


LAYOUTS: dict[str, dict[str, Any]] = {
    "raw 64³": {"chunks": (64, 64, 64), "compressors": None},
    "zstd 3, 64³": {"chunks": (64, 64, 64), "compressors": "zstd:3"},
    "zstd 1, 32³ in (64, 512, 512) shards": {
        "chunks": (32, 32, 32), "shards": (64, 512, 512), "compressors": "zstd:1",
    },
    "blosc lz4 shuffle (1, 512, 512)": {
        "chunks": (1, 512, 512), "compressors": blosc("lz4", "shuffle"),
    },
    "blosc zstd bitshuffle (16, 128, 128) in (64, 512, 512) shards": {
        "chunks": (16, 128, 128), "shards": (64, 512, 512),
        "compressors": blosc("zstd", "bitshuffle", 1),
    },
    "gzip 5 (16, 256, 256)": {
        "chunks": (16, 256, 256),
        "compressors": [{"name": "gzip", "configuration": {"level": 5}}],
    },
}  # fmt: skip


def image(shape: tuple[int, ...] = SHAPE) -> Array:
    """Return smooth structure with the noise of a camera."""
    rng = np.random.default_rng(0)
    z, y, x = (np.arange(n, dtype="float32") for n in shape)
    plane = 800 * np.sin(y / 90)[:, None] * np.cos(x / 120)
    out = np.empty(shape, "uint16")
    for index, depth in enumerate(z):
        clean = 2000 + plane * np.cos(depth / 20)
        out[index] = clean + rng.normal(0, 40, shape[1:]).astype("float32")
    return out


def crops(shape: tuple[int, ...], number: int) -> list[Slices]:
    """Return random places, as training takes them."""
    rng = np.random.default_rng(1)
    starts = [rng.integers(0, n - size + 1, number) for n, size in zip(shape, CROP, strict=True)]
    return [
        tuple(slice(int(n), int(n) + size) for n, size in zip(at, CROP, strict=True))
        for at in zip(*starts, strict=True)
    ]


def rows_for(name: str, layout: dict[str, Any], data: Array, folder: Path, n: int) -> list[Row]:
    """Return the rows of one layout."""
    location = folder / "image.zarr"
    create(location, data, **layout)
    peers = opened(location, ENGINES)
    plane = (slice(30, 31), *whole(data)[1:])
    rows = [
        read_row(f"{name}: full read", peers, data, [whole(data)]),
        read_row(f"{name}: one plane", peers, data, [plane]),
        read_row(f"{name}: {n} crops of 32×96×96", peers, data, crops(data.shape, n)),
    ]
    copies = own_copies(location, ENGINES)
    rows.append(write_row(f"{name}: full write", copies, data, whole(data)))
    floors = floor.of_layout(location, data)
    for index, what in ((0, "read"), (-1, "write")):
        rows[index] = dataclasses.replace(rows[index], floor_ms=floors.get(what))
    for copy in folder.iterdir():
        shutil.rmtree(copy)
    return rows


def main(full: bool = False) -> None:
    """Measure, print and save."""
    data = image()
    rows = []
    for name, layout in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            rows += rows_for(name, layout, data, Path(folder), 50 if full else 10)
    save("table3", "Table 3: an image of (64, 1024, 1024) uint16 with noise", rows, NOTE)


if __name__ == "__main__":
    main()
