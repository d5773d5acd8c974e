"""``bench``: time the engines on one array, in turns."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from anyzarr._bench._jobs import Job, jobs_for
from anyzarr._bench._models import BenchReport, EngineTime, JobReport
from anyzarr._info._describe import address, memory_bytes
from anyzarr._info._image import array_at
from anyzarr._nodes import Array, locate, open_array
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr.abc import Store
from anyzarr.engines import choose, explain, get_engine
from anyzarr.errors import AnyzarrError
from anyzarr.metadata import ArrayMetadata
from anyzarr.stores._shown import holding_backend

__all__ = ["bench"]

DEFAULT_MAX_BYTES = 512_000_000


def bench(
    location: Any,
    *,
    path: str = "",
    engines: Sequence[str] = (),
    max_bytes: int = DEFAULT_MAX_BYTES,
    rounds: int = 5,
    progress: ProgressCallback | None = None,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> BenchReport:
    """Time the engines on the array at a location; nothing is written there.

    Each job is done once by every engine to warm up and to compare results, then ``rounds``
    times in turns. An engine whose result is not that of the first is reported as failed, not
    timed.

    Parameters
    ----------
    location, path, backend, **backend_kwargs
        As for :func:`anyzarr.info`. Of an OME-Zarr image, level 0 is read.
    engines
        Their names; default all that can read the array, the one that is taken first.
    max_bytes
        What a job reads at most, decoded: where the array is larger, a part of its centre.
    rounds
        How often each job is timed; at least 1.
    progress
        Told how far it is.

    Raises
    ------
    UnsupportedError
        There is a group without an image, no engine is called so, or one asked for by name, or
        every one, cannot read the array.
    NodeNotFoundError
        There is no Zarr array or group.
    ValueError
        ``max_bytes`` or ``rounds`` is less than 1.

    Examples
    --------
    >>> import anyzarr
    >>> import numpy as np
    >>> from anyzarr._bench import bench
    >>> store = {}
    >>> _ = anyzarr.create_array(store, data=np.eye(4))
    >>> report = bench(store, engines=["zarr"], rounds=1)
    >>> report.fastest, [job.name for job in report.jobs]
    ('zarr', ['full read', 'crops'])
    """
    if max_bytes < 1 or rounds < 1:
        raise ValueError(f"max_bytes and rounds are at least 1, not {max_bytes} and {rounds}")
    store, path = locate(location, path, backend, backend_kwargs)
    metadata, path = array_at(store, path, "what is timed is reading an array")
    names, declined = _engines(metadata, store, engines)
    arrays = {name: open_array(store, path=path, engine=name, mode="r") for name in names}
    jobs = jobs_for(metadata.shape, metadata.dtype.itemsize, max_bytes)
    tracker = Tracker(progress)
    return BenchReport(
        address=address(store, path),
        backend=holding_backend(store),
        shape=metadata.shape,
        dtype=metadata.data_type.name,
        n_bytes=memory_bytes(metadata),
        rounds=rounds,
        declined=declined,
        jobs=tuple(_measured(job, metadata, arrays, rounds, tracker) for job in jobs),
    )


def _engines(
    metadata: ArrayMetadata, store: Store, asked: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Return who takes part, and why the others do not."""
    if asked:
        chosen = dict.fromkeys(get_engine(name).name for name in asked)
        return [choose(metadata, store, name).name for name in chosen], {}
    reports = explain(metadata, store)
    usable = sorted((r for r in reports if r.usable), key=lambda r: (not r.chosen, r.name))
    if not usable:
        choose(metadata, store)  # raises, with everybody's reason
    return [r.name for r in usable], {r.name: r.reason or "" for r in reports if not r.usable}


def _measured(
    job: Job, metadata: ArrayMetadata, arrays: dict[str, Array], rounds: int, tracker: Tracker
) -> JobReport:
    tracker.start(job.name, job.n_bytes * len(arrays) * (rounds + 1))
    errors = _compared(job, arrays, tracker)
    able = {name: array for name, array in arrays.items() if name not in errors}
    seconds: dict[str, list[float]] = {name: [] for name in able}
    for _ in range(rounds):
        for name, array in able.items():
            seconds[name].append(_timed(job, array))
            tracker.advance(job.n_bytes)
    n_bytes = None if metadata.data_type.is_variable_length else job.n_bytes
    times = [
        EngineTime(name, None, None, errors[name])
        if name in errors
        else _engine_time(name, statistics.median(seconds[name]), n_bytes)
        for name in arrays
    ]
    whole = job.shape == metadata.shape
    return JobReport(job.name, job.shape, len(job.regions), n_bytes, whole, tuple(times))


def _compared(job: Job, arrays: dict[str, Array], tracker: Tracker) -> dict[str, str]:
    """Read once with each engine; return who failed, or differs from the first, and how."""
    errors: dict[str, str] = {}
    expected: tuple[str, str] | None = None
    for name, array in arrays.items():
        try:
            found = _fingerprint(job, array)
        except AnyzarrError as error:
            errors[name] = str(error)
            continue
        finally:
            tracker.advance(job.n_bytes)
        if expected is None:
            expected = name, found
        elif found != expected[1]:
            errors[name] = f"what it read is not what {expected[0]} read"
    return errors


def _fingerprint(job: Job, array: Array) -> str:
    digest = hashlib.blake2b()
    for region in job.regions:
        values = np.ascontiguousarray(array[region])
        if values.dtype.kind in "OT":
            digest.update(repr(values.tolist()).encode())
        else:
            digest.update(values.reshape(-1).view("u1").data)
    return digest.hexdigest()


def _timed(job: Job, array: Array) -> float:
    start = time.perf_counter()
    for region in job.regions:
        array[region]
    return time.perf_counter() - start


def _engine_time(name: str, seconds: float, n_bytes: int | None) -> EngineTime:
    rate = None if n_bytes is None or seconds == 0 else n_bytes / seconds / 1e6
    return EngineTime(name, seconds * 1e3, rate)
