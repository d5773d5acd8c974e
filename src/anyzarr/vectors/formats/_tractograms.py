"""TRK (TrackVis) and TCK (MRtrix): streamlines, in RAS+ millimeters in the store."""

from __future__ import annotations

import itertools
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from anyzarr._optional import require
from anyzarr.errors import UnsupportedError
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors.formats._format import FormatOptions, VectorFacts, VectorFormat, VectorSource
from anyzarr.vectors.formats._parts import FileSource, corrupt, left_out, space_axes
from anyzarr.vectors.formats._paths import Streamline, gathered, streamlines_of
from anyzarr.vectors.formats._space import ImageSpace, space_of

__all__ = ["TCK", "TRK", "open_tractogram", "write_tck", "write_trk"]

_PATHS: Final = frozenset({"streamline", "polyline", "line"})


def _nibabel() -> Any:
    return require("nibabel.streamlines", extra="streamlines", purpose="Reading and writing TRK "
                   "and TCK")  # fmt: skip


def open_tractogram(path: Path, options: FormatOptions) -> VectorSource:
    """Open the streamlines of a TRK or TCK file.

    Positions are brought to RAS+ millimeters, as nibabel has them. Scalars of TRK become
    attributes of vertices, properties those of objects; the space of the image stays with the
    store, so that a TRK can be written again.

    Raises
    ------
    CorruptDataError
        The file is cut off, or is not what its name says.
    """
    header, told = _header(path)
    is_tck = path.name.lower().endswith(".tck")
    space = None if is_tck else ImageSpace.of_header(header)
    dtype = np.dtype(str(header.get("_dtype", "<f4"))).newbyteorder("=")

    def read() -> Iterator[Geometry]:
        yield from gathered(_streamlines(path), dtype, options.batch_vertices)

    facts = VectorFacts(
        "streamline", dtype, space_axes("millimeter"), 0, None,
        attributes={} if space is None else {"space": space.to_document()}, warnings=told,
    )  # fmt: skip
    return FileSource(path, facts, read, options)


def _header(path: Path) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the header of a file, and what nibabel has to say of it."""
    with _told(path), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        header = _nibabel().load(str(path), lazy_load=True).header
    said = (" ".join(str(warning.message).split()) for warning in caught)
    return header, tuple(dict.fromkeys(said))


def _streamlines(path: Path) -> Iterator[Streamline]:
    """Yield the streamlines of a file, after checking at the end that all were there."""
    n = 0
    with _told(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = _nibabel().load(str(path), lazy_load=True)
    # A TCK ends with a mark that nibabel looks for; the count of a TRK it changes while it reads.
    told = int(file.header["nb_streamlines"]) if "dimensions" in file.header else 0
    with _told(path):
        items = _items(file.tractogram)
    while True:
        with _told(path):
            streamline = next(items, None)
        if streamline is None:
            break
        n += 1
        yield streamline
    if told and told != n:
        raise corrupt(path, f"its header says that there are {told} streamlines, and there are {n}")


def _items(tractogram: Any) -> Iterator[Streamline]:
    """Yield the streamlines of a lazy tractogram, in RAS+ millimeters.

    nibabel's own iteration over all of an item leaves out the transformation (5.4), so positions
    come from one pass, and data, where there is some, from another.
    """
    places = iter(tractogram.streamlines)
    if not tractogram.data_per_point.keys() and not tractogram.data_per_streamline.keys():
        yield from (Streamline(positions) for positions in places)
        return
    for positions, item in zip(places, tractogram, strict=True):
        yield Streamline(positions, item.data_for_points, item.data_for_streamline)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell what nibabel says of a broken file as our error."""
    module = _nibabel().tractogram_file
    broken = (module.HeaderError, module.DataError, ValueError, TypeError, EOFError, IndexError,
              struct.error)  # fmt: skip
    try:
        yield
    except broken as error:
        raise corrupt(path, str(error) or type(error).__name__) from error


def write_trk(
    source: VectorSource, path: Path, options: FormatOptions, advance: Callable[[int], None]
) -> Sequence[str]:
    """Write streamlines as TRK: attributes of vertices as scalars, of objects as properties."""
    space, warned = space_of(source.facts)
    lost = _Lost()
    nib = _nibabel()
    header = {
        "dimensions": space.dimensions,
        "voxel_sizes": space.voxel_sizes,
        "voxel_to_rasmm": space.affine,
        "voxel_order": "".join(_codes(space)),
    }
    _save(nib.TrkFile, header, path, lost.told(source, advance, keeps_data=True))
    return [*warned, *lost.warnings(source.facts, "a TRK file")]


