"""HDF5 files: opening them, and the data sets in them that pixels can be read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import is_installed, require
from anyzarr._pyramid import Region
from anyzarr.errors import (
    AnyzarrError,
    CorruptDataError,
    NodeNotFoundError,
    StoreError,
    UnsupportedError,
)

__all__ = [
    "attributes_of",
    "data_sets",
    "errors_named",
    "open_file",
    "read_part",
    "require_readable",
    "split",
]

_MOST_NAMED = 10
_DEEPEST = 4


def split(path: Path) -> tuple[Path, str]:
    """Return the file that a path is or lies in, and the path in it."""
    for parent in (path, *path.parents):
        if parent.is_file():
            return parent, "/".join(path.parts[len(parent.parts) :])
    return path, ""


def open_file(path: Path) -> Any:
    """Open an HDF5 file for reading.

    Raises
    ------
    CorruptDataError
        It is none, or is cut off.
    StoreError
        It cannot be opened, or another program writes to it.
    MissingDependencyError
        h5py is not installed.
    """
    h5py = require("h5py", extra="hdf5", purpose="Reading HDF5 files")
    try:
        return h5py.File(path, "r")
    except BlockingIOError as error:
        raise StoreError(
            f"{str(path)!r} is locked by another program, which may be writing to it; try again "
            "when that is done",
            key=str(path),
        ) from error
    except (PermissionError, FileNotFoundError):
        raise
    except OSError as error:
        raise CorruptDataError(
            f"{str(path)!r} cannot be read as HDF5: {error}; get a whole copy of it",
            key=str(path),
        ) from error


def data_sets(root: Any, inner: str, path: Path) -> list[Any]:
    """Return the data sets below a path in a file that could be images, the largest first.

    Raises
    ------
    NodeNotFoundError
        There is nothing at the path.
    UnsupportedError
        There is none that could be an image.
    """
    node = node_at(root, inner, path)
    if node is None:
        known = [one.name.lstrip("/") for one in data_sets(root, "", path)]
        raise NodeNotFoundError(
            f"{str(path)!r} holds nothing at {inner!r}; its data sets are {_listed(known)}"
        )
    found: list[Any] = []

    def visit(_name: str, one: Any) -> None:
        if hasattr(one, "dtype"):
            found.append(one)

    if hasattr(node, "visititems"):
        node.visititems(visit)
    else:
        found.append(node)
    fit = [one for one in found if _is_image(one)]
    if not fit:
        held = [f"{one.name} of shape {one.shape} and type {one.dtype}" for one in found]
        raise UnsupportedError(
            f"{str(path)!r} holds no data set of numbers with 2 to 5 dimensions"
            f"{f' at {inner!r}' if inner else ''}, of which an image could be made; it holds "
            f"{_listed(held)}"
        )
    return sorted(fit, key=lambda one: (-one.nbytes, one.name))


def _is_image(one: Any) -> bool:
    return (
        one.shape is not None
        and one.dtype.kind in "biufc"
        and one.size > 0
        and one.ndim >= 2
        and sum(n > 1 for n in one.shape) <= 5
    )


def _listed(names: list[str]) -> str:
    rest = len(names) - _MOST_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return (", ".join(names[:_MOST_NAMED]) or "nothing") + more


def require_readable(one: Any, path: Path, depth: int = 0) -> list[Path]:
    """Refuse a data set of which something is missing; return the other files it lies in.

    Raises
    ------
    UnsupportedError
        It is compressed by a filter that is not there, or lies where nothing is read from.
    CorruptDataError
        A file that it refers to is missing: HDF5 would give fill values.
    """
    h5py = require("h5py", extra="hdf5", purpose="Reading HDF5 files")
    plan = one.id.get_create_plist()
    for number in range(plan.get_nfilters()):
        code, _, _, name = plan.get_filter(number)
        if not h5py.h5z.filter_avail(code) and not _plugin_has(h5py, code):
            raise UnsupportedError(
                f"{str(path)!r}: the data set {one.name!r} is compressed by the filter {code} "
                f"({name.decode('utf-8', 'replace')}), which HDF5 does not have here; install it "
                "with: pip install hdf5plugin"
            )
    if one.external:
        raise UnsupportedError(
            f"{str(path)!r}: the data set {one.name!r} lies in {one.external[0][0]!r}, which HDF5 "
            "looks for where the program runs, and not beside the file; put it into the file with "
            "h5repack"
        )
    return _sources_of(h5py, one, path, depth) if one.is_virtual else []


def _beside(path: Path, name: str, one: Any) -> Path:
    """Return a file that a data set lies in, which must be below the folder of its own.

    Raises
    ------
    CorruptDataError
        It is not there: HDF5 would give fill values.
    UnsupportedError
        It is elsewhere: a file must not make us read what lies anywhere on the machine.
    """
    file = path.parent / name
    if not file.resolve().is_relative_to(path.parent.resolve()):
        raise UnsupportedError(
            f"{str(path)!r}: the data set {one.name!r} lies in {name!r}, outside the folder of the "
            "file, where nothing is read from; put both into one folder and make it anew"
        )
    if not file.is_file():
        raise CorruptDataError(
            f"{str(path)!r}: the data set {one.name!r} lies in {str(file)!r}, which is not there; "
            "put the files of the set side by side",
            key=str(path),
        )
    return file


def _sources_of(h5py: Any, one: Any, path: Path, depth: int) -> list[Path]:
    """Return the files of a virtual data set, and look at the data sets it is made of."""
    if depth > _DEEPEST:
        raise UnsupportedError(
            f"{str(path)!r}: the data set {one.name!r} is made of others more than {_DEEPEST} deep"
        )
    files: list[Path] = []
    for name, inner in dict.fromkeys((s.file_name, s.dset_name) for s in one.virtual_sources()):
        file = path if name == "." else _beside(path, name, one)
        with h5py.File(file, "r") as opened:
            found = node_at(opened, inner, file)
            if found is None:
                raise CorruptDataError(
                    f"{str(path)!r}: the data set {one.name!r} is made of {inner!r} in "
                    f"{str(file)!r}, which is not there; get a whole copy of the set",
                    key=str(path),
                )
            files += [file, *require_readable(found, file, depth + 1)]
    return [file for file in dict.fromkeys(files) if file != path]


def node_at(root: Any, inner: str, path: Path) -> Any:
    """Return what is at a path in a file, or None.

    Raises
    ------
    UnsupportedError
        A link on the way leads out of the file.
    """
    node = root
    for part in filter(None, inner.split("/")):
        if not hasattr(node, "keys") or part not in node.keys():  # noqa: SIM118 - dangling links
            return None
        if type(node.get(part, getlink=True)).__name__ == "ExternalLink":
            raise UnsupportedError(
                f"{str(path)!r}: {part!r} is a link to another file, which is not followed; give "
                "that file"
            )
        node = node.get(part)
    return node


def _plugin_has(h5py: Any, code: int) -> bool:
    """Return whether the filters of the package hdf5plugin, if it is installed, have one."""
    if is_installed("hdf5plugin"):
        require("hdf5plugin", extra="hdf5")
    return bool(h5py.h5z.filter_avail(code))


def read_part(one: Any, region: Region, path: Path) -> npt.NDArray[Any]:
    """Return a region of a data set; h5py lets one thread at a time do so."""
    with errors_named(path, f"the data set {one.name!r}"):
        return np.asarray(one[region])


@contextmanager
def errors_named(path: Path, what: str = "it") -> Iterator[None]:
    """Name the file in what HDF5 raises where it is broken."""
    try:
        yield
    except AnyzarrError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeError) as error:
        raise CorruptDataError(
            f"{str(path)!r}: {what} cannot be read: {error}; get a whole copy of the file",
            key=str(path),
        ) from error


def attributes_of(node: Any) -> Mapping[str, Any]:
    """Return the attributes of a data set or group that are JSON values."""
    found: dict[str, Any] = {}
    for name in node.attrs:
        try:
            value = _plain(node.attrs[name])
        except (OSError, TypeError, ValueError):
            continue  # of a type that is no JSON: a reference, a table
        if value is not None:
            found[str(name)] = value
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray) and value.dtype.kind == "S":
        return [item.decode("utf-8", "replace") for item in value.ravel().tolist()]
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in "biufUO" or value.size > 1000:
            return None
        value = value.tolist()
    is_finite = not isinstance(value, float) or np.isfinite(value)
    return value if isinstance(value, str | int | float | bool | list) and is_finite else None
