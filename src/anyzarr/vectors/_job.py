"""A write in progress: what it is asked for, what is there, and where everything goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array, Group
from anyzarr.abc import Ragged
from anyzarr.errors import MetadataError
from anyzarr.stores import join
from anyzarr.vectors._blobs import Ints, Origin
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._fragments import FragmentTable
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import CellGrid, Coords
from anyzarr.vectors._merge import join_blobs, keep_bytes
from anyzarr.vectors._objects_write import Documents
from anyzarr.vectors._scatter import Scattered
from anyzarr.vectors._storage import ShardShape, Storage

__all__ = ["Job", "Kind", "Mode", "OutOfBounds", "Part", "Pieces", "WriteOptions", "WriteSummary"]

OutOfBounds: TypeAlias = Literal["raise", "ignore", "expand"]
Mode: TypeAlias = Literal["create", "append", "replace", "overwrite"]


@dataclass(frozen=True)
class WriteOptions:
    """What the functions that write a geometry have in common.

    Attributes
    ----------
    chunk_shape, bin_shape
        Edge lengths of chunks and of the bins in them; None: the store's, or of a new store one
        that suits the data.
    bounds
        What a new store may hold; None: what the data needs.
    dtype
        Type of the positions of a new store.
    out_of_bounds
        What becomes of vertices outside of the store's bounds.
    compressor, shard_shape
        How a new store's arrays are stored.
    mode
        ``"create"`` refuses to touch data, ``"append"`` adds to it, ``"replace"`` replaces the
        objects of the same ids and adds the others, ``"overwrite"`` replaces everything.
    chunk_by_attribute
        The vertex attribute by which chunks of a new store are divided, too.
    """

    chunk_shape: Sequence[float] | None = None
    bin_shape: Sequence[float] | None = None
    bounds: Sequence[Sequence[float]] | None = None
    dtype: str = "float32"
    out_of_bounds: OutOfBounds = "raise"
    compressor: Any = None
    shard_shape: ShardShape = "auto"
    mode: Mode = "create"
    chunk_by_attribute: str | None = None

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("out_of_bounds", self.out_of_bounds, ("raise", "ignore", "expand")),
            ("mode", self.mode, ("create", "append", "replace", "overwrite")),
        ):
            if value not in allowed:
                raise MetadataError(
                    f"{name}={value!r} is not known: use {', '.join(map(repr, allowed))}",
                    kind=name,
                )


@dataclass(frozen=True, eq=False)
class Pieces:
    """How vertices are cut into fragments.

    Attributes
    ----------
    of_vertex
        As for :func:`anyzarr.vectors._scatter.scatter`.
    object_of_piece
        Row of the object of each piece, ascending; None: a piece is an object.
    by_number
        A cell has one fragment for each piece there can be, and what is appended extends them.
    n_pieces
        How many there can be; None: the bins of a cell.
    """

    of_vertex: npt.NDArray[Any] | None = None
    object_of_piece: Ints | None = None
    by_number: bool = False
    n_pieces: int | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """Blobs to be written to an array with one per cell.

    Attributes
    ----------
    array
        The array, stored or not.
    cells
        Absolute coordinates of the cells.
    blobs
        What they will hold, one per cell.
    attributes
        Attributes to be set, so that new arrays can share one document until they are stored.
    """

    array: CellArray
    cells: Coords
    blobs: Ragged
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def described(self) -> CellArray:
        """The array with the attributes set."""
        return self.array.with_attributes(self.attributes) if self.attributes else self.array

    @property
    def listed(self) -> CellArray:
        """The array with the attributes set, and the cells listed."""
        return self.described.with_cells(self.cells)


@dataclass(frozen=True, eq=False)
class Job:
    """A write in progress, under the level's lock: what is there, and where everything goes.

    Attributes
    ----------
    root, metadata, level
        The store, and what root and level say after the write.
    grid
        The cells.
    storage
        How new arrays are stored.
    geometry
        What is written.
    pieces
        How its vertices are cut into fragments.
    scattered
        Where they go.
    nodes
        What is stored, by path relative to the root.
    before
        The vertices that each of the cells in ``scattered`` has already.
    rows, fragments
        How many these are, and their fragments. Rows that no fragment names are of a write that
        was cut off; they stay where they are, as links may name them.
    first_fragment
        Fragments of this write are counted from here in each cell.
    has_data
        Whether the level holds something, so that its arrays are added to.
    """

    root: Group
    metadata: RootMetadata
    level: LevelMetadata
    grid: CellGrid
    storage: Storage
    geometry: Geometry
    pieces: Pieces
    scattered: Scattered
    nodes: Mapping[str, Array | Group]
    before: Ragged
    rows: Ints
    fragments: FragmentTable
    first_fragment: Ints
    has_data: bool

    @property
    def path(self) -> str:
        """The level's path relative to the root."""
        return str(self.level.level)

    def stored(self, name: str) -> CellArray | None:
        """Return an array of the level that is added to, with room for the cells, if there is."""
        if not self.has_data:
            return None
        node = self.nodes.get(f"{self.path}/{name}")
        if not isinstance(node, Array):
            return None
        array = CellArray(node.metadata, self.root.store, node.path)
        return array.covering(self.grid, self.scattered.cells)

    def array(self, name: str, kind: str, attributes: Mapping[str, Any], n_bytes: int) -> CellArray:
        """Return an array of the level, the stored one or a new one that is to hold some bytes."""
        stored = self.stored(name)
        if stored is not None:
            return stored.with_attributes(attributes)
        return CellArray.new(
            self.root.store,
            join(self.root.path, f"{self.path}/{name}"),
            self.grid,
            kind,
            attributes,
            self.storage,
            cell_bytes=n_bytes / max(1, self.grid.n_cells),
        )

    def column(
        self, name: str, kind: str, attributes: Mapping[str, Any], values: npt.NDArray[Any]
    ) -> Part:
        """Return rows, one per vertex of the geometry, as the part of an array, after its rows."""
        blobs = self.scattered.ragged(values)
        array = self.array(name, kind, attributes, len(blobs.data))
        if self.rows.any():
            before = self.before if name == "vertices" else self._old_rows(array, values)
            blobs = join_blobs(before, blobs)
        return Part(array, self.scattered.cells, blobs)

    def _old_rows(self, array: CellArray, values: npt.NDArray[Any]) -> Ragged:
        """Return as many rows as there are vertices; zeros where a write was cut off."""
        row_bytes = values.dtype.itemsize * int(np.prod(values.shape[1:], dtype=np.int64))
        stored, cells = array.read(self.scattered.cells), self.scattered.cells
        short = stored.lengths < self.fragments.extent() * row_bytes
        Origin(array.path, cells).refuse(short, "has fewer rows than its fragments name")
        missing = np.maximum(self.rows * row_bytes - stored.lengths, 0)
        zeros = Ragged.from_lengths(np.zeros(int(missing.sum()), np.uint8), missing)
        return keep_bytes(join_blobs(stored, zeros), self.rows * row_bytes)


