"""``preview``: what an image or a plate looks like, as one PNG."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anyzarr._optional import require
from anyzarr._os_errors import because
from anyzarr._view._open import Scene, open_scene, wanted_labels
from anyzarr._view._planes import ZChoice
from anyzarr._view._plates import render_images
from anyzarr._view._render import render
from anyzarr._view._shown import SCREEN, Look, Preview
from anyzarr._view._vector_sheet import render_vectors
from anyzarr.errors import StoreError, UnsupportedError
from anyzarr.stores._local_files import atomic_write
from anyzarr.vectors import ZVStore

__all__ = ["Preview", "preview"]


def preview(
    location: Any,
    out_png: str | os.PathLike[str],
    *,
    level: int | None = None,
    channels: Sequence[int | str] | None = None,
    z: ZChoice = "middle",
    time: int = 0,
    labels: str | Sequence[str] | None = "auto",
    vectors: str | Sequence[str] | None = "auto",
    field: str | None = None,
    screen: tuple[int, int] = SCREEN,
    color: str = "auto",
    wireframe: bool = False,
    path: str = "",
    engine: str | None = None,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> Preview:
    """Write what an image, plate, well or series looks like as a PNG.

    Of an image: one tile per channel in its colour, contrast from the 1st to the 99.8th
    percentile of what is shown; their sum; and one tile per label image and per vector store,
    drawn over the sum.
    Red, green and blue channels are shown as one colour picture, as stored. The coarsest level
    that fills the screen is read, no other.

    Of a plate: its wells as they lie on it, with one contrast per channel for all of them. Of a
    well or series: its images, with their names. What cannot be read is crossed out and named
    in ``notes``.

    Of a vector store: what it looks like along each axis, in one scale. Points are shown as
    their density or as dots, lines in the colours of their directions, skeletons and graphs in
    those of their objects, meshes with light on them. The finest level of which not too much
    has to be read is taken, or chunks spread over the coarsest, which the sheet then says.

    Parameters
    ----------
    location
        An OME-Zarr image, plate, well or series, a vector store, or an array: a path, URL, store
        or dict.
    out_png
        File to write, ending in ``.png``; replaced as a whole or not at all.
    level
        Resolution level to read; default the coarsest that fills the screen.
    channels
        Names or indices of the channels to show, in this order; default all.
    z
        ``"middle"`` slice, ``"max"`` projection, or a slice index of the level that is read.
    time
        Time point to show.
    labels
        Names of the label images to show, ``"all"``, or None or ``"none"``. Default: all those of
        a single image; none on a plate, well or series.
    vectors
        Names of the vector stores of an image to show over it, ``"all"`` (as by default), or None
        or ``"none"``. Of a slice what lies in it is drawn.
    field
        Name of the field of view to show of each well of a plate; default the first.
    screen
        Width and height the sheet should fit, in pixels.
    color
        What the colours of vectors tell: ``"density"`` of points, ``"object"``, ``"direction"``,
        ``"plain"``, or an attribute of vertices or objects by its name.
    wireframe
        Whether the edges of meshes are drawn instead of their faces.
    path
        Path of the image within the location.
    engine, backend, **backend_kwargs
        As for :func:`anyzarr.open`.

    Raises
    ------
    UnsupportedError
        There is no image at the location, or ``out_png`` does not end in ``.png``.
    SelectionError
        No such level, channel, slice, time point, label image or field of view.
    CorruptDataError
        A chunk that is shown of a single image cannot be decoded. Nothing is written.
    MissingDependencyError
        Pillow is not installed.
    StoreError
        The file cannot be written.

    Examples
    --------
    >>> import anyzarr, numpy as np, tempfile, pathlib
    >>> from anyzarr._view import preview
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> array = anyzarr.create_array(folder / "a.zarr", data=np.arange(12.0).reshape(3, 4))
    >>> preview(folder / "a.zarr", folder / "a.png").level
    0
    """
    target = _checked_target(out_png)
    require("PIL.Image", extra="images", purpose="A preview")
    look = Look(level, channels, z, time, screen, color, wireframe)
    wanted = wanted_labels(labels)
    scene = open_scene(
        location,
        path=path,
        field=field,
        labels=wanted,
        vectors=wanted_labels(vectors),
        engine=engine,
        backend=backend,
        **backend_kwargs,
    )
    if isinstance(scene, ZVStore):
        sheet, shown = render_vectors(scene, str(target), look)
    elif isinstance(scene, Scene):
        sheet, shown = render(
            scene.source,
            str(target),
            look,
            scene.layers,
            scene.vectors,
            is_label=scene.is_label,
        )
        shown = dataclasses.replace(shown, notes=(*scene.notes, *shown.notes))
    else:
        sheet, shown = render_images(scene, str(target), look)
    _save(sheet, target)
    return shown


def _checked_target(out_png: str | os.PathLike[str]) -> Path:
    target = Path(out_png)
    if target.suffix.lower() != ".png":
        raise UnsupportedError(
            f"{str(target)!r} does not end in .png, the one format a preview is written in; "
            f"give a name such as {target.with_suffix('.png').name!r}"
        )
    if not target.parent.is_dir():
        raise StoreError(
            f"{str(target)!r} cannot be written: the folder {str(target.parent)!r} does not "
            "exist; create it first"
        )
    if target.is_dir():
        raise StoreError(f"{str(target)!r} is a folder; give the name of a file in it")
    return target


def _save(sheet: Any, target: Path) -> None:
    """Write the PNG: a reader sees all of it or nothing."""
    encoded = io.BytesIO()
    sheet.save(encoded, format="PNG", optimize=True)
    try:
        atomic_write(str(target.absolute()), encoded.getvalue())
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(target: Path, error: OSError) -> StoreError:
    return StoreError(f"cannot write {str(target)!r}: {because(error)}", store=str(target.parent))
