"""TRX: streamlines, their attributes and groups, as raw arrays in a zip archive or a folder.

Read and written here, as its specification has it: a part at a time, which the package
trx-python, the judge in the tests, does not do.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors.formats._format import FormatOptions, VectorFacts, VectorFormat, VectorSource
from anyzarr.vectors.formats._parts import FileSource, corrupt, space_axes
from anyzarr.vectors.formats._space import ImageSpace
from anyzarr.vectors.formats._trx_write import BITS, write_trx

__all__ = ["TRX", "open_trx"]

_PATHS: Final = frozenset({"streamline", "polyline", "line"})


@dataclass(frozen=True, slots=True)
class _Member:
    """One array: where it is, and what its name says of it.

    Attributes
    ----------
    key
        Name in the archive.
    name
        Of the attribute.
    width
        Numbers in a row.
    dtype
        Of a number.
    """

    key: str
    name: str
    width: int
    dtype: np.dtype[Any]

    @classmethod
    def parse(cls, key: str) -> _Member:
        """Return what the name of a file says: ``NAME.WIDTH.TYPE`` or ``NAME.TYPE``.

        Raises
        ------
        ValueError
            It says something else.
        """
        name, *told = key.rpartition("/")[2].rsplit(".", 2)
        if len(told) == 2 and not told[0].isdecimal():
            name, told = f"{name}.{told[0]}", told[1:]
        width = int(told[0]) if len(told) == 2 else 1
        kind = "bool" if told and told[-1] == BITS else told[-1] if told else ""
        dtype = np.dtype(kind) if kind else np.dtype("V")
        if dtype.kind not in "biuf" or width < 1:
            raise ValueError(f"the name {key!r} says no type of numbers")
        return cls(key, name, width, dtype.newbyteorder("<"))

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.width * self.dtype.itemsize


class _Archive:
    """The files of a TRX, in an archive or a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = None if path.is_dir() else zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise corrupt(path, f"it is no zip archive, or is cut off ({error})") from error
        if self._zip is None:
            files = (p for p in path.rglob("*") if p.is_file())
            self.sizes = {p.relative_to(path).as_posix(): p.stat().st_size for p in files}
        else:
            infos = self._zip.infolist()
            self.sizes = {i.filename: i.file_size for i in infos if not i.is_dir()}

    def open(self, key: str) -> IO[bytes]:
        """Open a file to be read from its beginning."""
        return (self._path / key).open("rb") if self._zip is None else self._zip.open(key)

    def rows(self, file: IO[bytes], member: _Member, n: int) -> npt.NDArray[Any]:
        """Return the next rows of an array.

        Raises
        ------
        CorruptDataError
            There are not so many.
        """
        size = n * member.row_bytes
        try:
            data = file.read(size) if size else b""
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise corrupt(self._path, f"{member.key!r} cannot be decoded ({error})") from error
        if len(data) != size:
            raise corrupt(self._path, f"{member.key!r} ends {size - len(data)} bytes too early")
        rows = np.frombuffer(data, member.dtype).astype(member.dtype.newbyteorder("="))
        return rows.reshape(n, member.width) if member.width > 1 else rows

    def whole(self, member: _Member) -> npt.NDArray[Any]:
        """Return all rows of an array."""
        with self.open(member.key) as file:
            return self.rows(file, member, self.sizes[member.key] // member.row_bytes)

    def close(self) -> None:
        if self._zip is not None:
            self._zip.close()


@dataclass(frozen=True)
class _Contents:
    """What is in a TRX.

    Attributes
    ----------
    header
        As stored.
    positions, offsets
        The two arrays that must be there.
    of_vertices, of_paths, groups
        Attributes of vertices and of streamlines, and groups of these.
    of_groups
        Attributes of groups, by group.
    """

    header: Mapping[str, Any]
    positions: _Member
    offsets: _Member
    of_vertices: tuple[_Member, ...] = ()
    of_paths: tuple[_Member, ...] = ()
    groups: tuple[_Member, ...] = ()
    of_groups: Mapping[str, tuple[_Member, ...]] = field(default_factory=dict)


def _contents(archive: _Archive, path: Path) -> _Contents:
    if "header.json" not in archive.sizes:
        raise corrupt(path, "it has no header.json")
    try:
        with archive.open("header.json") as file:
            header = json.load(file)
        members = [_Member.parse(key) for key in archive.sizes if key != "header.json"]
        counts = {int(header["NB_VERTICES"]), int(header["NB_STREAMLINES"])}
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise corrupt(path, f"its header or the names in it are not valid ({error!r})") from error
    top = {m.name: m for m in members if "/" not in m.key}
    if min(counts) < 0 or not {"positions", "offsets"} <= {*top}:
        raise corrupt(path, "it has no array of positions or no offsets")

    def below(folder: str) -> tuple[_Member, ...]:
        return tuple(m for m in members if m.key.rpartition("/")[0] == folder)

    groups = below("groups")
    return _Contents(
        header, top["positions"], top["offsets"], below("dpv"), below("dps"), groups,
        {group.name: below(f"dpg/{group.name}") for group in groups},
    )  # fmt: skip


def open_trx(path: Path, options: FormatOptions) -> VectorSource:
    """Open the streamlines of a TRX archive or folder.

    Positions are RAS+ millimeters. Data per vertex, per streamline and per group become attributes
    of vertices, objects and groups; names of groups are their attribute ``name``.

    Raises
    ------
    CorruptDataError
        The archive is cut off, or its arrays do not fit its header.
    """
    archive = _Archive(path)
    try:
        contents = _contents(archive, path)
        offsets = _offsets(archive, contents, path)
    finally:
        archive.close()
    header = contents.header
    space = ImageSpace.parse(
        {"affine": header.get("VOXEL_TO_RASMM"), "dimensions": header.get("DIMENSIONS")}
    )

    def read() -> Iterator[Geometry]:
        opened = _Archive(path)
        try:
            yield from _parts(opened, contents, offsets, options.batch_vertices)
        finally:
            opened.close()

    dtype = contents.positions.dtype.newbyteorder("=")
    facts = VectorFacts(
        "streamline", dtype, space_axes("millimeter"), int(offsets[-1]), None,
        attributes={} if space is None else {"space": space.to_document()},
    )  # fmt: skip
    return FileSource(path, facts, read, options)


def _offsets(archive: _Archive, contents: _Contents, path: Path) -> npt.NDArray[np.int64]:
    """Return where each streamline begins, and the number of vertices."""
    header = contents.header
    n_vertices, n_paths = int(header["NB_VERTICES"]), int(header["NB_STREAMLINES"])
    offsets = archive.whole(contents.offsets).astype(np.int64)
    if len(offsets) == n_paths:  # written before the specification asked for the last one
        offsets = np.append(offsets, n_vertices)
    fits = len(offsets) == n_paths + 1 and offsets[0] == 0 and offsets[-1] == n_vertices
    expected = {m.key: n_vertices for m in (contents.positions, *contents.of_vertices)}
    expected |= {m.key: n_paths for m in contents.of_paths}
    members = (contents.positions, *contents.of_vertices, *contents.of_paths)
    wrong = [m.key for m in members if archive.sizes[m.key] != expected[m.key] * m.row_bytes]
    if not fits or (np.diff(offsets) < 0).any() or contents.positions.width != 3 or wrong:
        raise corrupt(
            path,
            f"{wrong[0] if wrong else contents.offsets.key!r} does not fit the {n_vertices} "
            f"vertices and {n_paths} streamlines of its header",
        )
    return offsets


def _parts(
    archive: _Archive, contents: _Contents, offsets: npt.NDArray[np.int64], n_vertices: int
) -> Iterator[Geometry]:
    n_paths = len(offsets) - 1
    with ExitStack() as stack:
        members = (contents.positions, *contents.of_vertices, *contents.of_paths)
        files = {m.key: stack.enter_context(archive.open(m.key)) for m in members}

        def rows(member: _Member, n: int) -> npt.NDArray[Any]:
            return archive.rows(files[member.key], member, n)

        first = 0
        while True:
            stop = int(np.searchsorted(offsets, offsets[first] + n_vertices, "left"))
            stop = min(max(stop, first + 1), n_paths)
            counts = np.diff(offsets[first : stop + 1])
            n = int(counts.sum())
            is_last = stop == n_paths
            yield Geometry(
                positions=rows(contents.positions, n),
                vertex_attributes={m.name: rows(m, n) for m in contents.of_vertices},
                object_rows=np.repeat(np.arange(len(counts), dtype=np.int64), counts),
                object_ids=np.arange(first, stop, dtype=np.int64),
                object_attributes={m.name: rows(m, len(counts)) for m in contents.of_paths},
                groups=_groups(archive, contents) if is_last else {},
                group_attributes=_group_attributes(archive, contents) if is_last else {},
            )
            first = stop
            if is_last:
                return


def _groups(archive: _Archive, contents: _Contents) -> dict[int, npt.NDArray[np.int64]]:
    return {
        number: archive.whole(member).astype(np.int64)
        for number, member in enumerate(contents.groups)
    }


def _group_attributes(archive: _Archive, contents: _Contents) -> dict[str, npt.NDArray[Any]]:
    """Return the names of groups, and of their data what all of them have."""
    if not contents.groups:
        return {}
    found: dict[str, npt.NDArray[Any]] = {"name": np.asarray([m.name for m in contents.groups])}
    per_group = [{m.name: archive.whole(m) for m in of} for of in contents.of_groups.values()]
    for name in set.intersection(*({*one} for one in per_group)):
        rows = [one[name].reshape(-1) for one in per_group]
        if len({len(row) for row in rows}) == 1:
            column = np.stack(rows)
            found[name] = column[:, 0] if column.shape[1] == 1 else column
    return found


def _is_folder_of_trx(path: Path) -> bool:
    return (path / "header.json").is_file() and any(path.glob("positions.*"))


TRX = VectorFormat(
    "TRX", (".trx",), open_trx, write_trx, _PATHS, claims_folder=_is_folder_of_trx
)  # fmt: skip
"""The format, for the registry."""
