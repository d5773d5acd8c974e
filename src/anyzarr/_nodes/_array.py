"""Arrays: metadata, store, path and engine bound together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from anyzarr import _dlpack, crud
from anyzarr._nodes._indexers import BlockIndex, OrthogonalIndex, VectorizedIndex
from anyzarr._nodes._node import Node
from anyzarr._nodes._resize import append, resize
from anyzarr._url import redact
from anyzarr.abc import Store
from anyzarr.crud._guarded import Guarantee
from anyzarr.engines import EngineReport, choose, explain, open_array_io
from anyzarr.metadata import ArrayMetadata, CodecSpec, parse_array

if TYPE_CHECKING:
    import dask.array

__all__ = ["Array"]


class Array(Node):
    """A chunked N-dimensional array in a store.

    Made by :func:`anyzarr.open_array` and :func:`anyzarr.create_array`. Pickled by
    description (store, path, engine, metadata), so that a worker process reopens it. Safe to
    use from several threads; writes from several threads into one chunk lose nothing.

    Examples
    --------
    >>> import anyzarr
    >>> array = anyzarr.create_array({}, shape=(4, 6), chunks=(2, 3), dtype="uint16")
    >>> array[1, ::2] = [1, 2, 3]
    >>> array[:2, ::-1]
    array([[0, 0, 0, 0, 0, 0],
           [0, 3, 0, 2, 0, 1]], dtype=uint16)
    """

    metadata: ArrayMetadata

    def __init__(
        self, metadata: ArrayMetadata, store: Store, path: str = "", engine: str | None = None
    ) -> None:
        super().__init__(store, path, engine)
        self.metadata = metadata

    def _accept(self, document: dict[str, Any]) -> None:
        self.metadata = parse_array(document)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.metadata, self._store, self._path, self._engine_name)

    @property
    def shape(self) -> tuple[int, ...]:
        """Elements per dimension."""
        return self.metadata.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.metadata.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy dtype of what reading returns."""
        return self.metadata.dtype

    @property
    def nbytes(self) -> int:
        """Size of all elements in memory, in bytes."""
        return self.size * self.dtype.itemsize

    @property
    def fill_value(self) -> Any:
        """The value of elements never written; None where a v2 document says null."""
        return self.metadata.fill_value

    @property
    def chunks(self) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
        """Shape of the smallest unit that is decoded: of a subchunk where sharded.

        On a rectilinear grid, the lengths of the chunks per dimension.
        """
        grid = self.metadata.subchunk_grid
        if self.metadata.sharding is not None:
            return self.metadata.sharding.subchunk_shape
        return grid.chunk_shape if grid.chunk_shape is not None else (grid.edges or ())

    @property
    def shards(self) -> tuple[int, ...] | None:
        """Shape of a shard, the unit that is stored; None where the array is not sharded."""
        return None if self.metadata.sharding is None else self.metadata.grid.chunk_shape

    @property
    def codecs(self) -> tuple[CodecSpec, ...]:
        """The codec chain of a chunk: inside the shard where the array is sharded."""
        sharding = self.metadata.sharding
        return self.metadata.codecs if sharding is None else sharding.codecs

    @property
    def dimension_names(self) -> tuple[str | None, ...] | None:
        """A name per dimension, where the metadata has them."""
        return self.metadata.dimension_names

    @property
    def engine(self) -> str:
        """The name of the engine that reads and writes this array."""
        return choose(self.metadata, self._store, self._engine_name).name

    def explain_engines(self) -> list[EngineReport]:
        """Return for each engine whether it can do the job, and the reason if not."""
        return explain(self.metadata, self._store, self._engine_name, path=self._path)

    @property
    def native_handle(self) -> Any:
        """The array object of the engine's own library, or None where it has none."""
        return open_array_io(self.metadata, self._store, self._path, self._engine_name)[
            1
        ].native_handle

    def read(self, selection: Any = ..., *, out: Any = None) -> npt.NDArray[Any]:
        """Read a selection, into ``out`` if given; see :func:`anyzarr.crud.read_region`.

        Examples
        --------
        >>> import anyzarr, numpy as np
        >>> array = anyzarr.create_array({}, data=np.arange(6, dtype="int32"), chunks=(2,))
        >>> buffer = np.empty(3, "int32")
        >>> array.read(slice(1, 4), out=buffer) is buffer
        True
        >>> buffer
        array([1, 2, 3], dtype=int32)
        """
        return crud.read_region(
            self.metadata, self._store, self._path, selection, out=out, engine=self._engine_name
        )

    def write(self, selection: Any, value: Any) -> None:
        """Write a selection; the same as assignment."""
        self[selection] = value

    def __getitem__(self, selection: Any) -> Any:
        return _scalar(self.read(selection), selection)

    def __setitem__(self, selection: Any, value: Any) -> None:
        crud.write_region(
            self.metadata, self._store, self._path, selection, value, engine=self._engine_name
        )

    @property
    def oindex(self) -> OrthogonalIndex:
        """Orthogonal selection: each dimension is indexed by itself."""
        return OrthogonalIndex(self)

    @property
    def vindex(self) -> VectorizedIndex:
        """Vectorised selection: coordinates of points, broadcast together."""
        return VectorizedIndex(self)

    @property
    def blocks(self) -> BlockIndex:
        """Selection by chunk-grid coordinates; of whole shards where sharded."""
        return BlockIndex(self)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a stored array cannot be seen as numpy without a copy; use copy=None")
        data = self.read()
        return data if dtype is None else data.astype(dtype, copy=False)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """Read everything and hand it over by DLPack: ``torch.from_dlpack(array)``.

        Raises
        ------
        BufferError
            DLPack has no such dtype; another device or a view without a copy is asked for.
        """
        if copy is False:
            raise BufferError("a stored array cannot be handed over without a copy; use copy=None")
        if dl_device is not None and (int(dl_device[0]), dl_device[1]) != _dlpack.CPU:
            raise BufferError(f"a stored array is read into host memory, not to {dl_device}")
        # What was just read is nobody else's: it need not be copied again.
        return _dlpack.export(self.read(), stream=stream, max_version=max_version)

    def __dlpack_device__(self) -> tuple[int, int]:
        return _dlpack.CPU

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without dimensions")
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[index] for index in range(len(self)))

    def resize(self, shape: int | Sequence[int]) -> None:
        """Change the shape. Growth reads as the fill value; what is cut off is deleted.

        The document is replaced first, so that an interrupted cut leaves unused chunks,
        never an array with missing ones. Elements cut off from the chunks that stay are set to
        the fill value, so that they do not come back when the array grows again.

        Parameters
        ----------
        shape
            The new shape, of the same number of dimensions.

        Examples
        --------
        >>> import anyzarr
        >>> array = anyzarr.create_array({}, shape=(4,), chunks=(2,), dtype="uint8")
        >>> array.resize((6,))
        >>> array.shape
        (6,)
        """
        resize(self, (shape,) if isinstance(shape, int) else tuple(shape))

    def append(self, data: npt.ArrayLike, axis: int = 0) -> tuple[int, ...]:
        """Add elements at the end of an axis; return the new shape.

        Starts from the stored shape, not the one this handle remembers, so that two handles
        can append in turn; threads wait for each other. The data is written before the shape.

        Parameters
        ----------
        data
            Of the array's shape except along ``axis``.
        axis
            The axis to grow; negative counts from the last.

        Raises
        ------
        MetadataError
            The other axes differ, or the dtype does not cast. Nothing was written.

        Examples
        --------
        >>> import anyzarr, numpy as np
        >>> frames = anyzarr.create_array({}, shape=(0, 2), chunks=(1, 2), dtype="uint8")
        >>> frames.append(np.ones((3, 2), "uint8"))
        (3, 2)
        """
        return append(self, data, axis)

    @property
    def write_guarantee(self) -> Guarantee:
        """Among whom writes to parts of one chunk or shard lose no update.

        ``"every writer"``: on any host, where all use conditional puts (S3, GCS, Azure);
        ``"this host"``: threads and processes of one user on it (a folder); ``"this process"``:
        its threads (everything else). Writers of whole shards (:func:`anyzarr.regions`) need none.
        """
        return crud.write_guarantee(self._store)

    def to_dask(self, chunks: Any = None) -> dask.array.Array:
        """Return a lazy dask array, one block per shard (or chunk) unless told otherwise.

        Parameters
        ----------
        chunks
            Blocks as dask takes them; by default those of the stored objects.

        Raises
        ------
        MissingDependencyError
            dask is not installed.
        """
        from anyzarr._interop import to_dask

        return to_dask(self, chunks)

    def __repr__(self) -> str:
        shards = f", shards={self.shards}" if self.shards else ""
        kind = f"shape={self.shape} dtype={self.dtype} chunks={self.chunks}{shards}"
        return f"<Array {redact(self.url)} {kind}>"


def _scalar(result: npt.NDArray[Any], selection: Any) -> Any:
    """Return a scalar where numpy does: all integers and no Ellipsis."""
    if result.shape != ():
        return result
    items = selection if isinstance(selection, tuple) else (selection,)
    return result if any(item is Ellipsis for item in items) else result[()]