def _codes(space: ImageSpace) -> tuple[str, ...]:
    module = require("nibabel.orientations", extra="streamlines")
    codes: tuple[str, ...] = module.aff2axcodes(space.affine)
    return codes


def write_tck(
    source: VectorSource, path: Path, options: FormatOptions, advance: Callable[[int], None]
) -> Sequence[str]:
    """Write the positions of streamlines as TCK, which holds nothing else."""
    lost = _Lost()
    warned = [] if source.facts.unit in {None, "millimeter"} else space_of(source.facts)[1][:1]
    _save(_nibabel().TckFile, {}, path, lost.told(source, advance, keeps_data=False))
    return [*warned, *lost.warnings(source.facts, "a TCK file")]


def _save(kind: Any, header: Mapping[str, Any], path: Path, items: Iterator[Streamline]) -> None:
    with path.open("wb") as file:
        try:
            kind(_lazy(items), header=dict(header)).save(file)
        except ValueError as error:
            raise UnsupportedError(
                f"these streamlines do not fit into {kind.__name__.removesuffix('File')}: {error}; "
                "give attributes shorter names, or convert to .trx, which takes them all",
                kind="attribute_name",
            ) from error


def _lazy(items: Iterator[Streamline]) -> Any:
    """Return streamlines as nibabel takes them, which asks for each once, and then for its data."""
    first = next(items, None)
    now: list[Streamline] = []

    def positions() -> Iterator[Any]:
        for item in itertools.chain([] if first is None else [first], items):
            now[:] = [item]
            yield item.positions

    def of_path(name: str) -> Callable[[], Iterator[Any]]:
        return lambda: (now[0].of_path[name] for _ in itertools.repeat(None))

    def of_vertices(name: str) -> Callable[[], Iterator[Any]]:
        return lambda: (now[0].of_vertices[name] for _ in itertools.repeat(None))

    return require("nibabel.streamlines", extra="streamlines").LazyTractogram(
        positions,
        data_per_streamline={name: of_path(name) for name in (first.of_path if first else ())},
        data_per_point={name: of_vertices(name) for name in (first.of_vertices if first else ())},
        affine_to_rasmm=np.eye(4),
    )


class _Lost:
    """What of the streamlines that pass a file has no place for."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._rounded: set[str] = set()
        self._groups = False

    def told(
        self, source: VectorSource, advance: Callable[[int], None], *, keeps_data: bool
    ) -> Iterator[Streamline]:
        """Yield streamlines with the data that the file has a place for."""
        for part in source.batches():
            kept = self._kept(part) if keeps_data else self._bare(part)
            self._groups = self._groups or bool(part.groups)
            yield from streamlines_of(kept)
            advance(part.n_vertices)

    def _bare(self, part: Geometry) -> Geometry:
        self._names |= {*part.vertex_attributes, *part.object_attributes}
        return replace(part, vertex_attributes={}, object_attributes={})

    def _kept(self, part: Geometry) -> Geometry:
        kept = [
            {name: c.astype("f4") for name, c in columns.items() if self._fits(name, c)}
            for columns in (part.vertex_attributes, part.object_attributes)
        ]
        return replace(part, vertex_attributes=kept[0], object_attributes=kept[1])

    def _fits(self, name: str, column: Any) -> bool:
        if column.dtype.kind not in "biuf":
            self._names.add(name)
            return False
        if column.dtype.kind in "iu" and (column.astype("f4") != column).any():
            self._rounded.add(name)
        return True

    def warnings(self, facts: VectorFacts, where: str) -> list[str]:
        """Return what has been lost."""
        told = left_out(self._names, "attributes", where)
        if self._rounded:
            names = ", ".join(sorted(self._rounded))
            told.append(f"numbers of {names} are rounded: {where} holds single precision")
        if facts.dtype == np.float64:
            told.append(f"positions are rounded: {where} holds single precision")
        return told + (["left out the groups: " + where + " has none"] if self._groups else [])


TRK = VectorFormat("TRK", (".trk",), open_tractogram, write_trk, _PATHS)
"""The format, for the registry."""

TCK = VectorFormat("TCK", (".tck",), open_tractogram, write_tck, _PATHS)
"""The format, for the registry."""
