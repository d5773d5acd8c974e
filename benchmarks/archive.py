"""Reading an `.ozx` beside the folder that it was packed from."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts
import zarr
from _jobs import create
from _measure import OURS, Row, compare, save
from _peers import Array, Slices
from table1 import images

import anyzarr
from anyzarr.stores import LocalStore, ZipStore

FOLDER = "(native, folder)"
LAYOUTS: dict[str, dict[str, Any]] = {
    "64×64 subchunks in 512×512 shards, zstd 3": {
        "chunks": (64, 64),
        "shards": (512, 512),
        "compressors": "zstd:3",
    },
    "256×256 chunks, zstd 3": {"chunks": (256, 256), "compressors": "zstd:3"},
    "64×64 chunks, not compressed": {"chunks": (64, 64), "compressors": None},
}
JOBS: dict[str, Slices] = {
    "full read": np.s_[:, :],
    "one row": np.s_[1000:1001, :],
    "64×64": np.s_[640:704, 1280:1344],
}
NOTE = """
A 2048×2048 uint16 image, the noisy one of table 1. The floor here is the native engine on the
folder: *ours ÷ floor* is what the archive costs. *Through callbacks* is the same engine where it
gets its bytes from the store in Python, as from an archive that is an object of another store.
Ours and the others take turns apart from each other, so that what a slow one leaves in the caches
of the processor does not blur a few percent.
"""


def pack(folder: Path) -> Path:
    """Pack a folder; return the archive."""
    target = folder.with_suffix(".ozx")
    anyzarr.convert(folder, target, overwrite=True)
    return target


def ours(folder: Path, archive: Path) -> dict[str, Any]:
    """Return our array, from each source."""
    by_bytes = ZipStore((LocalStore(archive.parent), archive.name))
    return {
        OURS: anyzarr.open_array(archive, engine="native"),
        FOLDER: anyzarr.open_array(folder, engine="native"),
        "anyzarr native, through callbacks": anyzarr.open_array(by_bytes, engine="native"),
    }


def everyones(archive: Path) -> dict[str, Any]:
    """Return everyone's array, as an object that is indexed."""
    kvstore = {"driver": "zip", "base": {"driver": "file", "path": str(archive)}}
    return {
        OURS: anyzarr.open_array(archive, engine="native"),
        "zarr-python": zarr.open_array(zarr.storage.ZipStore(archive, mode="r"), mode="r"),
        "tensorstore": ts.open({"driver": "zarr3", "kvstore": kvstore}, open=True).result(),
    }


def row_of(job: str, arrays: dict[str, Any], data: Array, where: Slices) -> Row:
    """Time reading one region."""

    def check(name: str, result: Any) -> None:
        if not np.array_equal(result, data[where]):
            raise ValueError("the result is wrong")

    works = {name: (lambda array=array: np.asarray(array[where])) for name, array in arrays.items()}
    row = compare(job, works, check=check)
    return dataclasses.replace(row, floor_ms=row.median_ms.get(FOLDER))


def main() -> None:
    """Measure, print and save."""
    data = images()["noisy"]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for number, (layout, options) in enumerate(LAYOUTS.items()):
            folder = Path(temporary) / f"{number}.zarr"
            create(folder, data, **options)
            archive = pack(folder)
            for arrays in (ours(folder, archive), everyones(archive)):
                rows += [row_of(f"{layout}: {job}", arrays, data, s) for job, s in JOBS.items()]
    save("archive", "Reading an `.ozx`", rows, NOTE)


if __name__ == "__main__":
    main()
