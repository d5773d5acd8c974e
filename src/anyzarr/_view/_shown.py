"""What is wanted of a preview, and what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anyzarr._view._planes import ZChoice

__all__ = ["DEFAULT_LOOK", "SCREEN", "Look", "Preview"]

SCREEN = (1600, 1000)


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be shown of images.

    Attributes
    ----------
    level
        Resolution level; None: the coarsest that fills its place.
    channels
        Names or indices; None: all.
    z, time
        Slice or projection, and time point.
    screen
        Width and height to fit, in pixels.
    color
        Of vectors: ``"auto"``, ``"plain"``, ``"density"``, ``"object"``, ``"direction"``, or the
        name of an attribute.
    wireframe
        Whether the edges of meshes are drawn instead of their faces.
    """

    level: int | None = None
    channels: Sequence[int | str] | None = None
    z: ZChoice = "middle"
    time: int = 0
    screen: tuple[int, int] = SCREEN
    color: str = "auto"
    wireframe: bool = False


DEFAULT_LOOK = Look()


@dataclass(frozen=True, slots=True)
class Preview:
    """What a preview shows.

    Attributes
    ----------
    path
        The PNG.
    width, height
        Its size in pixels.
    level
        The resolution level that was read.
    channels
        Names of the channels shown, in order.
    slices
        What was taken of the axes that are not shown, as printed on the sheet.
    images
        Paths of the images shown, of a plate, well or series; empty for a single image.
    labels
        Names of the label images shown.
    notes
        What could not be shown, in sentences; it is marked on the sheet.
    vectors
        Names of the vector stores shown.
    """

    path: str
    width: int
    height: int
    level: int
    channels: tuple[str, ...]
    slices: str
    images: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
