"""The pixels: every chunk decodes, and each level is the one before it made smaller.

How exactly a level must agree depends on the method the image names. Means may differ by their
rounding. An element of ``nearest``, ``stride`` or ``mode`` is one of its window. Of any other
method, or none, an element lies between the smallest and the largest value of its window and of
those around it. A level is at fault where more than one element in a hundred of a chunk is.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr import crud
from anyzarr._parallel import for_each
from anyzarr._progress import Tracker
from anyzarr._validate._geometry import check_geometry, factors_between
from anyzarr._validate._levels import Level, Pyramid
from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError, CorruptDataError

__all__ = ["Pixels"]

_MEANS: Final = frozenset({"mean", "local_mean", "average", "area", "box"})
_MEMBERS: Final = frozenset({"nearest", "stride", "mode", "decimate", "subsample"})
_BLOCK_ELEMENTS: Final = 1 << 21
_FAULTY_SHARE: Final = 0.01
Values = npt.NDArray[Any]


class Pixels:
    """Looks at the data of images.

    Parameters
    ----------
    store
        The store.
    engine
        What decodes; None: the first that can.
    tracker
        Told the bytes of each level that are done.
    """

    def __init__(self, store: Store, engine: str | None, tracker: Tracker) -> None:
        self._store = store
        self._engine = engine
        self._tracker = tracker
        self._lock = threading.Lock()
        self.n_chunks = 0

    def look(self, pyramid: Pyramid, omero: Any, *, is_label: bool) -> None:
        """Check geometry, chunks and levels of an image."""
        check_geometry(pyramid, omero)
        whole = [self._decode(pyramid, number) for number in range(len(pyramid.levels))]
        for number in range(1, len(pyramid.levels)):
            if whole[number - 1] and whole[number]:
                self._compare(pyramid, number, is_label=is_label)

    # -- chunks --------------------------------------------------------------------------

    def _decode(self, pyramid: Pyramid, number: int) -> bool:
        """Decode every stored chunk of a level; return whether all could be."""
        level = pyramid.levels[number]
        metadata = level.metadata
        spot = pyramid.spot.at("datasets", None).at(number, None)
        n_bytes = math.prod(metadata.shape) * metadata.dtype.itemsize
        self._tracker.start(f"decoding {level.path or '/'}", n_bytes)
        failed: list[bool] = []

        def one(coords: tuple[int, ...]) -> None:
            try:
                chunk = crud.read_chunk(
                    metadata, self._store, level.path, coords, engine=self._engine
                )
            except CorruptDataError as error:
                failed.append(True)
                spot.error("chunk-corrupt", f"{error.key or coords}: {error.message}")
                return
            except AnyzarrError as error:
                failed.append(True)
                spot.error("chunk-unreadable", error.message)
                return
            self._tracker.advance(min(chunk.nbytes, n_bytes))
            with self._lock:
                self.n_chunks += 1

        try:
            for_each(one, self._stored(level), limit=2)
        except AnyzarrError as error:
            spot.error("level-unreadable", error.message)
            return False
        return not failed

    def _stored(self, level: Level) -> Iterator[tuple[int, ...]]:
        """Return the coordinates of the chunks that are stored."""
        grid = level.metadata.grid
        prefix = f"{level.path}/" if level.path else ""
        keys = {info.key for info in self._store.list(prefix)} if self._lists else None
        for coords in itertools.product(*(range(n) for n in grid.grid_shape)):
            if keys is None or level.metadata.chunk_key(level.path, coords) in keys:
                yield coords

    @property
    def _lists(self) -> bool:
        return self._store.capabilities.listable

    # -- levels --------------------------------------------------------------------------

    def _compare(self, pyramid: Pyramid, number: int, *, is_label: bool) -> None:
        fine, coarse = pyramid.levels[number - 1], pyramid.levels[number]
        spot = pyramid.spot.at("datasets", None).at(number, None)
        factors = factors_between(fine, coarse)
        if factors is None:
            spot.warn(
                "levels-ratio",
                f"shape {coarse.metadata.shape} is no whole fraction of {fine.metadata.shape}, so "
                "the values are not compared",
            )
            return
        if coarse.metadata.dtype.kind not in "biuf":
            return
        judge = _judge(pyramid.method, is_label=is_label)
        faults: list[tuple[tuple[int, ...], float]] = []
        self._tracker.start(f"comparing {coarse.path or '/'}", None)

        def one(region: tuple[slice, ...]) -> None:
            share = judge(*self._windows(fine, coarse, factors, region))
            if share > _FAULTY_SHARE:
                faults.append((tuple(part.start for part in region), share))

        for_each(one, _blocks(coarse), limit=2)
        if faults:
            place, share = min(faults)
            method = pyramid.method or ("mode" if is_label else "an unnamed method")
            spot.error(
                "levels-agree",
                f"in {len(faults)} blocks the values are not those of level {number - 1} made "
                f"smaller by {method} ({share:.0%} of the block at {place}); compute the pyramid "
                "again",
            )

    def _windows(
        self, fine: Level, coarse: Level, factors: Sequence[int], region: tuple[slice, ...]
    ) -> tuple[Values, Values, tuple[int, ...]]:
        """Return coarse values, and the fine ones with one window more on each side."""
        wanted, kept = [], []
        for part, factor, n in zip(region, factors, fine.metadata.shape, strict=True):
            # Only windows that are whole: what writers do at the edge differs.
            stop = min(part.stop, max(part.start + 1, n // factor))
            kept.append(slice(part.start, stop))
            wanted.append(slice(max(0, (part.start - 1) * factor), min(n, (stop + 1) * factor)))
        before = tuple(
            (part.start * factor - outer.start) // factor
            for part, factor, outer in zip(kept, factors, wanted, strict=True)
        )
        return (
            self._read(coarse, tuple(kept)),
            self._read(fine, tuple(wanted)),
            tuple(v for pair in zip(before, factors, strict=True) for v in pair),
        )

    def _read(self, level: Level, region: tuple[slice, ...]) -> Values:
        return crud.read_region(
            level.metadata, self._store, level.path, region, engine=self._engine
        )


def _blocks(level: Level) -> Iterator[tuple[slice, ...]]:
    """Cut a level into blocks of whole chunks, of a size that fits in memory."""
    shape = level.metadata.shape
    chunk = level.metadata.subchunk_grid.chunk_shape or shape
    block = [max(1, min(c, n)) for c, n in zip(chunk, shape, strict=True)]
    for axis in reversed(range(len(shape))):
        while block[axis] < shape[axis] and math.prod(block) * 2 <= _BLOCK_ELEMENTS:
            block[axis] = min(shape[axis], block[axis] * 2)
    ranges = [
        [slice(i, min(i + b, n)) for i in range(0, n, b)] for b, n in zip(block, shape, strict=True)
    ]
    return itertools.product(*ranges)


Judge = Callable[[Values, Values, tuple[int, ...]], float]


def _judge(method: str | None, *, is_label: bool) -> Judge:
    name = (method or "").lower()
    if name in _MEANS:
        return _mean_faults
    if name in _MEMBERS or (is_label and not name):
        return _member_faults
    return _range_faults


def _own(fine: Values, coarse: Values, layout: tuple[int, ...]) -> list[Values]:
    """Return, per place in a window, the fine values there: of ``coarse``'s shape or smaller."""
    before, factors = layout[::2], layout[1::2]
    found = []
    for place in itertools.product(*(range(f) for f in factors)):
        index = tuple(
            slice(b * f + p, b * f + p + n * f, f)
            for b, f, p, n in zip(before, factors, place, coarse.shape, strict=True)
        )
        part = fine[index]
        if part.shape == coarse.shape:
            found.append(part)
    return found


