"""Sources that are read part by part, and what is found out by reading them once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.errors import CorruptDataError, MetadataError
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors.formats._format import FormatOptions, VectorFacts
from anyzarr.vectors.formats._survey import Survey

__all__ = ["FileSource", "as_rows", "corrupt", "left_out", "space_axes"]


def space_axes(unit: str | None, names: Sequence[str] = ("x", "y", "z")) -> tuple[Any, ...]:
    """Return axes of space, with a unit if there is one."""
    about: Mapping[str, str] = {} if unit is None else {"unit": unit}
    return tuple({"name": name, "type": "space", **about} for name in names)


def corrupt(path: Path, what: str) -> CorruptDataError:
    """Return the error for a file that is broken, or is not what its name says."""
    return CorruptDataError(
        f"{str(path)!r} cannot be read: {what}; get the file again, or name it by what it is",
        key=str(path),
    )


def as_rows(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an attribute as an array of two dimensions, one row per thing."""
    return column.reshape(len(column), math.prod(column.shape[1:]))


def left_out(names: Iterable[str], what: str, where: str) -> list[str]:
    """Return the warning of what has no place in a format; none where nothing is lost."""
    lost = ", ".join(sorted(names))
    return [f"left out the {what} {lost}: {where} has no place for them"] if lost else []


class FileSource:
    """Vectors of a file, whose bounds are found by reading it.

    What fits into one part is read once; larger files are read twice.

    Parameters
    ----------
    path
        The file.
    facts
        What is known without reading its vertices; without bounds, these are found.
    read
        Returns the parts, each time from the first.
    options
        ``scale`` is applied here.
    """

    def __init__(
        self,
        path: Path,
        facts: VectorFacts,
        read: Callable[[], Iterator[Geometry]],
        options: FormatOptions,
    ) -> None:
        self._path = path
        self._told = facts
        self._read = read
        self._options = options
        self._only: Geometry | None = None

    @cached_property
    def facts(self) -> VectorFacts:
        """What is known of them."""
        facts = self._told
        units = {axis: unit for axis, _, unit in self._options.scale if unit is not None}
        named = [dict(axis) for axis in facts.axes]
        axes = tuple({**a, "unit": units[a["name"]]} if a["name"] in units else a for a in named)
        facts = replace(facts, axes=axes)
        if facts.bounds is not None and not self._options.scale:
            return facts
        survey = self._survey
        return replace(facts, vertex_count=survey.n_vertices, bounds=survey.bounds)

    @cached_property
    def _survey(self) -> Survey:
        """What is found by reading all parts; the part is kept if there is but one."""
        survey = Survey()
        for number, part in enumerate(self._parts()):
            self._only = part if number == 0 else None
            survey.add(part)
        return survey

    def batches(self) -> Iterator[Geometry]:
        """Yield the parts, their attributes of types that hold the values of all."""
        survey = self.__dict__.get("_survey")
        if self._only is not None:
            yield self._only
        elif survey is None:
            yield from self._parts()
        else:
            yield from map(survey.applied, self._parts())

    def _parts(self) -> Iterator[Geometry]:
        factor = self._factor()
        first = 0
        for part in self._read():
            self._require_finite(part.positions, first)
            first += part.n_vertices
            if factor is None:
                yield part
                continue
            scaled = part.positions * factor
            kind = part.positions.dtype
            yield replace(part, positions=scaled.astype(kind if kind.kind == "f" else "f8"))

    def _factor(self) -> npt.NDArray[np.float64] | None:
        sizes = {axis: size for axis, size, _ in self._options.scale}
        names = [str(axis["name"]) for axis in self._told.axes]
        wrong = sorted({*sizes} - {*names})
        if wrong:
            raise MetadataError(
                f"scale is given for {', '.join(wrong)}, and {str(self._path)!r} has the axes "
                f"{', '.join(names)}",
                kind="scale",
            )
        factors = np.asarray([sizes.get(name, 1.0) for name in names])
        return None if (factors == 1).all() else factors

    def _require_finite(self, positions: npt.NDArray[Any], first: int) -> None:
        wrong = ~np.isfinite(positions).all(axis=1)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise CorruptDataError(
                f"vertex {first + row} of {str(self._path)!r} is at {positions[row].tolist()}, "
                "which is no place; take it out of the file",
                key=str(self._path),
                kind="positions",
            )

    def close(self) -> None:
        """Forget what is kept; nothing is open between parts."""
        self._only = None
