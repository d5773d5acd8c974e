"""Plates: creating their positions, going through them, opening them, and ``info`` as a process.

Every candidate makes its own plate, and goes through and opens the one that it made.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _measure import Row, compare, save

import anyzarr

SIZES = {96: (8, 12), 384: (16, 24)}
SIZES_FULL = {**SIZES, 3456: (48, 72)}
OURS = "anyzarr"
IMAGE = {"shape": (1, 2, 3, 64, 64), "dtype": "uint16"}
NOTE = """
Positions with arrays hold the metadata of a (1, 2, 3, 64, 64) uint16 image each and no chunks. *One
by one* is `create_position` in a loop, within a `with` block. Opening reads the plate's own
document; going through the positions reads those of all wells and positions.
"""

Spots = list[tuple[str, str, str]]


def spots_of(n_rows: int, n_columns: int) -> Spots:
    """Return one field of view per well."""
    rows = [a + b for a in ("", "A", "B") for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"][:n_rows]
    return [(row, str(column + 1), "0") for row in rows for column in range(n_columns)]


def ours(path: Path) -> Any:
    return anyzarr.open_ome_zarr(
        path, layout="hcs", mode="w-", axes="tczyx", channel_names=["a", "b"]
    )


def theirs(path: Path) -> Any:
    from iohub.ngff import open_ome_zarr

    return open_ome_zarr(path, layout="hcs", mode="w-", channel_names=["a", "b"])


def create_ours(path: Path, spots: Spots, arrays: bool) -> None:
    with ours(path) as plate:
        plate.create_positions(spots, **(IMAGE if arrays else {}))


def one_by_one_ours(path: Path, spots: Spots, arrays: bool) -> None:
    with ours(path) as plate:
        for spot in spots:
            plate.create_position(*spot, **(IMAGE if arrays else {}))


def create_theirs(path: Path, spots: Spots, arrays: bool) -> None:
    with theirs(path) as plate:
        for position in plate.create_positions(spots):
            if arrays:
                position.create_zeros("0", **IMAGE)


def one_by_one_theirs(path: Path, spots: Spots, arrays: bool) -> None:
    with theirs(path) as plate:
        for spot in spots:
            position = plate.create_position(*spot)
            if arrays:
                position.create_zeros("0", **IMAGE)


@contextlib.contextmanager
def fresh(folder: Path, make: Callable[..., None]) -> Iterator[Callable[[Spots, bool], Path]]:
    """Yield what makes a plate where there is none yet; remove them all at the end."""
    numbers = itertools.count()
    made: list[Path] = []

    def work(spots: Spots, arrays: bool) -> Path:
        made.append(folder / f"{make.__name__}-{next(numbers)}.zarr")
        make(made[-1], spots, arrays)
        return made[-1]

    yield work
    for path in made:
        shutil.rmtree(path)


def create_row(folder: Path, spots: Spots, *, arrays: bool, loop: bool) -> Row:
    makers = {
        OURS: one_by_one_ours if loop else create_ours,
        "iohub": one_by_one_theirs if loop else create_theirs,
    }
    how = "one by one" if loop else "in one call"
    what = "with arrays" if arrays else "alone"

    def check(name: str, result: Any) -> None:
        found = {path for path, _ in anyzarr.open_ome_zarr(result).positions()}
        assert found == {"/".join(spot) for spot in spots}, f"{name} made {len(found)} positions"

    with contextlib.ExitStack() as stack:
        makes = {n: stack.enter_context(fresh(folder, make)) for n, make in makers.items()}
        candidates = {n: (lambda make=make: make(spots, arrays)) for n, make in makes.items()}
        return compare(
            f"create {len(spots)} positions {what}, {how}", candidates, ours=OURS, check=check,
            rounds=5 if len(spots) < 1000 else 1, seconds=0,
        )  # fmt: skip


def read_rows(folder: Path, spots: Spots) -> list[Row]:
    from iohub.ngff import open_ome_zarr

    paths = {OURS: folder / "ours.zarr", "iohub": folder / "theirs.zarr"}
    create_ours(paths[OURS], spots, True)
    create_theirs(paths["iohub"], spots, True)
    opening: dict[str, Callable[[Path], Any]] = {
        OURS: anyzarr.open_ome_zarr,
        "iohub": open_ome_zarr,
    }

    def check_open(name: str, plate: Any) -> None:
        assert len(plate.metadata.wells) == len(spots)

    def check_all(name: str, found: Any) -> None:
        assert [position.channel_names for _, position in found] == [["a", "b"]] * len(spots)

    n = len(spots)
    rounds = 5 if n < 1000 else 2
    opens = {name: (lambda name=name: opening[name](paths[name])) for name in paths}
    walks = {name: (lambda name=name: list(opening[name](paths[name]).positions()))
             for name in paths}  # fmt: skip
    rows = [
        compare(f"open {n} positions", opens, ours=OURS, check=check_open, rounds=rounds),
        compare(f"open and go through {n} positions", walks, ours=OURS, check=check_all,
                rounds=rounds, seconds=0),
    ]  # fmt: skip
    scripts = Path(sysconfig.get_path("scripts"))
    commands = {
        OURS: [sys.executable, "-m", "anyzarr", "info", os.fspath(paths[OURS])],
        "iohub": [os.fspath(scripts / "iohub"), "info", os.fspath(paths["iohub"])],
    }
    processes = {name: (lambda c=command: run(c)) for name, command in commands.items()}
    rows.append(
        compare(f"info on {n} positions, a process", processes, ours=OURS, rounds=rounds, seconds=0)
    )
    for path in paths.values():
        shutil.rmtree(path)
    return rows


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main(full: bool = False) -> None:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in (SIZES_FULL if full else SIZES).values():
            spots = spots_of(*shape)
            for arrays, loop in ((False, False), (True, False), (True, True)):
                rows.append(create_row(Path(folder), spots, arrays=arrays, loop=loop))
            rows += read_rows(Path(folder), spots)
    save("plates", "Plates, milliseconds", rows, NOTE)


if __name__ == "__main__":
    main()