@dataclass(frozen=True)
class Kind:
    """What tells one geometry from another when it is written.

    Attributes
    ----------
    geometry_type, links_convention
        As the root says.
    cut
        Cuts a geometry into pieces along a grid.
    links
        Returns the parts, and documents of groups, that hold what joins vertices.
    admit
        Returns the geometry as it goes beside the objects of the given ids, which are there.
    """

    geometry_type: str
    links_convention: str
    cut: Callable[[Geometry, CellGrid], Pieces]
    links: Callable[[Job], tuple[list[Part], Documents]] | None = None
    admit: Callable[[Geometry, Ints], Geometry] | None = None


@dataclass(frozen=True)
class WriteSummary:
    """What a write did.

    Attributes
    ----------
    vertex_count, object_count, group_count
        Vertices, objects and groups that were written.
    chunk_count
        Chunks that they lie in.
    bins_per_chunk
        Bins of a chunk per dimension.
    ignored_count
        Vertices that were left out, because they lie outside of the bounds.
    """

    vertex_count: int
    chunk_count: int
    object_count: int = 0
    group_count: int = 0
    bins_per_chunk: tuple[int, ...] = field(default=())
    ignored_count: int = 0

    def __getitem__(self, key: str) -> Any:
        """Return a number by its name."""
        try:
            return getattr(self, key)
        except AttributeError:
            raise KeyError(key) from None
