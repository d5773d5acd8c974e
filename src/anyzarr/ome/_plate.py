"""Plates: many images, each in a well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from anyzarr._nodes import Array, Group
from anyzarr._url import redact
from anyzarr.crud._nodes import normalize_path
from anyzarr.ome._plate_create import PlateCreation
from anyzarr.ome._plate_merge import Renaming, add_from
from anyzarr.ome._plate_move import rename_wells
from anyzarr.ome._position import Position
from anyzarr.ome._well import Row, Well

__all__ = ["Plate"]


class Plate(PlateCreation):
    """A multi-well plate of images (HCS). Made by ``open_ome_zarr(..., layout="hcs")``.

    Only the plate's own document is read on opening; wells and positions are read as they are
    asked for. What is created is complete on disk when the call returns, in an order that keeps
    the plate valid whenever the process dies: arrays, positions, wells, and the plate's document
    at last. Within a ``with`` block that last step is put off, for a second or 64 wells at
    most, and done by :meth:`flush`, :meth:`close` and the end of the block, so that n calls of
    :meth:`create_position` take time in proportion to n.

    Threads, processes of one user and host on a local folder, and all writers on a store with
    conditional puts (S3, GCS, Azure) can add to one plate at once; see
    :func:`anyzarr.crud.update_attributes`.

    Parameters
    ----------
    group
        The group of the plate.
    version
        The OME-Zarr version to write where the group states none.
    axes, channel_names
        Of the images to be created; by default those of the first position.
    engine
        What decodes and encodes the chunks.

    Examples
    --------
    >>> import anyzarr
    >>> with anyzarr.open_ome_zarr({}, layout="hcs", mode="w", axes="cyx",
    ...                            channel_names=["DAPI"]) as plate:
    ...     spots = [(row, column, "0") for row in "AB" for column in ("1", "2")]
    ...     positions = plate.create_positions(spots, shape=(1, 64, 64), dtype="uint16")
    >>> [path for path, position in plate.positions()]
    ['A/1/0', 'A/2/0', 'B/1/0', 'B/2/0']
    >>> plate["B/2/0"].channel_names
    ['DAPI']
    """

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Iterate over name and :class:`Row` of each row that holds wells."""
        names = dict.fromkeys(path.partition("/")[0] for path in self._paths())
        return ((name, Row(self, name)) for name in names)

    def wells(self) -> Iterator[tuple[str, Well]]:
        """Iterate over path (``A/1``) and :class:`Well` of each well, row by row.

        Raises
        ------
        NodeNotFoundError
            The plate names a well that is not there.
        MetadataError
            One cannot be read; the message names it.
        """
        return self._wells()

    def positions(self) -> Iterator[tuple[str, Position]]:
        """Iterate over path (``A/1/0``) and :class:`Position` of each field of view.

        Raises
        ------
        NodeNotFoundError
            The metadata names a well or a field of view that is not there.
        MetadataError
            One cannot be read; the message names it.
        """
        return self._positions()

    def __getitem__(self, path: str) -> Row | Well | Position | Array | Group:
        """Return what is at a path: a row ``A``, a well ``A/1``, a position ``A/1/0``, or below.

        Raises
        ------
        NodeNotFoundError
            There is nothing (also a ``KeyError``).
        """
        relative = normalize_path(str(path))
        node = self._group[relative]
        depth = relative.count("/") + 1
        if depth > 3 or not isinstance(node, Group):
            return node
        if depth == 3:
            return self._position(node)
        return self._well(node) if depth == 2 else Row(self, relative)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and path in self._group

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.rows())

    def rename_well(self, old: str, new: str) -> None:
        """Give a well another name, all its fields of view with it.

        In effect at once: whenever it is interrupted, the plate is valid and names the well, with
        all its data, by the old name or the new one. On a local folder no data is copied.

        Parameters
        ----------
        old, new
            Paths, as in ``"A/1"``.

        Raises
        ------
        NodeNotFoundError
            There is no well ``old``.
        NodeExistsError
            There is a well ``new``.
        """
        self.rename_wells({normalize_path(old): new})

    def rename_wells(
        self, names: Mapping[str, str] | Iterable[tuple[str, str]], *, dry_run: bool = False
    ) -> list[tuple[str, str]]:
        """Give many wells other names; swaps and chains are possible.

        Everything is checked before anything is changed. Wells whose new names are free are
        moved together, in effect at once. A well that takes the name of another steps aside
        first, to a name that says where it goes (``A/1toB2``): where the process is killed
        between the two steps, the plate is valid and names it by that.

        Parameters
        ----------
        names
            New paths of wells by their old ones, as in ``{"A/1": "B/2", "B/2": "A/1"}``.
        dry_run
            Check, and change nothing.

        Returns
        -------
        list of (str, str)
            The moves, in their order.

        Raises
        ------
        NodeNotFoundError
            There is no such well.
        NodeExistsError
            A new name is taken by a well that keeps it or by something the plate does not name,
            or is given twice.
        MetadataError
            A well is given twice, or a new name is not possible.

        Examples
        --------
        >>> import anyzarr
        >>> plate = anyzarr.open_ome_zarr({}, layout="hcs", mode="w")
        >>> _ = plate.create_positions([("A", "1", "0"), ("B", "2", "0")])
        >>> plate.rename_wells({"A/1": "C/1"}, dry_run=True)
        [('A/1', 'C/1')]
        >>> moves = plate.rename_wells({"A/1": "B/2", "B/2": "A/1"})
        >>> [path for path, _ in plate.wells()]
        ['A/1', 'B/2']
        """
        pairs = names.items() if isinstance(names, Mapping) else names
        moves = [(normalize_path(old), normalize_path(new)) for old, new in pairs]
        self.flush()
        rounds = rename_wells(self._group, moves, dry_run=dry_run)
        self.refresh()
        return [move for moves in rounds for move in moves]

    def add_from(
        self,
        other: Plate,
        *,
        rename: Renaming = None,
        replace_leftovers: bool = False,
    ) -> list[str]:
        """Copy the positions of another plate into this one, with all they hold.

        Chunks are copied as they are, without decoding. Acquisitions come along, under another
        number where theirs is taken by a different one.

        Parameters
        ----------
        other
            A plate of the same OME-Zarr version.
        rename
            New paths of positions (``"A/1/0"``) or of whole wells (``"A/1"``) by their old ones,
            or a function from the path of a position to its new one.
        replace_leftovers
            As for :meth:`create_positions`.

        Returns
        -------
        list of str
            The paths of the positions added.

        Raises
        ------
        NodeExistsError
            This plate has positions of these names. Nothing was copied.
        UnsupportedError
            The other plate is of another version.
        """
        return add_from(self, other, rename, replace_leftovers=replace_leftovers)

    def __repr__(self) -> str:
        metadata = self.metadata
        sizes = f"rows={len(metadata.rows)} columns={len(metadata.columns)}"
        return f"<Plate {redact(self.url)} {sizes} wells={len(metadata.wells)}>"
