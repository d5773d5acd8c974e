"""The seams of anyzarr: what a store, an engine and the I/O of one array must offer.

These protocols and values depend on nothing but numpy. Implementations register by name
(``anyzarr.stores.register_backend``, ``anyzarr.engines.register_engine``) or through the
entry-point groups ``anyzarr.backends`` and ``anyzarr.engines``, and prove themselves with
the contract suites in :mod:`anyzarr.testing`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from anyzarr._ragged import Ragged

if TYPE_CHECKING:
    from anyzarr.indexing import Points, Span
    from anyzarr.metadata import ArrayMetadata

__all__ = [
    "ABSENT",
    "Absent",
    "AlikeArrayIO",
    "ArrayIO",
    "AsyncStore",
    "Box",
    "ByteRange",
    "Capabilities",
    "ChunkCodec",
    "Engine",
    "IOCapabilities",
    "IndexedArrayIO",
    "Level",
    "ObjectInfo",
    "Precondition",
    "Ragged",
    "RaggedArrayIO",
    "Request",
    "Store",
    "StoreSpec",
]


class Absent(enum.Enum):
    """The type of :data:`ABSENT`."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent.ABSENT
"""Precondition for ``put``: only if there is no object at the key yet."""

Precondition = str | Absent
"""An ETag the stored object must still have, or :data:`ABSENT`."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Part of an object: bytes ``[start, stop)``, clamped to the object as a Python slice is.

    Attributes
    ----------
    start
        First byte. Negative: the last ``-start`` bytes (a suffix), and ``stop`` must be None.
    stop
        One past the last byte; None means the end of the object.
    """

    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        if self.start < 0 and self.stop is not None:
            raise ValueError(f"a suffix range ({self.start}) takes no stop, got {self.stop}")
        if self.stop is not None and self.stop < self.start:
            raise ValueError(f"a byte range ends before it starts: [{self.start}, {self.stop})")

    def resolve(self, size: int) -> tuple[int, int]:
        """Return ``(start, stop)`` within an object of ``size`` bytes; ``start <= stop``."""
        if self.start < 0:
            return max(0, size + self.start), size
        stop = size if self.stop is None else min(self.stop, size)
        return min(self.start, stop), stop


Request = tuple[str, ByteRange | None]
"""A key and the part of it that is wanted (None: all of it)."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows of an object without reading it.

    Attributes
    ----------
    key
        The key within the store.
    size
        Size in bytes.
    etag
        A token that changes when the content does, or None where the store has none.
    """

    key: str
    size: int
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a store's tree: the names directly below a prefix, sorted.

    Attributes
    ----------
    keys
        Full keys of objects directly below the prefix.
    prefixes
        Full prefixes directly below, each ending in ``/``.
    """

    keys: tuple[str, ...]
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store can do, as data.

    Attributes
    ----------
    writable, listable
        Whether ``put``/``delete`` and ``list``/``list_level`` work.
    conditional_put
        Whether ``put(precondition=...)`` is atomic against every other writer.
    native_async
        Whether the ``*_async`` methods do their I/O without a thread.
    atomic_put
        Whether a reader never sees part of an object that is being put.
    local_root
        Directory such that the object at ``key`` is the file ``local_root + "/" + key``;
        None where objects are not plain files.
    in_process
        Whether only this process can reach the objects: they are in its memory.
    """

    writable: bool
    listable: bool = True
    conditional_put: bool = False
    native_async: bool = False
    atomic_put: bool = True
    local_root: str | None = None
    in_process: bool = False


@dataclass(frozen=True)
class StoreSpec:
    """A picklable, hashable description from which a store can be rebuilt anywhere.

    Attributes
    ----------
    backend
        Registered name of the backend: ``local``, ``memory``, ``zip``, ``obstore``, ``fsspec``.
    root
        Where its keys begin: an absolute path or a URL.
    options
        Keyword arguments of the backend. Excluded from ``repr`` because they may hold secrets.
    read_only
        Whether the store refuses to write.
    zarr_format
        The format of the hierarchy in it, where the location told it (``|zarr3:``). Two stores
        that differ in nothing else are equal.
    """

    backend: str
    root: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    read_only: bool = False
    zarr_format: Literal[2, 3] | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        return hash((self.backend, self.root, self.read_only))

    @property
    def _shown_root(self) -> str:
        # A URL may hold a user name and a password, or a signature.
        root = re.sub(r"(://)[^/@\s]*@", r"\1", self.root)
        return re.sub(r"(https?://[^\s?|'\"]*)\?[^\s|'\"]+", r"\1?…", root)

    def __repr__(self) -> str:
        root = self._shown_root
        return f"StoreSpec(backend={self.backend!r}, root={root!r}, read_only={self.read_only})"

    def __str__(self) -> str:
        return f"{self.backend}:{self._shown_root}"


