"""Packing, unpacking and copying, and writing an `.ozx` directly, beside others and beside `cp`."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from _jobs import create
from _measure import OURS, Row, compare, save
from _peers import Array

import anyzarr

COPY = "(cp of the archive, fsync)"
COPIES = "(cp -r of the folder)"
FOLDER = "(native, folder)"
OPTIONS: dict[str, tuple[int, dict[str, Any]]] = {
    "256 MB in 16 shards": (1 << 28, {"chunks": (64, 1024), "shards": (2048, 8192)}),
    "64 MB in 2,048 chunks": (1 << 26, {"chunks": (128, 256)}),
    "10 MB in 10,240 chunks": (10 << 20, {"chunks": (1, 1024)}),
}
FULL: dict[str, tuple[int, dict[str, Any]]] = {
    "1 GB in 64 shards": (1 << 30, {"chunks": (64, 1024), "shards": (4096, 4096)}),
    "256 MB in 8,192 chunks": (1 << 28, {"chunks": (128, 256)}),
    "20 MB in 20,480 chunks": (20 << 20, {"chunks": (1, 1024)}),
}
NOTE = """
Bytes that do not compress, stored as they are. The floor of packing, unpacking and copying is
`cp -r` of the folder, which reads or writes the same files; `cp` of the finished archive, followed
by an `fsync` as ours is, is what a single file costs. `zipfile` has each file written to it in the
order RFC-9 recommends, or taken out of it, without `fsync`; `shutil` copies a folder. The floor of
direct writing is the same array written to a folder by the same engine. `--full`: 1 GB.
"""


def noise(n_bytes: int) -> Array:
    """Return an array of so many random bytes, rows of 8 KB or 1 KB."""
    rng = np.random.default_rng(0)
    width = 8192 if n_bytes >= 1 << 28 else 1024
    block = rng.integers(0, 256, (min(n_bytes, 1 << 26) // width, width), np.uint8)
    return np.concatenate([block + np.uint8(i) for i in range(max(1, n_bytes >> 26))])


def names_of(folder: Path) -> list[str]:
    """Return the keys of a folder, metadata first."""
    keys = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(keys, key=lambda key: (not key.endswith("zarr.json"), key))


def by_cp(source: Path, target: Path) -> None:
    """Copy with the command."""
    remove(target)
    subprocess.run(["cp", "-r", source, target], check=True)
    if target.is_file():
        with target.open("r+b") as file:
            os.fsync(file.fileno())


def remove(target: Path) -> None:
    """Remove what the turn before has made."""
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)


def by_anyzarr(source: Path, target: Path) -> None:
    """Pack, unpack or copy."""
    remove(target)
    anyzarr.convert(source, target)


def packed_by_zipfile(folder: Path, target: Path) -> None:
    """Pack with the standard library."""
    remove(target)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in names_of(folder):
            archive.write(folder / name, name)


def unpacked_by_zipfile(source: Path, target: Path) -> None:
    """Unpack with the standard library."""
    remove(target)
    with zipfile.ZipFile(source) as archive:
        archive.extractall(target)


def copied_by_shutil(source: Path, target: Path) -> None:
    """Copy with the standard library."""
    remove(target)
    shutil.copytree(source, target)


def copiers(folder: Path) -> dict[str, dict[str, Callable[[], object]]]:
    """Return the jobs, and who does them."""
    place, whole = folder.parent, folder.parent / "whole.ozx"
    by_anyzarr(folder, whole)
    run = functools.partial
    floor = {COPIES: run(by_cp, folder, place / "floor.zarr")}
    return {
        "pack": {
            OURS: run(by_anyzarr, folder, place / "ours.ozx"),
            "zipfile": run(packed_by_zipfile, folder, place / "theirs.ozx"),
            COPY: run(by_cp, whole, place / "copy.ozx"),
            **floor,
        },
        "unpack": {
            OURS: run(by_anyzarr, whole, place / "ours.zarr"),
            "zipfile": run(unpacked_by_zipfile, whole, place / "theirs.zarr"),
            **floor,
        },
        "copy": {
            OURS: run(by_anyzarr, folder, place / "ours.zarr"),
            "shutil": run(copied_by_shutil, folder, place / "theirs.zarr"),
            **floor,
        },
    }


def writers(folder: Path, data: Array, options: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """Return who writes an array straight into an archive."""
    shards = options.get("shards")
    settings = {"chunks": options["chunks"], "shards": shards, "compressors": None}

    def ours() -> object:
        with anyzarr.create_array(
            folder / "ours.zip", data=data, overwrite=True, engine="native", **settings
        ):
            return None

    def to_folder() -> object:
        shutil.rmtree(folder / "plain.zarr", ignore_errors=True)
        return anyzarr.create_array(folder / "plain.zarr", data=data, engine="native", **settings)

    def by_zarr() -> object:
        with zarr.storage.ZipStore(folder / "zarr.zip", mode="w") as store:
            return zarr.create_array(store, data=data, fill_value=0, **settings)

    return {OURS: ours, FOLDER: to_folder, "zarr-python": by_zarr}


def row_of(job: str, works: dict[str, Callable[[], object]], floor: str) -> Row:
    """Time the candidates."""
    row = compare(job, works, rounds=3, seconds=1)
    return dataclasses.replace(row, floor_ms=row.median_ms.get(floor))


def main(*, full: bool = False) -> None:
    """Measure, print and save."""
    rows = []
    for layout, (n_bytes, options) in (FULL if full else OPTIONS).items():
        data = noise(n_bytes)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "a.zarr"
            create(folder, data, compressors=None, **options)
            for job, works in copiers(folder).items():
                rows.append(row_of(f"{job} {layout}", works, COPIES))
        if "shards" not in options:
            with tempfile.TemporaryDirectory() as temporary:
                works = writers(Path(temporary), data, options)
                rows.append(row_of(f"write {layout}", works, FOLDER))
    save("packing", "Packing, unpacking, copying", rows, NOTE)


if __name__ == "__main__":
    main()
