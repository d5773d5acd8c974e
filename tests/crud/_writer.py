"""Writers of random regions that share shards and no elements.

``python _writer.py LOCATION ENGINE NUMBER OF_HOW_MANY OPTIONS`` is one of them in a process of its
own.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

import anyzarr

SHAPE = (96, 96)
SHARDS = (48, 48)
CHUNKS = (8, 8)
ROUNDS = 3
LEAST = 3

Region = tuple[slice, slice]


def create(location: Any, **options: Any) -> anyzarr.Array:
    return anyzarr.create_array(
        location, shape=SHAPE, chunks=CHUNKS, shards=SHARDS, dtype="int32", **options
    )


def regions(seed: int = 0) -> list[Region]:
    """Cut the array at random into rectangles: all elements, each in one."""
    chance = random.Random(seed)

    def cut(y: int, y_stop: int, x: int, x_stop: int) -> Iterator[Region]:
        tall, wide = y_stop - y, x_stop - x
        if max(tall, wide) < 2 * LEAST or (tall * wide < 600 and chance.random() < 0.3):
            yield slice(y, y_stop), slice(x, x_stop)
        elif tall >= wide:
            at = chance.randint(y + LEAST, y_stop - LEAST)
            yield from (*cut(y, at, x, x_stop), *cut(at, y_stop, x, x_stop))
        else:
            at = chance.randint(x + LEAST, x_stop - LEAST)
            yield from (*cut(y, y_stop, x, at), *cut(y, y_stop, at, x_stop))

    return list(cut(0, SHAPE[0], 0, SHAPE[1]))


def value(number: int, step: int) -> Any:
    """What is written to a region in a round, another value for each element."""
    y, x = regions()[number]
    shape = (y.stop - y.start, x.stop - x.start)
    return np.random.default_rng((number, step)).integers(1, 2**31, shape, "i4")


def write(array: anyzarr.Array, number: int, n_writers: int) -> int:
    """Write every ``n_writers``-th region, several times, in random order; return how often."""
    chosen = list(enumerate(regions()))[number::n_writers]
    for step in range(ROUNDS):
        random.Random(f"{number} {step}").shuffle(chosen)
        for index, region in chosen:
            array[region] = value(index, step)
    return ROUNDS * len(chosen)


def expected() -> Any:
    values = np.zeros(SHAPE, "int32")
    for index, region in enumerate(regions()):
        values[region] = value(index, ROUNDS - 1)
    return values


if __name__ == "__main__":
    _location, _engine, _number, _of, _options = sys.argv[1:]
    _array = anyzarr.open_array(
        _location, mode="r+", engine=_engine or None, **json.loads(_options)
    )
    write(_array, int(_number), int(_of))
