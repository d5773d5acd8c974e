"""LAS and LAZ: points of laser scanners, with all that is known of each."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require
from anyzarr.errors import UnsupportedError
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._objects_input import rows_of_objects
from anyzarr.vectors.formats._format import FormatOptions, VectorFacts, VectorFormat, VectorSource
from anyzarr.vectors.formats._parts import FileSource, corrupt, left_out, space_axes
from anyzarr.vectors.formats._surfaces import channels_of, joined_channels

__all__ = ["LAS", "LAZ", "open_las", "write_las"]

_OBJECT: Final = "object_id"
_PLAIN, _COLOURED = 6, 7  # point formats of LAS 1.4
_STEPS: Final = 2**31 - 1
_NAME_BYTES: Final = 32


def _laspy() -> Any:
    return require("laspy", extra="lidar", purpose="Reading and writing LAS and LAZ")


def open_las(path: Path, options: FormatOptions) -> VectorSource:
    """Open the points of a LAS or LAZ file, read in parts.

    Positions are doubles, scale and offset applied. All other dimensions become attributes,
    ``red``, ``green`` and ``blue`` together ``rgb``. Scale, offset, point format and coordinate
    system are kept, so that the same file can be written again.

    Raises
    ------
    CorruptDataError
        The file is cut off, or is no LAS.
    """
    with _opened(path) as reader, _told(path):
        header = reader.header
        about = {
            "scales": [float(x) for x in header.scales],
            "offsets": [float(x) for x in header.offsets],
            "point_format": int(header.point_format.id),
            "version": str(header.version),
        }
        crs = _crs(header)
        n_points = int(header.point_count)

    def read() -> Iterator[Geometry]:
        yield from _parts(path, options.batch_vertices)

    facts = VectorFacts(
        "point_cloud", np.dtype(np.float64), space_axes(None), n_points, None,
        attributes={"las": {**about, **({"crs": crs} if crs else {})}},
    )  # fmt: skip
    return FileSource(path, facts, read, options)


def _crs(header: Any) -> str | None:
    """Return the coordinate system as text where the file has it so (WKT)."""
    texts = [vlr.string for vlr in header.vlrs.get("WktCoordinateSystemVlr")]
    return str(texts[0]).rstrip("\0") if texts else None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell what laspy says of a broken file as our error."""
    laspy, lazrs = _laspy(), require("lazrs", extra="lidar")
    broken = (laspy.errors.LaspyException, lazrs.LazrsError, ValueError, EOFError)
    try:
        yield
    except broken as error:
        raise corrupt(path, str(error)) from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        with _told(path):
            reader = _laspy().open(file, closefd=False)
        with reader:
            yield reader


def _parts(path: Path, n_points: int) -> Iterator[Geometry]:
    n = 0
    with _opened(path) as reader:
        chunks = iter(reader.chunk_iterator(n_points))
        told = int(reader.header.point_count)
        while True:
            with _told(path):
                record = next(chunks, None)
                if record is None:
                    break
                part = _geometry(record)
            n += part.n_vertices
            yield part
        if not told:
            yield _geometry(_laspy().ScaleAwarePointRecord.zeros(0, header=reader.header))
    if n != told:
        raise corrupt(path, f"its header says that there are {told} points, and there are {n}")


def _geometry(record: Any) -> Geometry:
    positions = np.stack([np.asarray(record[name], np.float64) for name in "xyz"], axis=1)
    names = [n for n in record.point_format.dimension_names if n not in {"X", "Y", "Z"}]
    columns = {name: np.array(record[name]) for name in names}
    ids = rows = None
    if _OBJECT in columns:
        ids, rows = rows_of_objects(columns.pop(_OBJECT), len(positions))
    return Geometry(
        positions, vertex_attributes=joined_channels(columns), object_rows=rows, object_ids=ids
    )


# ---------------------------------------------------------------------- writing


def write_las(
    source: VectorSource,
    path: Path,
    options: FormatOptions,
    advance: Callable[[int], None],
    *,
    compress: bool,
) -> Sequence[str]:
    """Write points as LAS 1.4, or of the version and format that they were read from.

    Attributes of the names that the point format has go there, others become extra dimensions.
    """
    facts = source.facts
    lost: set[str] = set()
    header: Any = None
    with path.open("wb") as file:
        writer: Any = None
        for part in source.batches():
            columns = _columns(part, lost)
            if writer is None:
                header = _header(facts, columns)
                writer = _laspy().open(
                    file, mode="w", header=header, do_compress=compress, closefd=False
                )
            writer.write_points(_record(header, part, columns))
            advance(part.n_vertices)
        writer.close()
    told = left_out(lost, "attributes", "LAS")
    if "las" not in facts.attributes:
        step = max(float(scale) for scale in header.scales)
        told.append(f"positions are rounded to multiples of {step:g}: LAS holds whole numbers")
    return told


