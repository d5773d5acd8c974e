"""The jobs that the tables have in common: reading, writing, and whether it was right."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _measure import ROUNDS, Row, compare
from _peers import Array, Peer, Slices, openers, whole

import anyzarr


def create(location: Path, data: Array, **layout: Any) -> None:
    """Write the array that everyone reads."""
    anyzarr.create_array(location, data=data, overwrite=True, **layout)


def opened(location: Path, engines: Iterable[str]) -> dict[str, Peer]:
    """Return everyone with the same location open."""
    return {name: opener(location) for name, opener in openers(engines).items()}


def own_copies(location: Path, engines: Iterable[str]) -> dict[str, tuple[Path, Peer]]:
    """Return everyone with a copy of the array of their own, to write to."""
    found = {}
    for name, opener in openers(engines).items():
        copy = location.with_name(f"{location.stem}-{name.replace(' ', '-')}.zarr")
        if not copy.exists():
            shutil.copytree(location, copy)
        found[name] = copy, opener(copy)
    return found


def read_row(
    job: str, peers: dict[str, Peer], data: Array, where: Sequence[Slices], *, rounds: int = ROUNDS
) -> Row:
    """Time reading some regions, one after the other, each into fresh memory."""
    expected = [data[region] for region in where]

    def work(peer: Peer) -> Callable[[], list[Array]]:
        return lambda: [peer.read(region) for region in where]

    def check(name: str, result: Any) -> None:
        for found, right in zip(result, expected, strict=True):
            _same(found, right)

    return compare(job, {n: work(p) for n, p in peers.items()}, check=check, rounds=rounds)


def read_into_row(job: str, peers: dict[str, Peer], data: Array, *, rounds: int = ROUNDS) -> Row:
    """Time reading everything into memory that is there."""
    out = np.zeros_like(data)

    def work(peer: Peer) -> Callable[[], None]:
        return lambda: peer.read_into(whole(data), out)

    def check(name: str, result: Any) -> None:
        _same(out, data)
        out[...] = 0

    return compare(job, {n: work(p) for n, p in peers.items()}, check=check, rounds=rounds)


def write_row(
    job: str,
    copies: dict[str, tuple[Path, Peer]],
    data: Array,
    where: Slices,
    *,
    rounds: int = ROUNDS,
) -> Row:
    """Time writing one region; what was written is read back by another than the writer."""
    value = np.ascontiguousarray(data[where])  # of everything, no copy: it may be gigabytes

    def work(peer: Peer) -> Callable[[], None]:
        return lambda: peer.write(where, value)

    def check(name: str, result: Any) -> None:
        reader = "zarr" if name.endswith("zarrs") or name == "zarrista" else "zarrs"
        _same(anyzarr.open_array(copies[name][0], engine=reader)[...], data)

    works = {name: work(peer) for name, (_, peer) in copies.items()}
    return compare(job, works, check=check, rounds=rounds)


def _same(found: Array, right: Array) -> None:
    if found.shape != right.shape or not np.array_equal(found, right):
        raise ValueError("the result is wrong")
