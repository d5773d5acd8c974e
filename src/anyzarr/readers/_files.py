"""Several files as one source: patterns of names, globs, folders, and tables of files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from anyzarr.errors import MetadataError, NodeNotFoundError, UnsupportedError
from anyzarr.readers._apart import taken_apart
from anyzarr.readers._member import Member, grouped, members_of
from anyzarr.readers._pattern import Pattern, is_pattern
from anyzarr.readers._recognise import recognised
from anyzarr.readers._set import SetSource
from anyzarr.readers._source import ImageSource, ReaderKind, is_image_name, reader_for
from anyzarr.readers._table import TABLE_SUFFIXES, members_of_table

__all__ = ["FILES", "TABLE", "open_files", "open_plate", "open_several", "open_table"]

_ZARR = ("zarr.json", ".zgroup", ".zarray", "attributes.json")


def _images_in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if is_image_name(path.name)
        and not path.name.startswith(".")
        and not path.name.lower().endswith(TABLE_SUFFIXES)
        and path.is_file()
    )


def _is_folder_of_images(path: Path) -> bool:
    return not any((path / name).exists() for name in _ZARR) and bool(_images_in(path))


def open_files(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open a set of files: a pattern of their names, a glob, or a folder.

    Parameters
    ----------
    path
        ``folder/img_t{t:03}_c{c}.tif``; ``folder/*.tif`` or ``folder``, whose files' names must
        be of a known form.
    axes
        Names of the axes within each file, where it does not name them.

    Raises
    ------
    NodeNotFoundError
        No file matches, or files of the set are missing.
    MetadataError
        The files do not fit together, or the pattern is none.
    UnsupportedError
        The names are of no known form.
    """
    if path.is_dir():
        return _open_recognised(_images_in(path), axes)
    pattern = Pattern(path)
    matching = pattern.find()
    if pattern.names:
        return _set_of(members_of(pattern, matching), axes)
    return _open_recognised([one.path for one in matching], axes)


def open_several(
    paths: Sequence[Path], *, axes: str | None = None, plate: str | None = None
) -> ImageSource:
    """Open files, folders and globs as one set.

    Parameters
    ----------
    paths
        All of them; of a folder the images in it are taken.
    axes
        Names of the axes within each file, where it does not name them.
    plate
        As for :func:`open_plate`; a pattern is that of the ends of the paths, a table's files are
        those from the folder that all paths have in common.

    Raises
    ------
    NodeNotFoundError
        There is no such file.
    MetadataError, UnsupportedError
        As for :func:`open_files`; or there are no images in one of the folders.
    """
    found = list(dict.fromkeys(file for path in paths for file in _expanded(path)))
    if plate is None:
        return _open_recognised(found, axes)
    if _is_table(plate):
        return open_plate(Path(os.path.commonpath([f.parent for f in found])), plate, axes=axes)
    pattern = Pattern(Path(plate))
    matching = [(path, pattern.match_end(path)) for path in found]
    other = [path.name for path, match in matching if match is None]
    if other:
        raise MetadataError(
            f"{other[0]!r} ({len(other)} files) is not of the form {plate!r}; leave it out, or "
            "change the pattern"
        )
    members = members_of(pattern, [match for _, match in matching if match is not None])
    _require_wells(members, plate)
    return _set_of(members, axes)


def _set_of(
    members: Sequence[Member], axes: str | None, warnings: tuple[str, ...] = ()
) -> SetSource:
    return SetSource(grouped(taken_apart(members, axes)), axes, warnings)


def _expanded(path: Path) -> list[Path]:
    if path.is_dir():
        found = _images_in(path)
        if not found:
            raise UnsupportedError(
                f"there are no images in the folder {str(path)!r}; leave it out, and convert what "
                "it is by itself"
            )
        return found
    if path.is_file():
        return [path]
    if is_pattern(path):
        return [one.path for one in Pattern(path).find()]
    raise NodeNotFoundError(f"there is no file {str(path)!r}", key=str(path))


def _open_recognised(found: Sequence[Path], axes: str | None) -> ImageSource:
    """Open files whose names say what they are."""
    whole = _one_source(found, axes)
    if whole is not None:
        return whole
    folders = {one.parent for one in found}
    if len(folders) > 1:
        raise MetadataError(
            f"the files are of {len(folders)} folders ({found[0]}, …); name what the folders "
            "differ in by a placeholder in a pattern, such as {position} or {well}"
        )
    names = [one.name for one in found]
    pattern, warnings = recognised(folders.pop(), names)
    chosen = [one for one in pattern.find() if one.path.name in set(names)]
    return _set_of(members_of(pattern, chosen), axes, warnings)


def _one_source(found: Sequence[Path], axes: str | None) -> ImageSource | None:
    """Return the source that the first file is, if it is that of all of them."""
    kind = reader_for(found[0])
    if kind is None:
        raise NodeNotFoundError(f"{str(found[0])!r} is no image that can be read")
    source = kind.open(found[0], axes=axes)
    there = {path.resolve() for path in source.files} if len(found) > 1 else set()
    if len(found) == 1 or there >= {path.resolve() for path in found}:
        return source
    source.close()
    return None


def open_table(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the files that a table lists, by their paths from its folder.

    Parameters
    ----------
    path
        The table, as for :func:`open_plate`.
    axes
        Names of the axes within each file, where it does not name them.
    """
    return _set_of(members_of_table(path, path.parent), axes)


def open_plate(source: Path, plate: str, *, axes: str | None = None) -> ImageSource:
    """Open files as the fields of a plate.

    Parameters
    ----------
    source
        A folder, or a file of several images.
    plate
        A table (``layout.csv``), or a pattern of the names in the folder
        (``{row}{column:02}_s{field}_w{c}.tif``).
    axes
        Names of the axes within each file, where it does not name them.

    Raises
    ------
    MetadataError
        Neither is given, or images have no well, or no field of it of their own.
    NodeNotFoundError
        Files are missing.
    """
    if _is_table(plate):
        members = members_of_table(Path(plate), source)
    elif not is_pattern(Path(plate)):
        raise MetadataError(
            f"plate={plate!r} is neither a table (.csv) nor a pattern of file names such as "
            "'{row}{column:02}_s{field}_w{c}.tif'"
        )
    elif not source.is_dir():
        raise MetadataError(
            f"plate={plate!r} is a pattern of the names in a folder, and {str(source)!r} is none"
        )
    else:
        pattern = Pattern(source / plate)
        members = members_of(pattern, pattern.find())
    _require_wells(members, plate)
    return _set_of(members, axes)


def _is_table(plate: str) -> bool:
    return plate.lower().endswith(TABLE_SUFFIXES)


def _require_wells(members: Sequence[Member], plate: str) -> None:
    without = [member.path.name for member in members if member.spot is None]
    if without:
        raise MetadataError(
            f"plate={plate!r} gives no well for {without[0]!r} ({len(without)} files): name it by "
            "row and column, or well"
        )


FILES = ReaderKind("files", (), (), open_files, _is_folder_of_images, claims_pattern=is_pattern)
"""Sets of files, for the registry."""

TABLE = ReaderKind("table", TABLE_SUFFIXES, (), open_table)
"""Tables of files, for the registry."""
