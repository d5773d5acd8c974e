"""NDTiff, what Micro-Manager 2 and Pycro-Manager write: a folder of TIFF files and an index.

The index says where each plane lies, so the files are not parsed: planes are read where they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anyzarr.errors import CorruptDataError, MetadataError
from anyzarr.readers._micromanager import (
    channels_of,
    hcs_spots,
    kept,
)
from anyzarr.readers._ndtiff_index import (
    INDEX,
    Entry,
    read_index,
    read_plane_metadata,
    read_summary,
)
from anyzarr.readers._planes import (
    Plane,
    PlaneImage,
    note_missing,
    plane_source,
    require_files,
    require_whole,
)
from anyzarr.readers._sizes import axes_with_sizes, first_number, number_of
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage

__all__ = ["NDTIFF", "open_ndtiff"]

_FULL_RESOLUTION = "Full resolution"
_IMAGE_AXES = ("position", "row", "column")  # these tell images apart, not planes of one
_NAMES = {"time": "t", "z": "z"}
_Place = int | str


def _holds_index(path: Path) -> bool:
    return (path / INDEX).is_file() or (path / _FULL_RESOLUTION / INDEX).is_file()


def open_ndtiff(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the folder of an NDTiff data set.

    Each position (and each tile of an exploration) is an image. Axes that OME-Zarr does not have
    are run together with the channels.

    Parameters
    ----------
    path
        The folder.
    axes
        None: the index names them.

    Raises
    ------
    CorruptDataError
        The index or a file is truncated, or not what it should be.
    NodeNotFoundError
        Files that the index names are missing.
    """
    if axes is not None:
        raise MetadataError(f"axes={axes!r}: the index of {str(path)!r} names them; leave it out")
    folder = path if (path / INDEX).is_file() else path / _FULL_RESOLUTION
    entries, warnings = read_index(folder / INDEX)
    if not entries:
        raise CorruptDataError(f"{str(folder / INDEX)!r} lists no plane", key=str(folder / INDEX))
    require_files((folder / entry.filename for entry in entries), f"the index {INDEX}")
    summary = read_summary(folder / entries[0].filename)
    groups = _grouped(entries)
    labels = [_label(place) for place in groups]
    images = []
    for group, label, spot in zip(groups.values(), labels, hcs_spots(labels), strict=True):
        image = _Group(folder, group, summary).image()
        description = replace(image.description, name=label, spot=spot, warnings=warnings)
        images.append(note_missing(replace(image, description=description)))
        warnings = ()
    require_whole(images)
    return plane_source(images, {})


def _grouped(entries: Sequence[Entry]) -> dict[tuple[_Place, ...], list[Entry]]:
    """Return the planes of each image, by its place, in the order of the places."""
    groups: dict[tuple[_Place, ...], list[Entry]] = {}
    for entry in entries:
        key = tuple(entry.place[name] for name in _IMAGE_AXES if name in entry.place)
        groups.setdefault(key, []).append(entry)
    return dict(sorted(groups.items(), key=lambda item: tuple(map(_in_order, item[0]))))


def _in_order(value: _Place) -> tuple[bool, int, str]:
    """Return a key that sorts numbers by size; names stay in the order they came."""
    return (True, 0, "") if isinstance(value, str) else (False, value, "")


def _label(place: Sequence[_Place]) -> str | None:
    if not place:
        return None
    if len(place) == 1 and isinstance(place[0], int):
        return f"Pos{place[0]}"
    return "_".join(str(value) for value in place)


