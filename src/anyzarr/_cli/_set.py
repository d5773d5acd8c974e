"""``anyzarr set WHAT LOCATION …``: change the metadata of an image, or of all of a plate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from anyzarr._cli._console import stdout
from anyzarr._cli._format import count
from anyzarr._cli._images import images_at
from anyzarr._cli._options import OpenOptions, UsageError

if TYPE_CHECKING:
    from anyzarr.ome import Image

__all__ = ["set_app"]

set_app: Final = App(
    name="set",
    help="Change the metadata of an OME-Zarr image, or of every image of a plate: scale, unit, "
    "channel, contrast.",
)


def _apply(location: str, opening: OpenOptions, change: Callable[[Image], object]) -> None:
    with images_at(location, "r+", opening) as images:
        for _, image in images:
            change(image)
        stdout().print(f"changed {count(len(images), 'image')}", markup=False)


def _assignments(texts: Iterable[str], example: str) -> dict[str, str]:
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name or not value:
            raise UsageError(f"{text!r} is not AXIS=VALUE, as in {example}")
        found[name] = value
    if not found:
        raise UsageError(f"say what to set, as in {example}")
    return found


@set_app.command
def scale(
    location: str,
    /,
    *sizes: Annotated[str, Parameter()],
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Set the physical size of a voxel; the coarser levels follow.

    Parameters
    ----------
    location
        Path or URL of an image or a plate.
    sizes
        AXIS=SIZE with or without a unit, such as z=2.0um y=0.5 x=0.5.
    """
    from anyzarr.errors import MetadataError
    from anyzarr.ome import parse_size

    example = "z=2.0um y=0.5um x=0.5um"
    found: dict[str, tuple[float, str | None]] = {}
    for axis, text in _assignments(sizes, example).items():
        try:
            found[axis] = parse_size(text)
        except MetadataError as error:
            raise UsageError(str(error)) from None

    def change(image: Image) -> None:
        image.set_scale({axis: size for axis, (size, _) in found.items()})
        for axis, (_, unit) in found.items():
            if unit is not None:
                image.set_unit(axis, unit)

    _apply(location, opening, change)


@set_app.command
def unit(
    location: str,
    /,
    *units: Annotated[str, Parameter()],
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Set what the scale counts along an axis.

    Parameters
    ----------
    location
        Path or URL of an image or a plate.
    units
        AXIS=UNIT, such as z=micrometer t=second; AXIS=none removes it.
    """
    from anyzarr.ome import unit_name

    found = _assignments(units, "z=micrometer t=second")

    def change(image: Image) -> None:
        for axis, text in found.items():
            image.set_unit(axis, None if text == "none" else unit_name(text))

    _apply(location, opening, change)


@set_app.command
def channel(
    location: str,
    channel: str,
    /,
    *,
    name: str | None = None,
    color: str | None = None,
    active: Annotated[bool | None, Parameter(negative="--hidden")] = None,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Rename a channel, give it a colour, show or hide it.

    Parameters
    ----------
    location
        Path or URL of an image or a plate.
    channel
        Its name or number, from 0.
    name
        Its new name.
    color
        Six hexadecimal digits, red first, such as 00FF00.
    active
        Whether viewers show it at first.
    """
    if name is None and color is None and active is None:
        raise UsageError("say what to set: --name, --color, --active or --hidden")
    _apply(
        location,
        opening,
        lambda image: image.set_channel(
            _named(image, channel), label=name, color=color, active=active
        ),
    )


@set_app.command
def contrast(
    location: str,
    channel: str = "all",
    limits: str | None = None,
    /,
    *,
    percentiles: str | None = None,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Set the values that are shown darkest and brightest.

    Parameters
    ----------
    location
        Path or URL of an image or a plate.
    channel
        Name or number of a channel, or all.
    limits
        LOW,HIGH. Default: percentiles of the pixels of the lowest level.
    percentiles
        LOW,HIGH of the pixels. Default: 0.1,99.9.
    """
    window = None if limits is None else _pair(limits)
    shares = None if percentiles is None else _pair(percentiles)

    def change(image: Image) -> None:
        chosen = range(len(image.channels)) if channel == "all" else [_named(image, channel)]
        for index in chosen:
            image.set_contrast_limits(index, window, percentiles=shares)

    _apply(location, opening, change)


def _named(image: Image, text: str) -> str | int:
    """Return a channel's name, or its number where no channel is called so."""
    return int(text) if text.isdigit() and text not in image.channel_names else text


def _pair(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{text!r} is not two numbers such as 10,200") from None
    return low, high
