"""Plates: many images, each in a well."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from anyzarr import crud
from anyzarr._nodes import Array, Group, TreeNode
from anyzarr.abc import Store
from anyzarr.crud._nodes import node_lock_key, normalize_path
from anyzarr.crud._process_locks import exclusive
from anyzarr.crud._regions import require_writable
from anyzarr.errors import AnyzarrError, MetadataError, NodeExistsError
from anyzarr.metadata import parse_group
from anyzarr.ome._axes import Axis
from anyzarr.ome._documents import ome_of
from anyzarr.ome._new_fields import Make, NewFields, PositionOptions
from anyzarr.ome._plate_layout import Arrival, PlateLayout, Spot
from anyzarr.ome._plate_merge import Renaming, add_from
from anyzarr.ome._plate_model import Acquisition, PlateMetadata
from anyzarr.ome._plate_move import rename_well
from anyzarr.ome._plate_read import fields_of, group_documents, located, well_paths
from anyzarr.ome._position import Position
from anyzarr.ome._well import Row, Well
from anyzarr.ome._well_write import Writer
from anyzarr.stores import join

__all__ = ["Plate"]

PositionSpec = tuple[Any, ...]
_FLUSH_SECONDS = 1.0
_FLUSH_WELLS = 64


class Plate:
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

    def __init__(
        self,
        group: Group,
        *,
        version: str = "0.5",
        axes: Sequence[Axis] | None = None,
        channel_names: Sequence[str] | None = None,
        engine: str | None = None,
    ) -> None:
        self._group = group
        self._version = version
        self._axes = None if axes is None else tuple(axes)
        self._channels = None if channel_names is None else [str(n) for n in channel_names]
        self._engine = engine
        self._parsed: tuple[Any, PlateMetadata] | None = None
        self._layout: PlateLayout | None = None
        self._pending: list[Arrival] = []
        self._deferring = 0
        self._flushed_at = 0.0

    # -- what it is ----------------------------------------------------------------------

    @property
    def group(self) -> Group:
        """The group of the plate."""
        return self._group

    @property
    def store(self) -> Store:
        """The store that holds the bytes."""
        return self._group.store

    @property
    def path(self) -> str:
        """The group's path within the store."""
        return self._group.path

    @property
    def url(self) -> str:
        """The plate's address, as :func:`anyzarr.open_ome_zarr` takes it."""
        return self._group.url

    @property
    def name(self) -> str | None:
        """The name the metadata gives the plate, or None."""
        return self.metadata.name

    @property
    def version(self) -> str:
        """The OME-Zarr version of the metadata."""
        return self._stored.version

    @property
    def metadata(self) -> PlateMetadata:
        """The plate's metadata, with what this handle has created.

        As it was when the plate was opened, changed or iterated over last; :meth:`refresh`
        reads it again.

        Raises
        ------
        MetadataError
            It is of the wrong kind.
        """
        return self._layout.metadata if self._layout is not None else self._stored

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of images to be created; empty where neither they nor an image is given."""
        return tuple(self._defaults()[0] or ())

    @property
    def axis_names(self) -> list[str]:
        """The names of the axes."""
        return [axis.name for axis in self.axes]

    @property
    def channel_names(self) -> list[str]:
        """The channels of images to be created: a copy."""
        return list(self._defaults()[1] or ())

    def refresh(self) -> Plate:
        """Read the metadata again, for what others changed; return self."""
        self.flush()
        self._group.refresh()
        return self

    # -- its members ---------------------------------------------------------------------

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

    def tree(self, *, max_depth: int | None = None) -> TreeNode:
        """Return what the group holds, as a tree."""
        return self._group.tree(max_depth=max_depth)

    # -- creating ------------------------------------------------------------------------

    def create_well(
        self, row: str, col: str, row_index: int | None = None, col_index: int | None = None
    ) -> Well:
        """Create a well without fields of view.

        Parameters
        ----------
        row, col
            Names: letters and digits.
        row_index, col_index
            Places in the plate's lists of rows and columns; by default where the name is, else
            the next one. Gaps are filled with the usual names.

        Raises
        ------
        NodeExistsError
            There is such a well.
        MetadataError
            A name or an index is not possible.
        """
        spot = Spot(row, col, None, row_index, col_index)
        self._create([spot])
        node = self._group[spot.well]
        assert isinstance(node, Group)  # it was just created as one
        return self._well(node)

    def create_position(
        self, row: str, col: str, fov: str, row_index: int | None = None,
        col_index: int | None = None, acq_index: int = 0, **options: Any,
    ) -> Position:  # fmt: skip
        """Create a field of view, and its well where there is none yet.

        Parameters
        ----------
        row, col, row_index, col_index
            As for :meth:`create_well`.
        fov
            Name of the field of view: letters and digits.
        acq_index
            Number of the acquisition it is of.
        **options
            As for :meth:`create_positions`.

        Raises
        ------
        NodeExistsError
            There is such a field of view.
        """
        spot = Spot(row, col, fov, row_index, col_index, acq_index)
        return self.create_positions([spot], **options)[0]

    def create_positions(
        self, positions: Iterable[PositionSpec | Spot], **options: Any
    ) -> list[Position]:
        """Create many fields of view, with their wells, in one go.

        Parameters
        ----------
        positions
            For each ``(row, col, fov)`` and, if need be, ``row_index``, ``col_index`` and
            ``acq_index`` as for :meth:`create_position`.
        shape, dtype
            Of the array of level 0, created without data in each field; by default none is.
        name
            Path of that array below the field; by default ``"0"``.
        chunks, shards, compressor, scale, translation, fill_value
            Of these arrays, as for :meth:`Image.create_image <anyzarr.ome.Image.create_image>`.
        replace_leftovers
            Replace what is at such a place with data in it, but named by no well: the trace of
            a writer that was interrupted. Without data it is replaced anyway.

        Returns
        -------
        list of Position
            In the order given.

        Raises
        ------
        NodeExistsError
            There is one of these fields of view. None of them was added to the plate.
        MetadataError
            A name, an index or an option is not possible. Nothing was written.
        """
        spots = [spot if isinstance(spot, Spot) else _spot(spot) for spot in positions]
        chosen = PositionOptions(**options)
        self._defaults()
        make = NewFields(self.store, self.version, self._position, chosen, self._engine)
        self._create(spots, make, replace_leftovers=chosen.replace_leftovers)
        return make.positions

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
        self.flush()
        document = rename_well(self._group, normalize_path(old), normalize_path(new))
        self._group._accept(document)

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

    # -- its life ------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what is put off, if anything is."""
        if not self._pending:
            return
        arrivals = self._pending
        document = crud.update_attributes(self.store, self.path, self._change(arrivals))
        self._pending, self._layout = [], None
        self._group._accept(document)
        self._flushed_at = time.monotonic()

    def close(self) -> None:
        """Write what is put off."""
        self.flush()

    def __enter__(self) -> Plate:
        self._deferring += 1
        self._flushed_at = time.monotonic()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._deferring -= 1
        self.flush()

    def __repr__(self) -> str:
        metadata = self.metadata
        sizes = f"rows={len(metadata.rows)} columns={len(metadata.columns)}"
        return f"<Plate {self.url} {sizes} wells={len(metadata.wells)}>"

    # -- inside --------------------------------------------------------------------------

    @property
    def _stored(self) -> PlateMetadata:
        source = self._group.metadata
        if self._parsed is None or self._parsed[0] is not source:
            self._parsed = source, self._plate_of(source.attributes)
        return self._parsed[1]

    def _plate_of(self, attributes: Mapping[str, Any]) -> PlateMetadata:
        if "plate" not in ome_of(attributes):
            named = self.path or self._group.backend != "memory"
            title = self._group.name.removesuffix(".zarr").removesuffix(".ome") if named else ""
            return PlateMetadata(self._version, name=title or None)
        try:
            return PlateMetadata.from_attributes(attributes)
        except MetadataError as error:
            raise located(error, self.store, self.path) from error

    def _paths(self, wanted: Callable[[str], bool] | None = None) -> list[str]:
        """Return the paths of the wells, as the plate's document has them now."""
        self.refresh()
        stated = "wells" in ome_of(self._group.metadata.attributes).get("plate", {"wells": ()})
        paths = well_paths(self.store, self.path, self._stored, stated=stated)
        return paths if wanted is None else [path for path in paths if wanted(path)]

    def _documents(self, paths: Sequence[str], by: str) -> Iterator[tuple[str, dict[str, Any]]]:
        return group_documents(self.store, [join(self.path, path) for path in paths], by)

    def _wells(self, wanted: Callable[[str], bool] | None = None) -> Iterator[tuple[str, Well]]:
        paths = self._paths(wanted)
        found = self._documents(paths, f"the plate {self.url!r}")
        for path, (full, document) in zip(paths, found, strict=True):
            yield path, self._well(self._group_of(full, document))

    def _positions(
        self, wanted: Callable[[str], bool] | None = None
    ) -> Iterator[tuple[str, Position]]:
        paths = self._paths(wanted)
        for start in range(0, len(paths), _FLUSH_WELLS):
            wells = paths[start : start + _FLUSH_WELLS]
            found = self._documents(wells, f"the plate {self.url!r}")
            fields = [
                join(well, name)
                for well, (full, document) in zip(wells, found, strict=True)
                for name in fields_of(self.store, full, document)
            ]
            documents = self._documents(fields, f"its well in {self.url!r}")
            for path, (full, document) in zip(fields, documents, strict=True):
                yield path, self._position(self._group_of(full, document))

    def _group_of(self, path: str, document: Mapping[str, Any]) -> Group:
        try:
            metadata = parse_group(document)
        except AnyzarrError as error:
            raise located(error, self.store, path) from error
        return Group(metadata, self.store, path, self._engine)

    def _well(self, group: Group) -> Well:
        return Well(group, version=self.version, engine=self._engine, plate=self)

    def _position(self, group: Group) -> Position:
        relative = group.path[len(self.path) :].strip("/").split("/")
        axes, channels = self._axes, self._channels
        if "multiscales" not in ome_of(group.metadata.attributes):
            axes, channels = self._defaults()
        return Position(
            group,
            version=self.version,
            axes=axes,
            channel_names=channels,
            engine=self._engine,
            place=(relative[0], relative[1], relative[2]),
            plate=self,
        )

    def _defaults(self) -> tuple[tuple[Axis, ...] | None, list[str] | None]:
        """Return axes and channels for new images: as given, else those of the first image."""
        if self._axes is None or self._channels is None:
            first = self._first_image()
            if first is not None:
                self._axes = self._axes or first.axes
                self._channels = self._channels or first.channel_names or None
        return self._axes, self._channels

    def _first_image(self) -> Position | None:
        if "plate" not in ome_of(self._group.metadata.attributes):
            return None
        for path in well_paths(self.store, self.path, self._stored, stated=True)[:1]:
            full = join(self.path, path)
            for name in fields_of(self.store, full, crud.read_metadata(self.store, full))[:1]:
                place = join(full, name)
                group = self._group_of(place, crud.read_metadata(self.store, place))
                position = Position(group, engine=self._engine)
                return position if position.has_data else None
        return None

    def _create(
        self,
        spots: Sequence[Spot],
        make: Make = lambda fields: None,
        *,
        acquisitions: Mapping[int, Acquisition] | None = None,
        replace_leftovers: bool = False,
    ) -> None:
        """Have fields of view written where the spots are, and name them."""
        require_writable(self.store, self.path)
        _require_unique(spots)
        if not spots:
            return
        writer = Writer(self.store, self.version, replace_leftovers=replace_leftovers)
        try:
            with exclusive(self.store, [node_lock_key(self.path)]):
                self._create_locked(spots, writer, make, acquisitions or {})
        except BaseException:
            # The layout may hold wells that were not written: it is made again when needed.
            self._layout = None
            if self._pending:
                self._layout = self._laid_out(self._stored, self._pending)
            raise

    def _create_locked(
        self, spots: Sequence[Spot], writer: Writer, make: Make, known: Mapping[int, Acquisition]
    ) -> None:
        if self._layout is None:
            self._group.refresh()
            self._layout = PlateLayout(self._stored)
        layout = self._layout
        listed = {spot.well for spot in spots if spot.well in layout.wells}
        for spot in spots:
            if spot.field is None and spot.well in listed:
                raise NodeExistsError(
                    f"the plate {self.url!r} has a well {spot.well!r} already", path=spot.well
                )
            Arrival(spot, 0, known.get(spot.acquisition)).enter(layout)
        counts = writer.write_plate(
            self.path, spots, lambda well: well in listed or self._names_now(well), make
        )
        arrivals = [Arrival(s, counts[s.well], known.get(s.acquisition)) for s in spots]
        for arrival in arrivals:
            arrival.enter(layout)
        self._pending += arrivals
        if not self._deferring or self._due():
            self.flush()

    def _names_now(self, well: str) -> bool:
        """Return whether the stored plate names a well: what this handle knows may be older."""
        stored = crud.read_metadata(self.store, self.path).get("attributes", {})
        return any(entry.path == well for entry in self._plate_of(stored).wells)

    def _due(self) -> bool:
        n_wells = 0 if self._layout is None else len(self._layout.wells)
        waited = time.monotonic() - self._flushed_at
        return len(self._pending) >= max(_FLUSH_WELLS, n_wells // 4) or waited > _FLUSH_SECONDS

    def _change(self, arrivals: Sequence[Arrival]) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def change(stored: dict[str, Any]) -> dict[str, Any]:
            layout = self._laid_out(self._plate_of(stored), arrivals)
            return layout.metadata.to_attributes(stored)

        return change

    @staticmethod
    def _laid_out(metadata: PlateMetadata, arrivals: Sequence[Arrival]) -> PlateLayout:
        layout = PlateLayout(metadata)
        for arrival in arrivals:
            arrival.enter(layout)
        return layout


def _spot(given: PositionSpec) -> Spot:
    fields = tuple(given)
    if not 3 <= len(fields) <= 6:
        raise MetadataError(
            f"{given!r} is no position: give (row, column, field) and, if need be, the indices of "
            "row and column and the number of the acquisition"
        )
    return Spot(*fields)


def _require_unique(spots: Sequence[Spot]) -> None:
    seen: dict[str, str] = {}
    for spot in spots:
        other = seen.get(spot.path.casefold())
        if other is not None:
            how = "twice" if other == spot.path else f"beside {other!r}, in another case alone"
            raise MetadataError(f"{spot.path!r} is given {how}; each position has its own name")
        seen[spot.path.casefold()] = spot.path