def _columns(part: Geometry, lost: set[str]) -> dict[str, npt.NDArray[Any]]:
    """Return the attributes as columns of numbers."""
    found: dict[str, npt.NDArray[Any]] = {}
    if part.object_rows is not None and part.object_ids is not None:
        found[_OBJECT] = part.object_ids[part.object_rows]
    for name, column in part.vertex_attributes.items():
        if column.dtype.kind not in "biuf":
            lost.add(name)
            continue
        kind = {"b": "u1", "f": "f4" if column.dtype.itemsize == 2 else ""}.get(column.dtype.kind)
        typed = column.astype(kind) if kind else column
        found |= channels_of(name, typed)
    lost |= {*part.object_attributes}
    return found


def _header(facts: VectorFacts, columns: Mapping[str, npt.NDArray[Any]]) -> Any:
    laspy = _laspy()
    kept = facts.attributes.get("las", {})
    has_colour = {"red", "green", "blue"} <= {*columns}
    number = kept.get("point_format", _COLOURED if has_colour else _PLAIN)
    header = laspy.LasHeader(point_format=number, version=kept.get("version", "1.4"))
    scales, offsets = _steps(facts)
    header.scales, header.offsets = kept.get("scales", scales), kept.get("offsets", offsets)
    if kept.get("crs"):
        header.vlrs.append(laspy.vlrs.known.WktCoordinateSystemVlr(kept["crs"]))
        header.global_encoding.wkt = True
    standard = {*header.point_format.dimension_names}
    extra = {name: column for name, column in columns.items() if name not in standard}
    long = [name for name in extra if len(name.encode()) > _NAME_BYTES]
    if long:
        raise UnsupportedError(
            f"the attribute {long[0]!r} has a longer name than LAS allows, {_NAME_BYTES} bytes; "
            "give it a shorter one",
            kind="attribute_name",
        )
    params = [laspy.ExtraBytesParams(name, c.dtype.newbyteorder("=")) for name, c in extra.items()]
    header.add_extra_dims(params)
    return header


def _steps(facts: VectorFacts) -> tuple[list[float], list[float]]:
    """Return scale and offset per axis: the finest power of ten that holds the bounds."""
    low, high = np.asarray(facts.bounds or ((0.0,) * 3, (1.0,) * 3), np.float64)
    offsets = np.floor(low)
    reach = np.maximum(high - offsets, 1e-3)
    scales = [10.0 ** math.ceil(math.log10(float(extent) / _STEPS)) for extent in reach]
    return scales, offsets.tolist()


def _record(header: Any, part: Geometry, columns: Mapping[str, npt.NDArray[Any]]) -> Any:
    record = _laspy().ScaleAwarePointRecord.zeros(part.n_vertices, header=header)
    for i, name in enumerate("xyz"):
        try:
            setattr(record, name, part.positions[:, i].astype(np.float64))
        except OverflowError as error:
            raise UnsupportedError(
                f"positions along {name} do not fit the scale {header.scales[i]} and offset "
                f"{header.offsets[i]} of the file they came from",
                kind="positions",
            ) from error
    for name, column in columns.items():
        kind = np.asarray(record[name]).dtype
        with np.errstate(invalid="ignore", over="ignore"):
            fits = bool((column.astype(kind) == column).all()) or kind.kind == "f"
        try:
            if not fits:
                raise OverflowError(f"they are not all {kind}")
            record[name] = column
        except OverflowError as error:
            raise UnsupportedError(
                f"values of the attribute {name!r} do not fit the dimension of that name in LAS: "
                f"{error}; rename the attribute, and it becomes a dimension of its own",
                kind="attribute_dtype",
            ) from error
    return record


_POINTS: Final = frozenset({"point_cloud"})
LAS = VectorFormat(
    "LAS", (".las",), open_las, functools.partial(write_las, compress=False), _POINTS
)
"""The format, for the registry."""

LAZ = VectorFormat("LAZ", (".laz",), open_las, functools.partial(write_las, compress=True), _POINTS)
"""The format, for the registry."""
