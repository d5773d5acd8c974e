"""Creating wells and fields of view, and writing the plate that names them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr.crud._nodes import node_lock_key
from anyzarr.crud._process_locks import exclusive
from anyzarr.crud._regions import require_writable
from anyzarr.errors import MetadataError, NodeExistsError
from anyzarr.ome._documents import ome_of
from anyzarr.ome._new_fields import Make, NewFields, PositionOptions
from anyzarr.ome._plate_layout import Arrival, PlateLayout, Spot
from anyzarr.ome._plate_model import Acquisition, PlateMetadata
from anyzarr.ome._plate_node import PlateNode
from anyzarr.ome._position import Position
from anyzarr.ome._well import Well
from anyzarr.ome._well_write import Writer

__all__ = ["PlateCreation"]

Self = TypeVar("Self", bound="PlateCreation")
PositionSpec = tuple[Any, ...]
_FLUSH_SECONDS = 1.0
_FLUSH_WELLS = 64


class PlateCreation(PlateNode):
    """A plate to which wells and fields of view can be added."""

    @property
    def group(self) -> Group:
        """The group of the plate; what is put off is written first."""
        self.flush()
        return self._group

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
        make = self._fields(chosen)
        return self._create(spots, make, replace_leftovers=chosen.replace_leftovers)

    # -- its life ------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what is put off, if anything is."""
        if not self._pending:
            return
        with exclusive(self.store, [node_lock_key(self.path)]):
            change = self._change(self._pending)
            document = crud.update_attributes(self.store, self.path, change)
            self._pending, self._layout = [], None
            self._group._accept(document)
            self._flushed_at = time.monotonic()

    def close(self) -> None:
        """Write what is put off, and complete the archive that was created with this plate."""
        self.flush()
        self._group.close()

    def __enter__(self: Self) -> Self:
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
        try:
            self.flush()
        except BaseException as error:
            self._group.__exit__(type(error), error, error.__traceback__)
            raise
        if exc is not None or not self._deferring:
            self._group.__exit__(exc_type, exc, traceback)

    def refresh(self: Self) -> Self:
        """Read the metadata again, for what others changed; return self."""
        self.flush()
        return super().refresh()

    # -- inside --------------------------------------------------------------------------

    def _fields(self, options: PositionOptions) -> NewFields:
        """Return what makes fields, the same one for the same options again and again."""
        key = (options.key, self._defaults(), self.version)
        if options.key is None or self._maker is None or self._maker[0] != key:
            made = NewFields(self.store, self.version, self._position, options, self._engine)
            self._maker = key, made
        return self._maker[1]

    def _create(
        self,
        spots: Sequence[Spot],
        make: Make = lambda fields: [],
        *,
        acquisitions: Mapping[int, Acquisition] | None = None,
        replace_leftovers: bool = False,
    ) -> list[Position]:
        """Have fields of view written where the spots are, and name them."""
        require_writable(self.store, self.path)
        _require_unique(spots)
        if not spots:
            return []
        writer = Writer(self.store, self.version, replace_leftovers=replace_leftovers)
        try:
            with exclusive(self.store, [node_lock_key(self.path)]):
                return self._create_locked(spots, writer, make, acquisitions or {})
        except BaseException:
            # The layout may hold wells that were not written: it is made again when needed.
            self._layout = None
            if self._pending:
                self._layout = self._laid_out(self._stored, self._pending)
            raise

    def _create_locked(
        self, spots: Sequence[Spot], writer: Writer, make: Make, known: Mapping[int, Acquisition]
    ) -> list[Position]:
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
        positions, counts = writer.write_plate(
            self.path, spots, lambda well: well in listed or self._names_now(well), make
        )
        arrivals = [Arrival(s, counts[s.well], known.get(s.acquisition)) for s in spots]
        for arrival in arrivals:
            arrival.enter(layout)
        self._pending += arrivals
        if not self._deferring or self._due():
            self.flush()
        return positions

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
            metadata = self._laid_out(self._plate_of(stored), arrivals).metadata
            attributes = metadata.to_attributes(stored)
            self._parsed = ome_of(attributes), metadata
            return attributes

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