def _share(faulty: npt.NDArray[np.bool_]) -> float:
    return float(faulty.mean()) if faulty.size else 0.0


def _mean_faults(coarse: Values, fine: Values, layout: tuple[int, ...]) -> float:
    parts = _own(fine, coarse, layout)
    if not parts:
        return 0.0
    total = np.zeros(coarse.shape, np.float64)
    for part in parts:
        total += part
    expected = total / len(parts)
    if coarse.dtype.kind == "f":
        spread = np.nanmax(np.abs(expected), initial=0.0)
        tolerance = 1e-3 * np.abs(expected) + 1e-5 * spread
        with np.errstate(invalid="ignore"):
            return _share(~np.isclose(coarse, expected, rtol=1e-3, atol=float(np.max(tolerance)),
                                      equal_nan=True))  # fmt: skip
    # Wide integers lose their last bits as floats.
    slack = 1 + (np.abs(expected) * 1e-15 if coarse.dtype.itemsize == 8 else 0)
    return _share(np.abs(coarse.astype(np.float64) - expected) > slack)


def _member_faults(coarse: Values, fine: Values, layout: tuple[int, ...]) -> float:
    parts = _own(fine, coarse, layout)
    found = np.zeros(coarse.shape, bool)
    for part in parts:
        found |= (part == coarse) | ((part != part) & (coarse != coarse))
    return _share(~found) if parts else 0.0


def _range_faults(coarse: Values, fine: Values, layout: tuple[int, ...]) -> float:
    low, high = fine, fine
    for axis, (before, factor) in enumerate(zip(layout[::2], layout[1::2], strict=True)):
        low = _extreme(low, axis, before, factor, coarse.shape[axis], np.minimum)
        high = _extreme(high, axis, before, factor, coarse.shape[axis], np.maximum)
    slack = 1 if coarse.dtype.kind in "iu" else 1e-3 * np.maximum(np.abs(low), np.abs(high))
    values, least, most = (v.astype(np.float64) for v in (coarse, low, high))
    with np.errstate(invalid="ignore"):
        return _share((values < least - slack) | (values > most + slack))


def _extreme(values: Values, axis: int, before: int, factor: int, n: int, pick: Any) -> Values:
    """Reduce windows along an axis, those next to each taken in where the axis is reduced."""
    length = values.shape[axis]
    reach = factor if factor > 1 else 0
    starts = [max(0, (before + i) * factor - reach) for i in range(n)]
    stops = [min(length, (before + i + 1) * factor + reach) for i in range(n)]
    moved = np.moveaxis(values, axis, 0)
    reduced = np.stack(
        [pick.reduce(moved[a:b], axis=0) for a, b in zip(starts, stops, strict=True)]
    )
    return np.moveaxis(reduced, 0, axis)