@dataclass(frozen=True, slots=True)
class _Group:
    """The planes that make up one image."""

    folder: Path
    entries: Sequence[Entry]
    summary: Mapping[str, Any]

    def image(self) -> PlaneImage:
        self._require_alike()
        first = self.entries[0]
        values = self._values()
        # The order in which an entry names its axes means nothing.
        others = sorted((n for n in values if n not in _NAMES), key=lambda n: (n == "channel", n))
        names, shape = self._axes(values, others)
        index = {name: {v: i for i, v in enumerate(found)} for name, found in values.items()}
        planes: dict[tuple[int, ...], Plane] = {}
        for entry in self.entries:
            planes[_index_of(entry, index, others, names)] = Plane(
                self.folder / entry.filename, entry.offset
            )
        about = read_plane_metadata(self.folder, first)
        axes, scale = axes_with_sizes(names, self._sizes(values, about))
        labels = self._labels(values, others, about)
        position = first.place.get("position")
        description = SourceImage(
            None,
            (*shape, *first.shape),
            first.dtype.newbyteorder("="),
            axes,
            scale,
            channels_of(labels, self.summary, first.samples) if "c" in names else None,
            is_rgb=first.samples > 1 and len(labels) == 1,
            windows_are_known=first.samples > 1,
            attributes=kept(self.summary, about, position if type(position) is int else None),
        )
        return PlaneImage(description, planes, first.dtype, first.samples)

    def _require_alike(self) -> None:
        first = self.entries[0]
        for entry in self.entries:
            if (entry.shape, entry.dtype, entry.samples) != (
                first.shape,
                first.dtype,
                first.samples,
            ) or entry.place.keys() != first.place.keys():
                raise MetadataError(
                    f"the planes at {dict(first.place)} and {dict(entry.place)} of one position "
                    f"differ in size, type or axes ({first.shape} {first.dtype}, {entry.shape} "
                    f"{entry.dtype}); an image has one of each"
                )

    def _values(self) -> dict[str, list[_Place]]:
        """Return what occurs along each axis of the image, in its order."""
        values: dict[str, list[_Place]] = {}
        for name in self.entries[0].place:
            if name not in _IMAGE_AXES:
                found = dict.fromkeys(entry.place[name] for entry in self.entries)
                values[name] = sorted(found, key=_in_order)
        return values

    def _axes(
        self, values: Mapping[str, list[_Place]], others: Sequence[str]
    ) -> tuple[str, tuple[int, ...]]:
        """Return the names of the image's axes, and the lengths of those before y and x."""
        lengths = {_NAMES[name]: len(values[name]) for name in values if name in _NAMES}
        if others or self.entries[0].samples > 1:
            lengths["c"] = self.entries[0].samples
            for name in others:
                lengths["c"] *= len(values[name])
        kept = [n for n in "tcz" if n in lengths and (lengths[n] > 1 or n == "c")]
        return "".join(kept) + "yx", tuple(lengths[n] for n in kept)

    def _labels(
        self, values: Mapping[str, list[_Place]], others: Sequence[str], about: Mapping[str, Any]
    ) -> list[str | None]:
        labels: list[str | None] = [None]
        for name in others:
            found: list[str | None] = [
                str(v) if name == "channel" and isinstance(v, str) else f"{name} {v}"
                for v in values[name]
            ]
            if name == "channel" and not isinstance(values[name][0], str):
                found = self._channel_names(values[name], about)
            labels = [
                b if a is None else a if b is None else f"{a}, {b}" for a in labels for b in found
            ]
        return labels

    def _channel_names(
        self, numbers: Sequence[_Place], about: Mapping[str, Any]
    ) -> list[str | None]:
        """Return the names of channels that the index numbers, as it did before version 3.2."""
        names = self.summary.get("ChNames")
        if isinstance(names, list) and all(
            isinstance(n, int) and 0 <= n < len(names) for n in numbers
        ):
            return [str(names[n]) for n in numbers if isinstance(n, int)]
        found = []
        for number in numbers:
            entry = next(e for e in self.entries if e.place["channel"] == number)
            name = read_plane_metadata(self.folder, entry).get("Channel")
            found.append(name if isinstance(name, str) else None)
        return found

    def _sizes(
        self, values: Mapping[str, list[_Place]], about: Mapping[str, Any]
    ) -> dict[str, tuple[float | None, str]]:
        pixel = first_number(self.summary.get("PixelSize_um"), about.get("PixelSizeUm"))
        interval = number_of(self.summary.get("Interval_ms"))
        step = number_of(self.summary.get("z-step_um")) or self._measured_step(values)
        return {
            "t": (None if interval is None else interval / 1000, "second"),
            "z": (step, "micrometer"),
            "y": (pixel, "micrometer"),
            "x": (pixel, "micrometer"),
        }

    def _measured_step(self, values: Mapping[str, list[_Place]]) -> float | None:
        """Return how far apart the first two planes in z were to be."""
        if len(values.get("z", ())) < 2:
            return None
        rest = {k: v for k, v in self.entries[0].place.items() if k != "z"}
        first, second = (self._height({**rest, "z": z}) for z in values["z"][:2])
        return None if first is None or second is None else number_of(round(second - first, 3))

    def _height(self, place: Mapping[str, _Place]) -> float | None:
        entry = next((e for e in self.entries if e.place == place), None)
        about = {} if entry is None else read_plane_metadata(self.folder, entry)
        height = about.get("ZPosition_um_Intended")
        return float(height) if isinstance(height, int | float) else None


def _index_of(
    entry: Entry, index: Mapping[str, Mapping[_Place, int]], others: Sequence[str], names: str
) -> tuple[int, ...]:
    """Return a plane's place among those of the image."""
    place = {_NAMES[name]: index[name][entry.place[name]] for name in index if name in _NAMES}
    place["c"] = 0
    for name in others:
        place["c"] = place["c"] * len(index[name]) + index[name][entry.place[name]]
    return tuple(place[name] for name in names[:-2])


NDTIFF = ReaderKind("ndtiff", (), (), open_ndtiff, _holds_index)
"""The format, for the registry."""
