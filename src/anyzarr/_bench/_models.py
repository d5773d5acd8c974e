"""What :func:`anyzarr._bench.bench` answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["BenchReport", "EngineTime", "JobReport"]


@dataclass(frozen=True, slots=True)
class EngineTime:
    """How long one engine took for a job.

    Attributes
    ----------
    engine
        Its name.
    median_ms
        Median over the rounds, in milliseconds; None where it failed.
    mb_per_second
        Decoded megabytes (10⁶ bytes) per second; None where it failed, or where elements have
        no fixed size.
    error
        Why it failed, in one sentence.
    """

    engine: str
    median_ms: float | None
    mb_per_second: float | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class JobReport:
    """One job and how long each engine took for it.

    Attributes
    ----------
    name
        ``full read``, ``crops`` or ``planes``.
    shape
        Of each region that is read.
    n_regions
        How many are read, one after the other.
    n_bytes
        What is read in all, decoded; None where elements have no fixed size.
    whole
        Whether one region covers the whole array.
    times
        One per engine.
    """

    name: str
    shape: tuple[int, ...]
    n_regions: int
    n_bytes: int | None
    whole: bool
    times: tuple[EngineTime, ...]

    @property
    def fastest(self) -> str | None:
        """The engine that took the least time; None where all failed."""
        done = [(t.median_ms, t.engine) for t in self.times if t.median_ms is not None]
        return min(done)[1] if done else None


@dataclass(frozen=True, slots=True)
class BenchReport:
    """How fast each engine reads one array.

    Attributes
    ----------
    address
        The array; of an image, level 0.
    backend
        Where its bytes live.
    shape, dtype, n_bytes
        Of the whole array, decoded.
    rounds
        How often each job was timed, after one that is not.
    declined
        By engine, why it cannot read this array.
    jobs
        What was done.
    """

    address: str
    backend: str
    shape: tuple[int, ...]
    dtype: str
    n_bytes: int | None
    rounds: int
    declined: Mapping[str, str]
    jobs: tuple[JobReport, ...]

    @property
    def fastest(self) -> str | None:
        """The engine that was the fastest in most jobs; None where there is nothing to read."""
        winners = [job.fastest for job in self.jobs if job.fastest is not None]
        return max(dict.fromkeys(winners), key=winners.count, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict of JSON types, with the fastest engines."""
        fields = asdict(self)
        for field, job in zip(fields["jobs"], self.jobs, strict=True):
            field["fastest"] = job.fastest
        return {**fields, "fastest": self.fastest}