@runtime_checkable
class Store(Protocol):
    """Bytes by key. Every method is safe to call from several threads.

    A key is ``/``-joined, relative, without empty, ``.`` or ``..`` segments; a prefix is
    ``""`` or ends in ``/``. Errors are :class:`anyzarr.errors.AnyzarrError` subclasses that
    name the store and the key.
    """

    @property
    def spec(self) -> StoreSpec: ...
    @property
    def capabilities(self) -> Capabilities: ...

    def get(self, key: str, byte_range: ByteRange | None = None) -> bytes | None:
        """Return the object or a part of it; None if it is absent."""
        ...

    def get_many(self, requests: Sequence[Request]) -> list[bytes | None]:
        """Return one result per request, in order; the store merges and parallelises."""
        ...

    def put(
        self,
        key: str,
        value: bytes | bytearray | memoryview,
        *,
        precondition: Precondition | None = None,
    ) -> str | None:
        """Replace the object, all or nothing; return its new ETag if the store has them.

        Raises :class:`~anyzarr.errors.ConflictError` if the precondition fails.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object; absent is no error."""
        ...

    def delete_prefix(self, prefix: str) -> None:
        """Remove every object below the prefix; nothing there is no error."""
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """Return size and ETag, or None if the object is absent."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Iterate over every object below the prefix, in any order."""
        ...

    def list_level(self, prefix: str = "") -> Level:
        """Return the keys and prefixes directly below the prefix."""
        ...


@runtime_checkable
class AsyncStore(Protocol):
    """The same operations for ``await``; same semantics, same tests."""

    @property
    def spec(self) -> StoreSpec: ...
    @property
    def capabilities(self) -> Capabilities: ...
    async def get_async(self, key: str, byte_range: ByteRange | None = None) -> bytes | None: ...
    async def get_many_async(self, requests: Sequence[Request]) -> list[bytes | None]: ...
    async def put_async(
        self,
        key: str,
        value: bytes | bytearray | memoryview,
        *,
        precondition: Precondition | None = None,
    ) -> str | None: ...
    async def delete_async(self, key: str) -> None: ...
    async def delete_prefix_async(self, prefix: str) -> None: ...
    async def head_async(self, key: str) -> ObjectInfo | None: ...
    async def list_async(self, prefix: str = "") -> Iterable[ObjectInfo]: ...
    async def list_level_async(self, prefix: str = "") -> Level: ...


