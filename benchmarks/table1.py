"""Table 1: a 2048×2048 uint16 image, 64×64 subchunks in 512×512 shards, zstd 3."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import floor
import numpy as np
import tensorstore as ts
import zarr
import zarrista
from _jobs import create, opened, own_copies, read_into_row, read_row, write_row
from _measure import Row, compare, save
from _peers import ENGINES, PIPELINES, Array, whole

import anyzarr

SIDE = 2048
SUBCHUNK = np.s_[640:704, 1280:1344]
NOTE = """
Noisy: smooth and Gaussian noise, about 1.5 to 1; compressible: `arange`. Reading a subchunk or a
row again and again finds shard indexes that an engine keeps. zarrista cannot read into memory
that is there: it reads and copies. The floor runs alone in a loop, with its data warm in the
processor's caches, and does nothing that depends on Zarr; here each candidate comes after another.
Table 5 has ours alone in a loop, too.
"""


def images() -> dict[str, Array]:
    """Return both kinds of data."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] / 300
    noisy = 2000 + 800 * np.sin(y) * np.cos(x) + rng.normal(0, 40, (SIDE, SIDE))
    smooth = np.arange(SIDE * SIDE, dtype="uint32").reshape(SIDE, SIDE)
    return {"noisy": noisy.astype("uint16"), "compressible": (smooth % 65536).astype("uint16")}


def rows_for(
    kind: str, data: Array, folder: Path, floors: dict[floor.Key, floor.Floor]
) -> list[Row]:
    """Return the rows of one kind of data."""
    location = folder / f"{kind}.zarr"
    create(location, data, chunks=(64, 64), shards=(512, 512), compressors="zstd:3")
    peers, copies = opened(location, ENGINES), own_copies(location, ENGINES)
    rows = [
        read_row(f"{kind}: full read, fresh memory", peers, data, [whole(data)]),
        read_into_row(f"{kind}: full read into `out=`", peers, data),
        write_row(f"{kind}: full write", copies, data, whole(data)),
        read_row(f"{kind}: one 64×64 subchunk", peers, data, [SUBCHUNK]),
        read_row(f"{kind}: one row", peers, data, [np.s_[1000:1001, 0:SIDE]]),
        write_row(f"{kind}: 10×10 update", copies, data, np.s_[1000:1010, 1000:1010]),
        open_row(f"{kind}: open", location),
    ]
    # The floor reads into memory that is there, and writes whole shards.
    for index, what in ((1, "read"), (2, "write")):
        if (kind, what) in floors:
            rows[index] = dataclasses.replace(rows[index], floor_ms=floors[kind, what].floor_ms)
    return rows


def open_row(job: str, location: Path) -> Row:
    """Time opening, from a path to an array whose shape and dtype are known."""
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{location}/"}}

    def ours(engine: str) -> Callable[[], object]:
        return lambda: anyzarr.open_array(location, engine=engine).shape

    def with_pipeline(path: str) -> Callable[[], object]:
        def work() -> object:
            with zarr.config.set({"codec_pipeline.path": path}):
                return zarr.open_array(str(location), mode="r+").shape

        return work

    candidates = {f"anyzarr {name}": ours(name) for name in ENGINES}
    candidates |= {name: with_pipeline(path) for name, path in PIPELINES.items()}
    candidates["zarrista"] = lambda: (
        zarrista.Array.open(zarrista.store.FilesystemStore(str(location)), "/").ndim
    )
    candidates["tensorstore"] = lambda: ts.open(spec, open=True).result().shape
    return compare(job, candidates, seconds=1)


def main(full: bool = False) -> None:
    """Measure, print and save."""
    data_of = images()
    floors = floor.measure(data_of)
    floor.report(floors)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row
            for kind, data in data_of.items()
            for row in rows_for(kind, data, Path(folder), floors)
        ]
    save("table1", "Table 1: a 2048×2048 sharded image", rows, NOTE)


if __name__ == "__main__":
    main()
