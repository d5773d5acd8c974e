"""What the XML of BigDataViewer says of the setups beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree import ElementTree

from anyzarr.errors import CorruptDataError

__all__ = ["Setup", "read_setups"]


@dataclass(frozen=True, slots=True)
class Setup:
    """One setup: a view, with a channel, tile, angle or illumination of its own.

    Attributes
    ----------
    name
        Its name, or None.
    sizes
        Physical size of a voxel along x, y and z; empty where it is not known.
    unit
        Of the sizes.
    """

    name: str | None = None
    sizes: tuple[float, ...] = ()
    unit: str | None = None


def read_setups(xml: bytes) -> dict[int, Setup]:
    """Return the setups by their number.

    Raises
    ------
    CorruptDataError
        It is no XML, or a setup has no number.
    """
    try:
        root = ElementTree.fromstring(xml)
        found = {}
        for view in root.iterfind(".//ViewSetups/ViewSetup"):
            sizes = tuple(map(float, (view.findtext("voxelSize/size") or "").split()))
            valid = len(sizes) == 3 and all(math.isfinite(n) and n > 0 for n in sizes)
            found[int(view.findtext("id") or "")] = Setup(
                view.findtext("name"), sizes if valid else (), view.findtext("voxelSize/unit")
            )
    except (ElementTree.ParseError, ValueError) as error:
        raise CorruptDataError(
            f"the XML of BigDataViewer cannot be read: {error}; without the file, what the "
            "attributes of N5 say is taken"
        ) from error
    return found
