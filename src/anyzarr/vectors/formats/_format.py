"""What a file format of vectors offers, and the registry of formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from anyzarr.errors import UnsupportedError
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import Bounds

__all__ = [
    "BATCH_VERTICES",
    "FormatOptions",
    "VectorFacts",
    "VectorFormat",
    "VectorSource",
    "format_of_name",
    "format_of_path",
    "list_formats",
    "register_format",
]

BATCH_VERTICES = 1 << 21
"""About how many vertices are held at once, where a format can be read in parts."""


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What a caller says of a conversion, beyond the two locations.

    Attributes
    ----------
    columns
        Of tables: the column of a role (``x``, ``y``, ``z``, ``object_id``), by the role.
    scale
        By axis, what the numbers of a file are multiplied by, and the unit that they have then
        (None: that of the file).
    dtype
        Type of the positions in a new store; None: that of the source.
    batch_vertices
        About how many vertices to hold at once.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    scale: tuple[tuple[str, float, str | None], ...] = ()
    dtype: str | None = None
    batch_vertices: int = BATCH_VERTICES


@dataclass(frozen=True)
class VectorFacts:
    """What is known of vectors before they are converted.

    Attributes
    ----------
    geometry_type
        ``"point_cloud"``, ``"line"``, ``"polyline"``, ``"streamline"``, ``"graph"``,
        ``"skeleton"`` or ``"mesh"``.
    dtype
        Type of the positions.
    axes
        As OME-Zarr describes them: ``name``, ``type`` and, where it is known, ``unit``.
    vertex_count
        Number of vertices.
    bounds
        Lower and upper corner; None: there are no vertices.
    attributes
        What else is known and must not be lost, as JSON values, by the name of the format.
    warnings
        What was left out or guessed, one sentence each.
    """

    geometry_type: str
    dtype: np.dtype[Any]
    axes: tuple[Mapping[str, Any], ...]
    vertex_count: int
    bounds: Bounds | None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def unit(self) -> str | None:
        """The unit of all axes; None: they have none, or several."""
        units = {axis.get("unit") for axis in self.axes}
        return units.pop() if len(units) == 1 else None


class VectorSource(Protocol):
    """Vectors that are read part by part."""

    @property
    def facts(self) -> VectorFacts:
        """What is known of them."""
        ...

    def batches(self) -> Iterator[Geometry]:
        """Yield parts: at least one, each with whole objects and the same attributes."""
        ...

    def close(self) -> None: ...


Opener = Callable[[Path, FormatOptions], VectorSource]
Writer = Callable[[VectorSource, Path, FormatOptions, Callable[[int], None]], Sequence[str]]


def _is_none(path: Path) -> bool:
    return False


def _is_any(path: Path) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class VectorFormat:
    """One file format of vectors.

    Attributes
    ----------
    name
        For people.
    suffixes
        Endings of file names, in lower case, with the dot.
    open
        Called as ``open(path, options)``; returns a :class:`VectorSource`. None: only written.
    write
        Called as ``write(source, path, options, advance)``, where there is nothing at ``path``
        yet; calls ``advance(n)`` after each ``n`` vertices, and returns warnings. None: only read.
    geometry_types, ndim
        What can be written, and in how many dimensions; None: any.
    is_folder
        Whether it is a folder that is written.
    index
        Of a folder, the name of the file in it that tells the format, and is written last.
    claims_folder
        Whether a folder is of this format; quick, and certain.
    claims_file
        Whether a file of such a name holds vectors, where it may hold something else.
    """

    name: str
    suffixes: tuple[str, ...]
    open: Opener | None
    write: Writer | None
    geometry_types: frozenset[str] = frozenset()
    ndim: int | None = 3
    is_folder: bool = False
    index: str | None = None
    claims_folder: Callable[[Path], bool] = _is_none
    claims_file: Callable[[Path], bool] = _is_any

    def require(self, facts: VectorFacts) -> None:
        """Refuse vectors that the format does not hold.

        Raises
        ------
        UnsupportedError
            It does not, with those that do.
        """
        geometry_type, ndim = facts.geometry_type, len(facts.axes)
        if self.ndim not in {None, ndim}:
            raise UnsupportedError(
                f"{self.name} holds {self.ndim} dimensions, and this has {ndim}: choose a table",
                kind="ndim",
            )
        if geometry_type in self.geometry_types:
            return
        others = [f.name for f in _formats.values() if geometry_type in f.geometry_types]
        raise UnsupportedError(
            f"{self.name} holds {_listed(self.geometry_types)}, and this is {geometry_type}: "
            f"choose {_listed(others)}",
            kind="geometry_type",
        )


_formats: dict[str, VectorFormat] = {}


def register_format(kind: VectorFormat) -> None:
    """Add a format, or replace the one of the same name.

    Examples
    --------
    >>> from anyzarr.vectors.formats import SWC, format_of_name, register_format
    >>> register_format(SWC)
    >>> format_of_name("neuron.swc") is SWC
    True
    """
    _formats[kind.name] = kind


def list_formats() -> list[VectorFormat]:
    """Return the formats that are known.

    Examples
    --------
    >>> from anyzarr.vectors.formats import list_formats
    >>> [kind.name for kind in list_formats() if "mesh" in kind.geometry_types]
    ['PLY', 'OBJ', 'STL', 'Neuroglancer precomputed']
    """
    return list(_formats.values())


def format_of_name(name: str) -> VectorFormat | None:
    """Return the format of files of this name; None: it is of none.

    Examples
    --------
    >>> from anyzarr.vectors.formats import format_of_name
    >>> format_of_name("brain.trk").name, format_of_name("brain.zarr")
    ('TRK', None)
    """
    lower = name.lower()
    return next((f for f in _formats.values() if lower.endswith(f.suffixes)), None)


def format_of_path(path: Path, *, is_told: bool = False) -> VectorFormat | None:
    """Return the format of a file or folder that is there; None: it is of none.

    ``is_told``: the caller says that it holds vectors.
    """
    if path.is_dir():
        return next((f for f in _formats.values() if f.claims_folder(path)), None)
    found = format_of_name(path.name)
    if found is None or not path.is_file():
        return None
    return found if is_told or found.claims_file(path) else None


def _listed(names: Sequence[str] | frozenset[str]) -> str:
    *first, last = sorted(names) or ["nothing"]
    return f"{', '.join(first)} or {last}" if first else last
