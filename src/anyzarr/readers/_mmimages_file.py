"""``metadata.txt`` beside the separate image files of Micro-Manager, version 2 and 1.4.

Version 2 has for each image ``Coords-FOLDER/FILE`` and ``Metadata-FOLDER/FILE``, version 1.4
``FrameKey-TIME-CHANNEL-Z``; both have ``Summary``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyzarr.errors import CorruptDataError
from anyzarr.readers._micromanager import parsed

__all__ = ["METADATA", "Folder", "Plane", "is_folder", "read_folder"]

METADATA = "metadata.txt"

_FRAME_KEY = re.compile(r"FrameKey-(\d+)-(\d+)-(\d+)")
_NAMED_AXES = re.compile(r"img((?:_[a-z]+\d+)+)\.tiff?", re.IGNORECASE)
_NAMED_AXIS = re.compile(r"_([a-z]+)(\d+)", re.IGNORECASE)
_NAMED_OLD = re.compile(r"img_(\d{9,})_(.*)_(\d{3,})\.tiff?", re.IGNORECASE)
_AXES = {"time": "t", "channel": "c", "z": "z", "position": "position"}
_DISPLAY = "DisplaySettings.json"


@dataclass(frozen=True, slots=True)
class Plane:
    """An image file.

    Attributes
    ----------
    path
        Where it is.
    index
        Its number along ``t``, ``c``, ``z`` and ``position``, and along axes of other names.
    """

    path: Path
    index: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of image files, and what ``metadata.txt`` says.

    Attributes
    ----------
    path
        The folder.
    summary
        Of the acquisition.
    first_plane
        What is said of the first image.
    planes
        The files there are.
    listed
        Names of the files that were written.
    is_whole
        Whether the text has an end; the program that wrote it may have been stopped.
    """

    path: Path
    summary: dict[str, Any]
    first_plane: dict[str, Any]
    planes: tuple[Plane, ...]
    listed: frozenset[str]
    is_whole: bool


def is_folder(path: Path) -> bool:
    """Return whether a folder holds image files and their metadata."""
    return (path / METADATA).is_file() and any(_is_image(file.name) for file in path.glob("img_*"))


def _is_image(name: str) -> bool:
    return bool(_NAMED_AXES.fullmatch(name) or _NAMED_OLD.fullmatch(name))


def read_folder(path: Path) -> Folder:
    """Read the metadata of a folder, and find its files.

    Raises
    ------
    CorruptDataError
        The metadata is no JSON.
    """
    document, is_whole = _document(path / METADATA)
    summary = _mapping(document.get("Summary"))
    files = sorted(file for file in path.glob("img_*") if _is_image(file.name))
    by_key = {
        str(_mapping(about).get("FileName")): dict(
            zip("tcz", map(int, match.groups()), strict=True)
        )
        for key, about in document.items()
        if (match := _FRAME_KEY.fullmatch(key))
    }
    channels = _channel_numbers([file.name for file in files], by_key, summary)
    planes = tuple(
        Plane(file, by_key.get(file.name) or _named(file.name, channels)) for file in files
    )
    listed = by_key.keys() - {"None"}
    listed |= {key.rpartition("/")[2] for key in document if key.startswith("Metadata-")}
    return Folder(
        path, {**summary, **_colors(path, summary)}, _first(document), planes,
        frozenset(listed), is_whole,
    )  # fmt: skip


def _document(path: Path) -> tuple[dict[str, Any], bool]:
    """Return the document, and whether it was whole."""
    text = path.read_text("utf-8", errors="replace").strip()
    try:
        return parsed(text), True
    except ValueError:
        # It is written image by image, and ends only when the acquisition does.
        ended = text.rstrip(",") + "\n}"
    try:
        return parsed(ended), False
    except ValueError as error:
        raise CorruptDataError(
            f"{str(path)!r} is no JSON: {error}; get a whole copy of it, or convert the files by "
            "the pattern of their names",
            key=str(path),
        ) from error


def _channel_numbers(
    names: Sequence[str], by_key: Mapping[str, Mapping[str, int]], summary: Mapping[str, Any]
) -> dict[str, int]:
    """Return the numbers of the channels that names of version 1.4 tell by their names."""
    known = summary.get("ChNames")
    found = {str(name): i for i, name in enumerate(known if isinstance(known, list) else [])}
    old = {name: match[2] for name in names if (match := _NAMED_OLD.fullmatch(name))}
    found |= {channel: by_key[name]["c"] for name, channel in old.items() if name in by_key}
    for channel in old.values():
        found.setdefault(channel, 1 + max(found.values(), default=-1))
    return found


def _named(name: str, channels: Mapping[str, int]) -> dict[str, int]:
    """Return what the name of a file says of its place."""
    match = _NAMED_OLD.fullmatch(name)
    if match is not None:
        return {"t": int(match[1]), "c": channels[match[2]], "z": int(match[3])}
    pairs = _NAMED_AXIS.findall(name.rpartition(".")[0])
    return {_AXES.get(axis.lower(), axis.lower()): int(number) for axis, number in pairs}


def _first(document: Mapping[str, Any]) -> dict[str, Any]:
    of_planes = (
        value for key, value in document.items() if key.startswith(("Metadata-", "FrameKey-"))
    )
    return _mapping(next(of_planes, None))


def _colors(folder: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the colours of the channels as they were shown, where the summary has none."""
    path = next((p for p in (folder / _DISPLAY, folder.parent / _DISPLAY) if p.is_file()), None)
    if path is None or "ChColors" in summary:
        return {}
    try:
        document = parsed(path.read_bytes())
    except ValueError:
        return {}  # how it was shown is no part of the data
    settings = _mapping(_mapping(document.get("map")).get("ChannelSettings")).get("array")
    shown = {
        _scalar(one, "Channel"): _scalar(one, "Color")
        for one in (settings if isinstance(settings, list) else [])
    }
    names = summary.get("ChNames")
    colors = [shown.get(name) for name in names] if isinstance(names, list) else []
    return {"ChColors": colors} if any(colors) else {}


def _scalar(settings: Any, name: str) -> Any:
    value = _mapping(_mapping(settings).get(name)).get("scalar")
    return value if isinstance(value, str | int) else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
