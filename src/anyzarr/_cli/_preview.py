"""``anyzarr preview LOCATION OUT.png``."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from anyzarr._cli._console import print_json, print_warning, stdout
from anyzarr._cli._format import count
from anyzarr._cli._options import JsonFlag, OpenOptions

__all__ = ["preview"]


def _check_z(type_: Any, text: str) -> None:
    if text not in {"middle", "max"} and not text.lstrip("-").isdigit():
        raise ValueError(f"{text!r} is neither middle, nor max, nor the number of a slice")


def _check_screen(type_: Any, text: str) -> None:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and min(int(width), int(height)) >= 200):
        raise ValueError(f"{text!r} is not WIDTHxHEIGHT of at least 200x200 pixels")


def preview(
    location: str,
    out_png: Annotated[str, Parameter(name="OUT_PNG")],
    path: str = "",
    /,
    *,
    level: int | None = None,
    channel: Annotated[
        tuple[str, ...], Parameter(name=["--channel", "-c"], consume_multiple=False)
    ] = (),
    z: Annotated[str, Parameter(name="--z", validator=_check_z)] = "middle",
    time: int = 0,
    labels: Annotated[tuple[str, ...], Parameter(consume_multiple=False)] = ("auto",),
    vectors: Annotated[tuple[str, ...], Parameter(consume_multiple=False)] = ("auto",),
    field: str | None = None,
    screen: Annotated[str, Parameter(validator=_check_screen)] = "1600x1000",
    color: str = "auto",
    wireframe: Annotated[bool, Parameter(negative="")] = False,
    json: JsonFlag = False,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Write a picture of an image, of all images of a plate, well or series, or of vectors.

    Of an image its channels side by side, their sum, and its labels; of a plate its wells as
    they lie on it; of a vector store what it looks like along each axis.

    Parameters
    ----------
    location
        Path or URL.
    out_png
        File to write; replaced if it is there.
    path
        Path of the image within the location.
    level
        Resolution level to read. Default: the coarsest that fills the screen.
    channel
        Name or number of a channel to show; may be repeated. Default: all.
    z
        middle, max (projection), or the number of a slice.
    time
        Time point to show.
    labels
        Name of a label image to draw, may be repeated; all; or none. Default: all those of a
        single image, none of a plate.
    vectors
        Name of a vector store of an image to draw over it, may be repeated; or none. Default: all.
    field
        Name of the field of view to show of each well. Default: the first.
    screen
        Size to fit, as WIDTHxHEIGHT in pixels. Default: 1600x1000.
    color
        What colours of vectors tell: density, object, direction, plain, or an attribute.
    wireframe
        Draw the edges of meshes instead of their faces.
    json
        Print JSON.
    """
    import dataclasses

    from anyzarr._view import preview as library_preview

    width, _, height = screen.partition("x")
    shown = library_preview(
        location,
        out_png,
        path=path,
        level=level,
        channels=channel or None,
        z="middle" if z == "middle" else "max" if z == "max" else int(z),
        time=time,
        labels=labels[0] if len(labels) == 1 else labels,
        vectors=vectors[0] if len(vectors) == 1 else vectors,
        field=field,
        screen=(int(width), int(height)),
        color=color,
        wireframe=wireframe,
        **opening.keywords(),
    )
    if json:
        print_json(dataclasses.asdict(shown))
        return
    for note in shown.notes:
        print_warning(note)
    layers = [f"labels {name}" for name in shown.labels]
    layers += [f"vectors {name}" for name in shown.vectors]
    parts = [", ".join((*shown.channels, *layers))]
    if shown.images:
        parts.append(count(len(shown.images), "image"))
    what = ", ".join(filter(None, (*parts, shown.slices)))
    stdout().print(
        f"{shown.path}  {shown.width} × {shown.height}, level {shown.level}: {what}",
        markup=False,
        soft_wrap=True,
    )
