"""A change of many arrays of a store that becomes true at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from anyzarr import crud
from anyzarr._nodes import Array, Group
from anyzarr._parallel import for_each
from anyzarr.abc import Ragged, Store
from anyzarr.crud._consolidated import node_documents
from anyzarr.crud._nodes import changing, put_document
from anyzarr.errors import UnsupportedError
from anyzarr.metadata import ArrayMetadata
from anyzarr.stores import join
from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._constants import EDIT, EDITION
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._objects_write import extended
from anyzarr.vectors._redo import redo
from anyzarr.vectors._settle import delete_objects_but, separator_of, settle
from anyzarr.vectors._turns import Turn, one_writer

__all__ = ["Transaction", "editing"]

Attributes = Mapping[str, Any]


@dataclass(eq=False)
class Transaction:
    """What is to become true together.

    New content goes to keys that no document names yet: those of the separator that the array does
    not use (``c.0.1`` beside ``c/0/1``). Documents are kept until :meth:`commit`, which puts all of
    them into the root's own, as consolidated metadata, in one request: from then on every reader
    finds the new arrays, and until then the old ones. What is left to do after that, anyone can
    complete (:func:`anyzarr.vectors._settle.settle`).

    Attributes
    ----------
    root
        The store, under the locks of its levels.
    turns
        The right to write.
    was_consolidated
        Whether the store's metadata is to be consolidated afterwards.
    documents
        New documents, by path below the root.
    removed
        Paths of nodes that will be gone.
    """

    root: Group
    turns: list[Turn]
    was_consolidated: bool
    documents: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    _arrays: dict[str, ArrayMetadata] = field(default_factory=dict)

    # ------------------------------------------------------------------ what there is

    def cell_array(self, path: str) -> CellArray | None:
        """Return an array with one blob per cell as it will be; None if there is none."""
        metadata = self._arrays.get(path)
        if metadata is not None:
            return CellArray(metadata, self.root.store, join(self.root.path, path))
        node = self.root.get_many([path]).get(path)
        if not isinstance(node, Array) or path in self.removed:
            return None
        return CellArray(node.metadata, node.store, node.path)

    def paths_below(self, path: str) -> list[str]:
        """Return the paths of the arrays directly below a group, as they will be."""
        group = self.root.get_many([path]).get(path)
        names = {name for name, _ in group.arrays()} if isinstance(group, Group) else set()
        new = (p for p in self._arrays if p.rpartition("/")[0] == path)
        names |= {p.rpartition("/")[2] for p in new}
        return [p for name in sorted(names) if (p := f"{path}/{name}") not in self.removed]

    # ------------------------------------------------------------------ staging

    def cells(self, array: CellArray, cells: Coords, blobs: Ragged, *, whole: bool = False) -> None:
        """Let cells of an array hold other blobs; empty ones are listed no longer.

        Parameters
        ----------
        array
            The array with its new document; its cells are those stored, or staged before.
        cells, blobs
            Absolute coordinates, and what they will hold.
        whole
            All other cells become empty.
        """
        path = self.relative(array.path)
        metadata = self._staged(path, array.metadata, copied=not whole)
        held = blobs.lengths > 0
        array = CellArray(metadata, array.store, array.path)
        written = np.flatnonzero(held | (not whole))
        array.write(cells[written], blobs.take(written))
        before = array.nonempty[:0] if whole else array.nonempty
        kept = before[CellIndex(cells).find(before) < 0]
        array = array.listing(np.concatenate([kept, cells[held]]))
        self._put(path, array.metadata)

    def rows(
        self, path: str, stored: Array | None, values: npt.NDArray[Any], **options: Any
    ) -> None:
        """Let an array hold these rows and no others; options are those of a new one."""
        options = {"dtype": values.dtype, **options}
        metadata = extended(stored, len(values), values.shape[1:], **options)
        metadata = self._staged(path, metadata, copied=False)
        if len(values):
            place = join(self.root.path, path)
            crud.write_region(metadata, self.root.store, place, (slice(0, len(values)),), values)
        self._put(path, metadata)

    def blobs(
        self, path: str, stored: Array | None, blobs: Ragged, attributes: Attributes, chunks: int
    ) -> None:
        """Let an array of one dimension hold these blobs and no others."""
        metadata = extended(
            stored, len(blobs), (), dtype="variable_length_bytes", chunks=chunks,
            compressors="zstd", attributes=attributes,
        )  # fmt: skip
        metadata = self._staged(path, metadata, copied=False)
        if len(blobs):
            rows = np.arange(len(blobs), dtype=np.int64)[:, None]
            crud.write_ragged(metadata, self.root.store, join(self.root.path, path), rows, blobs)
        self._put(path, metadata)

    def document(self, path: str, document: Mapping[str, Any]) -> None:
        """Let a node have another document; of an array, its content is that of before."""
        if path in self._arrays:
            document = {
                **document, "chunk_key_encoding": self._arrays[path].document["chunk_key_encoding"],
            }  # fmt: skip
        self.documents[path] = document

    def adopt(self, path: str, metadata: ArrayMetadata, source: str) -> None:
        """Let an array be what is stored at another path of the store."""
        target = self._staged(path, metadata, copied=False)
        _copy_objects(self.root.store, metadata, source, target, join(self.root.path, path))
        self._put(path, target)

    def shift(self, array: CellArray, metadata: ArrayMetadata, objects: Coords) -> None:
        """Let the objects of an array have keys further on, and let its document be another."""
        path = self.relative(array.path)
        target = self._staged(path, metadata, copied=False)
        _copy_objects(array.store, array.metadata, array.path, target, array.path, objects)
        self._put(path, target)

    def remove(self, path: str) -> None:
        """Let a node go, and all below it."""
        self.removed.append(path)

    def relative(self, path: str) -> str:
        """Return the path below the root of what is at a path of the store."""
        return path[len(self.root.path) :].lstrip("/")

    def remove_orphans(self, path: str) -> None:
        """Let objects below a path go that are of no array: what a killed writer has left."""
        place = join(self.root.path, path)
        known = {join(place, p) for p in node_documents(self.root.store, place)}
        found = set()
        for info in self.root.store.list(f"{place}/"):
            array = max(info.key.rpartition("/c/")[0], info.key.rpartition("/c.")[0], key=len)
            if array and array not in known:
                found.add(self.relative(array))
        self.removed += sorted(found - {*self.documents})

    def _put(self, path: str, metadata: ArrayMetadata) -> None:
        self._arrays[path] = metadata
        self.documents[path] = metadata.document

    def _staged(self, path: str, metadata: ArrayMetadata, *, copied: bool) -> ArrayMetadata:
        """Return an array under keys that nobody reads, with or without what it holds now."""
        store, place = self.root.store, join(self.root.path, path)
        before = self._arrays.get(path)
        if before is not None:
            encoding = before.document["chunk_key_encoding"]
            return metadata.with_document(chunk_key_encoding=encoding)
        node = self.root.get_many([path]).get(path)
        if not isinstance(node, Array):
            # Keys that no writer of a new array uses, should this be cut off.
            store.delete_prefix(f"{place}/")
            return metadata.with_document(chunk_key_encoding=_encoding("."))
        if node.metadata.document["chunk_key_encoding"]["name"] != "default":
            raise UnsupportedError(
                f"the chunks of {place!r} in {store.spec} are named as in Zarr v2, and are only "
                "read; write the store again at another location",
                path=place,
                kind="chunk_key_encoding",
            )
        separator = separator_of(node.metadata)
        delete_objects_but(store, place, separator)
        encoding = _encoding("." if separator == "/" else "/")
        target = metadata.with_document(chunk_key_encoding=encoding)
        if copied:
            _copy_objects(store, node.metadata, place, target, place)
        return target

    # ------------------------------------------------------------------ the moment

    def commit(self, change: Callable[[RootMetadata], RootMetadata] | None = None) -> None:
        """Let everything become true.

        Parameters
        ----------
        change
            Returns what the root says afterwards.

        Raises
        ------
        ConflictError
            Another writer has taken this one for dead; nothing has become true.
        """
        store, path = self.root.store, self.root.path
        for turn in self.turns:
            turn.check()
        with changing(store, path.rpartition("/")[0]) if path else nullcontext():
            document = crud.read_metadata(store, path)
            metadata = RootMetadata.parse(document["attributes"])
            attributes = (metadata if change is None else change(metadata)).attributes()
            found = {k: d for k, d in node_documents(store, path).items() if self._stays(k)}
            known = dict(sorted({**found, **self.documents}.items()))
            edit = {
                "documents": self.documents,
                "removed": self.removed,
                "was_consolidated": self.was_consolidated,
            }
            consolidated = {"kind": "inline", "must_understand": False, "metadata": known}
            document = {
                **document,
                "attributes": {**attributes, EDITION: uuid4().hex, EDIT: edit},
                "consolidated_metadata": consolidated,
            }
            put_document(document, store, path)
            settle(self.root.refresh())

    def _stays(self, path: str) -> bool:
        """Return whether a node is to be found from now on, although it may be deleted later."""
        gone = any(path == p or path.startswith(f"{p}/") for p in self.removed)
        return not gone and not path.startswith(".anyzarr")


def _encoding(separator: str) -> dict[str, Any]:
    return {"name": "default", "configuration": {"separator": separator}}


def _copy_objects(
    store: Store,
    source: ArrayMetadata,
    path: str,
    target: ArrayMetadata,
    to: str,
    by: Coords | None = None,
) -> None:
    """Copy the objects of an array, as they are, to those of another one, further on by some."""
    shift = np.zeros(source.ndim, np.int64) if by is None else by
    separator = separator_of(source)
    prefix = f"{path}/c{separator}"
    keys = [info.key for info in store.list(f"{path}/") if info.key.startswith(prefix)]

    def copy(key: str) -> None:
        place = np.array(key[len(prefix) :].split(separator), dtype=np.int64) + shift
        data = store.get(key)
        if data is not None:
            store.put(target.chunk_key(to, tuple(place.tolist())), data)

    for_each(copy, keys)


@contextmanager
def editing(root: Group) -> Iterator[Transaction]:
    """Hold the right to write to all levels of a store, and give what is to be filled.

    Nothing becomes true unless :meth:`Transaction.commit` is called.
    """
    metadata = RootMetadata.parse(root.metadata.attributes)
    with ExitStack() as stack:
        turns = [
            stack.enter_context(one_writer(root.store, root.path, number))
            for number in metadata.levels or (0,)
        ]
        settle(root.refresh())
        redo(root, metadata.levels)
        yield Transaction(root, turns, "consolidated_metadata" in root.metadata.document)
        root.refresh()
