"""Selections by index arrays, on the noisy array of table 1."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import zarr
from _jobs import create, own_copies
from _measure import Row, compare, save
from _peers import ENGINES, Array, Ours, Tensorstore, Zarrista, ZarrPython, whole
from table1 import SIDE, images

import anyzarr

NOTE = """
Points are uniformly random, with repetitions, in no order. Peers are given the selection by the
interface they have for it; zarrista has none, so everything is read and numpy selects.
"""


@dataclass(frozen=True)
class Job:
    """What is selected: numpy's index, and the rule by which its arrays combine."""

    name: str
    mode: Literal["points", "orthogonal", "mixed", "mask"]
    index: Any

    @property
    def numpy_index(self) -> Any:
        """The index that makes numpy select the same."""
        return np.ix_(*self.index) if self.mode == "orthogonal" else self.index


class Selecting(Protocol):
    """One opened array."""

    def read(self, job: Job) -> Array:
        """Return what is selected."""

    def write(self, job: Job, value: Array) -> None:
        """Write what is selected."""


class OursSelecting:
    def __init__(self, peer: Ours) -> None:
        self.array = peer.array

    def read(self, job: Job) -> Array:
        return np.asarray(
            (self.array.oindex if job.mode == "orthogonal" else self.array)[job.index]
        )

    def write(self, job: Job, value: Array) -> None:
        if job.mode == "orthogonal":
            self.array.oindex[job.index] = value
        else:
            self.array[job.index] = value


class ZarrSelecting:
    def __init__(self, peer: ZarrPython) -> None:
        self.array, self.setting = peer.array, peer.setting

    def _by_mode(self, job: Job) -> Any:
        return self.array.oindex if job.mode in ("orthogonal", "mixed") else self.array.vindex

    def read(self, job: Job) -> Array:
        with zarr.config.set(self.setting):
            return np.asarray(self._by_mode(job)[job.index])

    def write(self, job: Job, value: Array) -> None:
        with zarr.config.set(self.setting):
            self._by_mode(job)[job.index] = value


class ZarristaSelecting:
    def __init__(self, peer: Zarrista) -> None:
        self.peer = peer

    def read(self, job: Job) -> Array:
        return np.asarray(self.peer.read((slice(0, SIDE), slice(0, SIDE)))[job.numpy_index])

    def write(self, job: Job, value: Array) -> None:
        everything = self.peer.read((slice(0, SIDE), slice(0, SIDE))).copy()
        everything[job.numpy_index] = value
        self.peer.write(whole(everything), everything)


class TensorstoreSelecting:
    def __init__(self, peer: Tensorstore) -> None:
        self.array = peer.array

    def _selected(self, job: Job) -> Any:
        return self.array.oindex[job.index] if job.mode == "orthogonal" else self.array[job.index]

    def read(self, job: Job) -> Array:
        return np.asarray(self._selected(job).read().result())

    def write(self, job: Job, value: Array) -> None:
        self._selected(job).write(value).result()


KINDS: dict[type, Callable[[Any], Selecting]] = {
    Ours: OursSelecting,
    ZarrPython: ZarrSelecting,
    Zarrista: ZarristaSelecting,
    Tensorstore: TensorstoreSelecting,
}


def jobs() -> list[Job]:
    """Return the selections."""
    rng = np.random.default_rng(0)

    def some(n: int, side: int = SIDE) -> Array:
        return rng.integers(0, side, n)

    return [
        Job("10,000 points", "points", (some(10_000), some(10_000))),
        Job("1,000,000 points", "points", (some(1_000_000), some(1_000_000))),
        Job("100 points in one shard", "points", (some(100, 512), some(100, 512))),
        Job("500 rows × 500 columns", "orthogonal", (some(500), some(500))),
        Job("50 rows, columns 100 to 1900", "mixed", (some(50), slice(100, 1900))),
        Job("a mask of 1 % of all elements", "mask", rng.random((SIDE, SIDE)) < 0.01),
    ]


def read_row(job: Job, data: Array, peers: dict[str, Selecting]) -> Row:
    """Time reading one selection into fresh memory."""
    expected = data[job.numpy_index]

    def work(peer: Selecting) -> Callable[[], Array]:
        return lambda: peer.read(job)

    def check(name: str, found: Any) -> None:
        if not np.array_equal(found, expected):
            raise ValueError("the result is wrong")

    return compare(f"read {job.name}", {n: work(p) for n, p in peers.items()}, check=check)


def write_row(job: Job, data: Array, peers: dict[str, tuple[Path, Selecting]]) -> Row:
    """Time writing what is there already."""
    value = data[job.numpy_index]

    def work(peer: Selecting) -> Callable[[], None]:
        return lambda: peer.write(job, value)

    def check(name: str, _: Any) -> None:
        if not np.array_equal(anyzarr.open_array(peers[name][0], engine="zarr")[...], data):
            raise ValueError("the result is wrong")

    works = {name: work(peer) for name, (_, peer) in peers.items()}
    return compare(f"write {job.name}", works, check=check)


def main(full: bool = False) -> None:
    """Measure, print and save."""
    data = images()["noisy"]
    with tempfile.TemporaryDirectory() as folder:
        location = Path(folder) / "noisy.zarr"
        create(location, data, chunks=(64, 64), shards=(512, 512), compressors="zstd:3")
        copies = {
            name: (path, KINDS[type(peer)](peer))
            for name, (path, peer) in own_copies(location, ENGINES).items()
            if name != "zarrs-python"  # it leaves index arrays to zarr-python
        }
        peers = {name: peer for name, (_, peer) in copies.items()}
        rows = [read_row(job, data, peers) for job in jobs()]
        rows += [write_row(job, data, copies) for job in jobs() if job.name in WRITTEN]
    save("selections", "Selections by index arrays", rows, NOTE)


WRITTEN = ("10,000 points", "100 points in one shard", "500 rows × 500 columns")


if __name__ == "__main__":
    main()
