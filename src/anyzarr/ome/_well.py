"""Wells and rows of a plate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from anyzarr._nodes import Group
from anyzarr._url import redact
from anyzarr.crud._nodes import normalize_path
from anyzarr.crud._regions import require_writable
from anyzarr.errors import MetadataError, NodeNotFoundError
from anyzarr.ome._axes import Axis
from anyzarr.ome._documents import ome_of
from anyzarr.ome._new_fields import NewFields, PositionOptions
from anyzarr.ome._node import OmeNode
from anyzarr.ome._plate_layout import Spot
from anyzarr.ome._plate_read import fields_of, groups_at, located
from anyzarr.ome._position import Position
from anyzarr.ome._well_model import WellMetadata
from anyzarr.ome._well_write import Writer
from anyzarr.stores import join

if TYPE_CHECKING:
    from anyzarr.ome._plate import Plate

__all__ = ["Row", "Well"]


class Well(OmeNode):
    """A well: its fields of view.

    Given by :meth:`Plate.wells <anyzarr.ome.Plate.wells>`, ``plate["A/1"]``, and
    :func:`anyzarr.open_ome_zarr` for the location of a well.

    Parameters
    ----------
    group
        The group of the well.
    version
        The OME-Zarr version to write where the group states none.
    axes, channel_names
        Of the images to be created.
    engine
        What decodes and encodes the chunks.
    plate
        The plate it was reached through.

    Examples
    --------
    >>> import anyzarr
    >>> plate = anyzarr.open_ome_zarr({}, layout="hcs", mode="w", axes="yx")
    >>> well = plate.create_well("A", "1")
    >>> _ = well.create_position("0", shape=(64, 64), dtype="uint8")
    >>> [(name, position.data.shape) for name, position in well.positions()]
    [('0', (64, 64))]
    """

    def __init__(
        self,
        group: Group,
        *,
        version: str = "0.5",
        axes: Sequence[Axis] | None = None,
        channel_names: Sequence[str] | None = None,
        engine: str | None = None,
        plate: Plate | None = None,
    ) -> None:
        super().__init__(
            group, version=version, axes=axes, channel_names=channel_names, engine=engine
        )
        self._plate = plate

    @property
    def plate(self) -> Plate | None:
        """The plate it was reached through, or None."""
        return self._plate

    @property
    def name(self) -> str:
        """Row and column, as in ``A/1``; of a well opened by itself, the column."""
        return "/".join(self.path.split("/")[-2:]) if self.path else self._group.name

    @property
    def row(self) -> str | None:
        """Name of its row, or None where it was opened by itself."""
        return self.path.split("/")[-2] if self._plate is not None else None

    @property
    def column(self) -> str:
        """Name of its column."""
        return self._group.name

    @property
    def version(self) -> str:
        """The OME-Zarr version of the metadata."""
        return self.metadata.version

    @property
    def metadata(self) -> WellMetadata:
        """What the well's metadata says; no images where it has none.

        Raises
        ------
        MetadataError
            It is of the wrong kind.
        """
        attributes = self._group.metadata.attributes
        if "well" not in ome_of(attributes):
            return WellMetadata(self._version)
        try:
            return WellMetadata.from_attributes(attributes)
        except MetadataError as error:
            raise located(error, self.store, self.path) from error

    def refresh(self) -> Well:
        """Read the metadata again, for what others changed; return self."""
        self._group.refresh()
        return self

    def positions(self) -> Iterator[tuple[str, Position]]:
        """Iterate over name and position of each field of view, in the metadata's order.

        Raises
        ------
        NodeNotFoundError
            The metadata names one that is not there.
        MetadataError
            One cannot be read; the message names it.
        """
        names = fields_of(self.store, self.path, self.refresh()._group.metadata)
        paths = [join(self.path, name) for name in names]
        found = groups_at(self.store, paths, f"the well {self.url!r}")
        for name, (path, metadata) in zip(names, found, strict=True):
            yield name, self._position(Group(metadata, self.store, path, self._engine))

    def __getitem__(self, name: str) -> Position:
        """Return a field of view by name.

        Raises
        ------
        NodeNotFoundError
            There is none of that name (also a ``KeyError``).
        """
        node = self._group[normalize_path(str(name))]
        if not isinstance(node, Group):
            raise NodeNotFoundError(
                f"{node.url!r} is an array, not a field of view; open it with anyzarr.open_array",
                path=node.path,
            )
        return self._position(node)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._group

    def __iter__(self) -> Iterator[str]:
        return iter(fields_of(self.store, self.path, self._group.metadata))

    def create_position(self, name: str, acquisition: int = 0, **options: Any) -> Position:
        """Create a field of view.

        Parameters
        ----------
        name
            Letters and digits.
        acquisition
            Number of the acquisition it is of.
        **options
            As for :meth:`Plate.create_positions <anyzarr.ome.Plate.create_positions>`: with
            ``shape`` and ``dtype`` its array is created too.

        Raises
        ------
        NodeExistsError
            There is one of that name.
        """
        if self._plate is not None:
            row, column = self.path.split("/")[-2:]
            spot = (row, column, name, None, None, acquisition)
            position = self._plate.create_positions([spot], **options)[0]
            self.refresh()
            return position
        # Opened by itself, a well has no row; its own name is that of the column.
        require_writable(self.store, self.path)
        chosen, version = PositionOptions(**options), self.metadata.version
        make = NewFields(self.store, version, self._position, chosen, self._engine)
        writer = Writer(self.store, version, replace_leftovers=chosen.replace_leftovers)
        spots = [Spot("A", "1", name, acquisition=acquisition)]
        position = writer.write_fields(self.path, spots, make)[0]
        self.refresh()
        return position

    def __repr__(self) -> str:
        return f"<Well {redact(self.url)}>"

    def _position(self, group: Group) -> Position:
        if self._plate is not None:
            return self._plate._position(group)
        return Position(
            group,
            version=self.metadata.version,
            axes=self._new_axes,
            channel_names=self._new_channels,
            engine=self._engine,
        )


class Row:
    """A row of a plate: its wells. Given by :meth:`Plate.rows <anyzarr.ome.Plate.rows>`.

    Parameters
    ----------
    plate
        The plate.
    name
        Name of the row.

    Examples
    --------
    >>> import anyzarr
    >>> plate = anyzarr.open_ome_zarr({}, layout="hcs", mode="w")
    >>> _ = plate.create_positions([("A", "1", "0"), ("A", "2", "0"), ("B", "1", "0")])
    >>> [column for column, well in plate["A"].wells()]
    ['1', '2']
    """

    def __init__(self, plate: Plate, name: str) -> None:
        self._plate = plate
        self._name = name

    @property
    def plate(self) -> Plate:
        """The plate."""
        return self._plate

    @property
    def name(self) -> str:
        """Name of the row."""
        return self._name

    @property
    def path(self) -> str:
        """The path of its group within the store."""
        return join(self._plate.path, self._name)

    def wells(self) -> Iterator[tuple[str, Well]]:
        """Iterate over the name of the column and :class:`Well` of each well in the row."""
        wells = self._plate._wells(lambda path: path.partition("/")[0] == self._name)
        return ((path.partition("/")[2], well) for path, well in wells)

    def positions(self) -> Iterator[tuple[str, Position]]:
        """Iterate over path and position of each field of view in the row."""
        return self._plate._positions(lambda path: path.partition("/")[0] == self._name)

    def __getitem__(self, path: str) -> Well | Position:
        """Return a well by the name of its column, or a position by ``column/field``."""
        node = self._plate[f"{self._name}/{normalize_path(path)}"]
        if isinstance(node, Well | Position):
            return node
        raise NodeNotFoundError(f"{path!r} names no well of row {self._name!r}", path=path)

    def create_well(self, column: str, col_index: int | None = None) -> Well:
        """Create a well; see :meth:`Plate.create_well <anyzarr.ome.Plate.create_well>`."""
        return self._plate.create_well(self._name, column, None, col_index)

    def create_position(
        self, column: str, fov: str, col_index: int | None = None, acq_index: int = 0,
        **options: Any,
    ) -> Position:  # fmt: skip
        """Create a field of view, and its well where there is none yet."""
        return self._plate.create_position(
            self._name, column, fov, None, col_index, acq_index, **options
        )

    def __repr__(self) -> str:
        return f"<Row {self._name} of {redact(self._plate.url)}>"