@dataclass(frozen=True, slots=True)
class Box:
    """A box of elements: per dimension ``start``, ``stop``, ``step``.

    Normalised: ``0 <= start <= stop <= shape`` and ``step >= 1``. Negative steps, squeezed
    and new axes are views on the output and never reach an engine.

    Attributes
    ----------
    start, stop, step
        One integer per dimension.

    Examples
    --------
    >>> from anyzarr.abc import Box
    >>> Box((0, 10), (4, 20), (1, 3)).shape
    (4, 4)
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    step: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of selected elements per dimension."""
        return tuple(
            max(0, -(-(b - a) // s))
            for a, b, s in zip(self.start, self.stop, self.step, strict=True)
        )

    @property
    def is_contiguous(self) -> bool:
        """Whether every step is 1."""
        return all(s == 1 for s in self.step)

    @property
    def slices(self) -> tuple[slice, ...]:
        """The box as slices, for indexing a numpy array."""
        return tuple(
            slice(a, b, s) for a, b, s in zip(self.start, self.stop, self.step, strict=True)
        )

    @classmethod
    def full(cls, shape: Sequence[int]) -> Box:
        """Return the box that covers an array of this shape."""
        return cls((0,) * len(shape), tuple(shape), (1,) * len(shape))


@dataclass(frozen=True, slots=True)
class IOCapabilities:
    """What the I/O of an array does by itself; the rest is composed for it.

    Attributes
    ----------
    steps
        ``read`` takes boxes with any step. Otherwise it is given steps of 1 only.
    byte_layer
        Bytes go through anyzarr's own store layer rather than the engine's own I/O.
    reason
        Why they do, where the engine reads other arrays of such a store by itself.
    indexed
        It is an :class:`IndexedArrayIO`. Otherwise it is given boxes only.
    ragged
        It is a :class:`RaggedArrayIO`. Otherwise elements of variable length are moved as objects.
    alike
        It is an :class:`AlikeArrayIO`. Otherwise arrays are written one by one.
    """

    steps: bool = False
    byte_layer: bool = False
    reason: str | None = None
    indexed: bool = False
    ragged: bool = False
    alike: bool = False


class ArrayIO(Protocol):
    """Chunk data of one array, bound to its metadata, store and path.

    Boxes are normalised, within bounds and not empty. Safe to call from several threads;
    the caller holds the locks that keep writers of one chunk apart.
    """

    @property
    def capabilities(self) -> IOCapabilities: ...

    @property
    def native_handle(self) -> Any:
        """The engine's own array object, or None where there is none."""
        ...

    def read(self, box: Box, out: npt.NDArray[Any]) -> None:
        """Fill ``out`` (shape ``box.shape``, the array's dtype, any strides)."""
        ...

    def write(self, box: Box, value: npt.NDArray[Any]) -> None:
        """Store ``value`` (shape ``box.shape``, the array's dtype); ``box`` has steps of 1.

        Chunks that end up all fill value are removed, unless
        ``anyzarr.config.get("write_empty_chunks")`` says otherwise.
        """
        ...


class IndexedArrayIO(ArrayIO, Protocol):
    """The I/O of an engine that takes selections by index arrays as a whole.

    A selection is the product of factors, each a :class:`anyzarr.indexing.Span` of one
    dimension or :class:`anyzarr.indexing.Points` over several, within bounds and not empty; the
    axes of ``out`` and ``value`` are those of the factors, one after the other
    (:attr:`anyzarr.indexing.Selection.factors`).
    """

    def read_indexed(self, factors: Sequence[Span | Points], out: npt.NDArray[Any]) -> None:
        """Fill ``out`` (the array's dtype, any strides); each chunk is fetched at most once."""
        ...

    def write_indexed(self, factors: Sequence[Span | Points], value: npt.NDArray[Any]) -> None:
        """Store ``value``; of an element that is selected twice, the last value.

        Otherwise as :meth:`ArrayIO.write`.
        """
        ...


class RaggedArrayIO(ArrayIO, Protocol):
    """The I/O of an engine that moves elements of variable length without making objects of them.

    Coordinates are ``int64`` of shape ``(n, ndim)``, ``ndim`` at least 1, within bounds and not
    empty.
    """

    def read_ragged(self, coords: npt.NDArray[np.int64]) -> Ragged:
        """Return elements in any order, repeated ones included; each chunk is fetched once."""
        ...

    def write_ragged(self, coords: npt.NDArray[np.int64], ragged: Ragged) -> None:
        """Store distinct elements; otherwise as :meth:`ArrayIO.write`."""
        ...


class AlikeArrayIO(RaggedArrayIO, Protocol):
    """The I/O of an engine that writes many arrays of one layout in one call."""

    def write_alike(
        self,
        paths: Sequence[str],
        bounds: Sequence[int],
        coords: npt.NDArray[np.int64],
        ragged: Ragged,
    ) -> None:
        """Store elements ``[bounds[i], bounds[i + 1])`` in the array at the path ``i``.

        The arrays are those of this array's metadata and store, each one once. Otherwise as
        :meth:`RaggedArrayIO.write_ragged`.
        """
        ...


class ChunkCodec(Protocol):
    """The codec chain of one chunk shape as pure computation, safe from several threads."""

    def decode(self, data: bytes | bytearray | memoryview) -> npt.NDArray[Any]:
        """Return the chunk, of the metadata's chunk shape and dtype. May be read-only.

        Raises :class:`~anyzarr.errors.CorruptDataError` if ``data`` cannot be such a chunk.
        """
        ...

    def encode(self, value: npt.NDArray[Any]) -> bytes:
        """Return the encoded chunk, also when it is all fill value."""
        ...


@runtime_checkable
class Engine(Protocol):
    """What turns bytes into arrays and back."""

    @property
    def name(self) -> str: ...

    def decline(self, metadata: ArrayMetadata, store: Store) -> str | None:
        """Return in one sentence why this engine cannot do the job, or None if it can.

        Must not do I/O. A missing package is a reason, with its install command.
        """
        ...

    def open(self, metadata: ArrayMetadata, store: Store, path: str) -> ArrayIO:
        """Bind the engine to one array. ``metadata`` is authoritative; nothing is looked up."""
        ...

    def codec(self, metadata: ArrayMetadata) -> ChunkCodec:
        """Return the codec chain for whole chunks (on a sharded array: whole shards)."""
        ...
