"""What a conversion of images would write, and about how long it would take."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from anyzarr import _parallel, crud
from anyzarr._convert._job import ImageJob, Pixels
from anyzarr._pyramid import Region
from anyzarr.metadata import ArrayMetadata, parse_array
from anyzarr.stores import MemoryStore

__all__ = ["ConversionPlan", "plan_of"]

_SAMPLE_BYTES = 64 << 20
_MOST_SAMPLES, _SAMPLE_SECONDS = 3, 2.0


@dataclass(frozen=True, slots=True)
class ConversionPlan:
    """What a conversion would do.

    Attributes
    ----------
    raw_bytes
        Of all levels of all images, not encoded; of what is copied, as it is stored.
    stored_bytes
        About what they would take, by how a sample of each kind compresses.
    n_objects
        Chunks or shards, and documents. Chunks of nothing but the fill value are counted, too:
        they are not stored, and only reading them all would tell.
    chunks, shards, codecs
        Of level 0 of the first image; empty, or None, where objects are copied as they are.
    memory_bytes
        What one process may hold of pixels.
    workers
        How many threads or processes.
    seconds
        About how long it would take, by the time of the sample; of a copy, as far as reading goes.
    sampled_bytes
        How much was read, and encoded, to know.
    """

    raw_bytes: int
    stored_bytes: int
    n_objects: int
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    codecs: tuple[str, ...]
    memory_bytes: int
    workers: int
    seconds: float
    sampled_bytes: int

    def __add__(self, other: ConversionPlan) -> ConversionPlan:
        """Return the plan of doing this and, after it, the other; the layout is this one's."""
        return replace(
            self,
            raw_bytes=self.raw_bytes + other.raw_bytes,
            stored_bytes=self.stored_bytes + other.stored_bytes,
            n_objects=self.n_objects + other.n_objects,
            seconds=self.seconds + other.seconds,
            sampled_bytes=self.sampled_bytes + other.sampled_bytes,
        )


@dataclass(slots=True)
class _Sample:
    raw_bytes: int = 0
    stored_bytes: int = 0
    seconds: float = 0.0


class Planned(Protocol):
    """What is to be written of an image, or of an array."""

    @property
    def job(self) -> ImageJob: ...


def plan_of(
    planned: Sequence[Planned],
    source: Pixels,
    *,
    n_documents: int,
    memory_bytes: int,
    workers: int | None,
) -> ConversionPlan:
    """Return what a conversion would do; parts of the source are read and encoded, none written.

    Parameters
    ----------
    planned
        The images, or arrays.
    source
        Where they come from.
    n_documents
        How many objects there would be beside chunks and shards.
    memory_bytes, workers
        As the conversion would have them.
    """
    levels = [[parse_array(document) for document in one.job.documents] for one in planned]
    everything = [level for image in levels for level in image]
    raw_bytes = sum(math.prod(level.shape) * level.dtype.itemsize for level in everything)
    sample = _sampled(planned, source)
    ratio = sample.stored_bytes / sample.raw_bytes if sample.raw_bytes else 1.0
    threads = workers or _parallel.concurrency()
    per_byte = sample.seconds / sample.raw_bytes if sample.raw_bytes else 0.0
    first = levels[0][0]
    n_data = sum(level.grid.n_chunks for level in everything)
    return ConversionPlan(
        raw_bytes,
        round(raw_bytes * ratio),
        n_data + n_documents,
        tuple(first.sharding.subchunk_shape if first.sharding else _stored(first)),
        tuple(_stored(first)) if first.sharding else None,
        tuple(codec.name for codec in (first.sharding or first).codecs),
        memory_bytes,
        threads,
        per_byte * raw_bytes / threads,
        sample.raw_bytes,
    )


def _sampled(planned: Sequence[Planned], source: Pixels) -> _Sample:
    """Read and encode a part from the middle of a few images, on one thread."""
    sample = _Sample()
    step = max(1, len(planned) // _MOST_SAMPLES)
    for one in planned[::step][:_MOST_SAMPLES]:
        metadata = parse_array(one.job.documents[0])
        region = _middle(metadata)
        if region is None:
            continue
        started = time.perf_counter()
        values = np.asarray(source.read(one.job.index, region))
        store = MemoryStore()
        part = {**one.job.documents[0], "shape": list(values.shape)}
        crud.write_region(parse_array(part), store, "", ..., values)
        sample.seconds += time.perf_counter() - started
        sample.raw_bytes += values.nbytes
        sample.stored_bytes += sum(info.size for info in store.list())
        if sample.seconds > _SAMPLE_SECONDS:
            break
    return sample


def _middle(metadata: ArrayMetadata) -> Region | None:
    """Return a stored object in the middle, or what of it is not too large; None of no elements."""
    shape, stored = metadata.shape, _stored(metadata)
    if not math.prod(shape):
        return None
    inner = metadata.sharding.subchunk_shape if metadata.sharding else stored
    lengths = list(stored)
    most = _SAMPLE_BYTES // metadata.dtype.itemsize
    for axis in range(len(lengths)):
        rest = math.prod(lengths) // lengths[axis]
        fitting = max(1, most // max(1, rest) // inner[axis]) * inner[axis]
        lengths[axis] = min(lengths[axis], fitting)
    starts = [(-(-n // s) // 2) * s if n > s else 0 for n, s in zip(shape, stored, strict=True)]
    starts = [a if a < n else 0 for a, n in zip(starts, shape, strict=True)]
    return tuple(
        slice(a, min(a + length, n)) for a, length, n in zip(starts, lengths, shape, strict=True)
    )


def _stored(metadata: ArrayMetadata) -> tuple[int, ...]:
    assert metadata.grid.chunk_shape is not None  # images have regular grids
    return tuple(metadata.grid.chunk_shape)
