"""One field of view: an image that may have a place on a plate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anyzarr._nodes import Group
from anyzarr.ome._axes import Axis
from anyzarr.ome._image import Image

if TYPE_CHECKING:
    from anyzarr.ome._plate import Plate

__all__ = ["Position"]


class Position(Image):
    """A field of view: an :class:`~anyzarr.ome.Image` with a place on a plate, if it is on one.

    Given by :meth:`Plate.positions <anyzarr.ome.Plate.positions>`, ``plate["A/1/0"]`` and
    :func:`anyzarr.open_ome_zarr`.

    Parameters
    ----------
    group, version, axes, channel_names, engine
        As for :class:`~anyzarr.ome.Image`.
    place
        Row, column and field of view, where it is on a plate.
    plate
        The plate.

    Examples
    --------
    >>> import anyzarr
    >>> plate = anyzarr.open_ome_zarr({}, layout="hcs", mode="w", axes="cyx")
    >>> position = plate.create_position("B", "03", "0")
    >>> position.row, position.column, position.fov, position.well
    ('B', '03', '0', 'B/03')
    """

    def __init__(
        self,
        group: Group,
        *,
        version: str = "0.5",
        axes: Sequence[Axis] | None = None,
        channel_names: Sequence[str] | None = None,
        engine: str | None = None,
        place: tuple[str, str, str] | None = None,
        plate: Plate | None = None,
    ) -> None:
        super().__init__(
            group, version=version, axes=axes, channel_names=channel_names, engine=engine
        )
        self._place = place
        self._plate = plate

    @property
    def plate(self) -> Plate | None:
        """The plate it was reached through, or None."""
        return self._plate

    @property
    def row(self) -> str | None:
        """Name of its row, or None where it is on no plate."""
        return None if self._place is None else self._place[0]

    @property
    def column(self) -> str | None:
        """Name of its column, or None where it is on no plate."""
        return None if self._place is None else self._place[1]

    @property
    def well(self) -> str | None:
        """Path of its well, or None where it is on no plate."""
        return None if self._place is None else "/".join(self._place[:2])

    @property
    def fov(self) -> str | None:
        """Name of the field of view within its well, or None where it is on no plate."""
        return None if self._place is None else self._place[2]
