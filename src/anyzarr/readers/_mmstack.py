"""Stacks of Micro-Manager: sets of OME-TIFF files with an index of their planes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyzarr.errors import MetadataError
from anyzarr.ome import Spot
from anyzarr.readers._micromanager import (
    channel_names,
    channels_of,
    hcs_spots,
    kept,
    position_label,
    sizes_of,
)
from anyzarr.readers._mmstack_file import Place, StackFile, is_stack_file, read_stack_file
from anyzarr.readers._planes import (
    Plane,
    PlaneImage,
    note_missing,
    plane_source,
    require_files,
    require_whole,
)
from anyzarr.readers._sizes import axes_with_sizes
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage

__all__ = ["MMSTACK", "is_stack", "open_mmstack"]

_MARK = "_MMStack"
_SUFFIX = ".ome.tif"
_NAMED_FILE = re.compile(r'FileName="([^"]+)"')
_CONTINUED = re.compile(r"(.*?)(?:_(\d+))?\.ome\.tif", re.IGNORECASE)


def _stack_files(path: Path) -> list[Path]:
    """Return the files of the set that a folder holds or a file is of."""
    if path.is_dir():
        found = sorted(path.glob(f"*{_MARK}*{_SUFFIX}"))
        prefixes = {name.name.partition(_MARK)[0] for name in found}
        if len(prefixes) > 1:
            raise MetadataError(
                f"{str(path)!r} holds several acquisitions ({', '.join(sorted(prefixes))}); "
                "convert them one by one by naming a file of each"
            )
        return found
    prefix = path.name.partition(_MARK)[0]
    same = (p for p in path.parent.glob(f"*{_MARK}*{_SUFFIX}") if p.name.startswith(prefix + _MARK))
    return sorted({path, *same}) if _MARK in path.name else [path]


def is_stack(path: Path) -> bool:
    """Return whether a file is one of a Micro-Manager stack, or a folder holds one."""
    if path.is_dir():
        path = next(path.glob(f"*{_MARK}*{_SUFFIX}"), path)
    return path.is_file() and is_stack_file(path)


def open_mmstack(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open a stack by its folder or one of its files. Each position is an image.

    Parameters
    ----------
    path
        The folder, or a file.
    axes
        None: the files name them.

    Raises
    ------
    CorruptDataError
        A file is truncated, or not what it should be.
    NodeNotFoundError
        Files of the set are missing.
    """
    if axes is not None:
        raise MetadataError(f"axes={axes!r}: Micro-Manager names them in {str(path)!r}; leave it "
                            "out")  # fmt: skip
    files = [read_stack_file(file) for file in _stack_files(path)]
    first = files[0]
    _require_complete(files)
    stack = _Stack(files)
    images = [note_missing(stack.image(position)) for position in stack.positions]
    require_whole(images)
    text = first.ome_xml
    is_ome = text is not None and "<OME" in text
    return plane_source(images, {"OME/METADATA.ome.xml": text.encode()} if is_ome and text else {})


def _require_complete(files: Sequence[StackFile]) -> None:
    folder = files[0].path.parent
    named = {name for file in files for name in _NAMED_FILE.findall(file.ome_xml or "")}
    require_files([folder / name for name in sorted(named)], "the OME-XML of the stack")
    # A file that is full goes on in x_1.ome.tif, x_2.ome.tif, ….
    numbers: dict[str, set[int]] = {}
    for file in files:
        match = _CONTINUED.fullmatch(file.path.name)
        if match is not None and match[2]:
            numbers.setdefault(match[1], set()).add(int(match[2]))
    continued = (
        folder / f"{stem}_{number}{_SUFFIX}"
        for stem, found in numbers.items()
        if folder / f"{stem}{_SUFFIX}" in {file.path for file in files}
        for number in range(1, max(found))
    )
    require_files(continued, "the numbering of the stack")


@dataclass(frozen=True, slots=True)
class _Stack:
    """All files of a stack."""

    files: Sequence[StackFile]

    @property
    def summary(self) -> dict[str, Any]:
        return self.files[0].summary

    @property
    def positions(self) -> list[int]:
        """Numbers of the positions that were acquired."""
        return sorted({place.position for file in self.files for place in file.offsets})

    def image(self, position: int) -> PlaneImage:
        """Return the image of a position."""
        planes = {
            place: Plane(file.path, offset)
            for file in self.files
            for place, offset in file.offsets.items()
            if place.position == position
        }
        first = self._first_file(position)
        page = first.page
        lengths = {
            "t": 1 + max(p.time for p in planes),
            "c": 1 + max(p.channel for p in planes),
            "z": 1 + max(p.z for p in planes),
        }
        labels = channel_names(self.summary, lengths["c"])
        has_channels = lengths["c"] * page.samples > 1 or labels[0] is not None
        names = "".join(n for n in "tcz" if lengths[n] > 1 or (n == "c" and has_channels)) + "yx"
        axes, scale = axes_with_sizes(names, sizes_of(self.summary, first.first_plane))
        shape = [lengths[n] * (page.samples if n == "c" else 1) for n in names[:-2]]
        label, spot = self._labels[position]
        description = SourceImage(
            label,
            (*shape, *page.shape),
            page.dtype.newbyteorder("="),
            axes,
            scale,
            channels_of(labels, self.summary, page.samples) if has_channels else None,
            windows_are_known=page.samples > 1,
            spot=spot,
            is_rgb=page.samples > 1 and lengths["c"] == 1,
            attributes=kept(self.summary, first.first_plane, position),
            warnings=self._ended_early(lengths["t"]),
        )
        placed = {_index(place, names): plane for place, plane in planes.items()}
        return PlaneImage(description, placed, page.dtype, page.samples)

    def _first_file(self, position: int) -> StackFile:
        """Return the first of the files with planes of a position; they are all alike."""
        holders = [f for f in self.files if any(p.position == position for p in f.offsets)]
        if any(file.page != holders[0].page for file in holders):
            raise MetadataError(
                f"the files of position {position} have planes of different sizes or types "
                f"({', '.join(str(f.page) for f in holders)}); an image has one of each"
            )
        return holders[0]

    def _ended_early(self, n_times: int) -> tuple[str, ...]:
        planned = self.summary.get("Frames")
        if type(planned) is int and planned > n_times:
            return (f"{n_times} of {planned} planned time points were acquired",)
        return ()

    @property
    def _labels(self) -> dict[int, tuple[str | None, Spot | None]]:
        """Names of the positions, and the wells where all of them name one."""
        positions = self.positions
        stage = self.summary.get("StagePositions")
        known = stage if isinstance(stage, list) else []
        labels = [position_label(known[p]) if p < len(known) else None for p in positions]
        if len(positions) > 1:
            labels = [label or f"Pos{p}" for label, p in zip(labels, positions, strict=True)]
        pairs = zip(labels, hcs_spots(labels), strict=True)
        return dict(zip(positions, pairs, strict=True))


def _index(place: Place, names: str) -> tuple[int, ...]:
    by_name = {"t": place.time, "c": place.channel, "z": place.z}
    return tuple(by_name[name] for name in names[:-2])


MMSTACK = ReaderKind("micro-manager", (), (), open_mmstack, is_stack)
"""The format, for the registry; single files of it are recognised by the reader of TIFF."""
