"""Zip archives, for writing: a folder beside the place, and the archive when it is closed."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn, Self

from anyzarr._ozx import Packed, arrange
from anyzarr._progress import ProgressCallback
from anyzarr._url import ZarrFormat
from anyzarr.abc import ByteRange, Capabilities, ObjectInfo, Precondition, Store, StoreSpec
from anyzarr.errors import StoreError
from anyzarr.stores._base import BaseStore
from anyzarr.stores._local import LocalStore
from anyzarr.stores._prefix import SubStore
from anyzarr.stores._zip_target import Owner, Target

__all__ = ["StagedArchive"]

_ROOT_GROUP: Final = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'


class StagedArchive(SubStore):
    """A zip archive that is being made; it appears, whole, when it is closed.

    What is put goes to a hidden folder beside the archive (``.NAME.<12 hex digits>.partial``; for
    one that is to be an object of another store, a temporary folder), at the speed of a folder.
    :meth:`close` makes the archive of it, as RFC-9 recommends: ZIP64, members stored as they are,
    metadata first. Of what was put several times the last is there, once. From then on the store
    reads the archive. :meth:`discard` makes none. As a context manager it closes itself, and
    discards what is there on an exception.

    Parameters
    ----------
    archive
        Path of the archive, or ``(store, key)`` for one that becomes an object of another store.
    overwrite
        Whether an archive that is there already is replaced, when this one is complete.

    Raises
    ------
    NodeExistsError
        There is one, and ``overwrite`` is False.

    Notes
    -----
    Nothing is written at the archive's place before it is complete: whoever looks there, and
    whenever the process is killed, finds what was there before, or the archive. If it cannot be
    completed (no room, no network), :meth:`close` can be called again; the folder stays. It stays
    too, with a warning, where the archive is never closed.

    Pickled, it is the same folder: worker processes write to it, and the process that opened the
    archive closes it.

    Examples
    --------
    >>> import tempfile, anyzarr
    >>> from anyzarr.stores import StagedArchive, ZipStore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with StagedArchive(f"{folder}/image.ozx") as store:
    ...         _ = anyzarr.create_array(store, data=[1, 2, 3])
    ...     anyzarr.open_array(f"{folder}/image.ozx")[1:]
    array([2, 3])
    """

    def __init__(
        self, archive: str | os.PathLike[str] | tuple[Store, str], *, overwrite: bool = False
    ) -> None:
        self._target = Target(archive, overwrite)
        self._target.require_free()
        folder = self._target.new_folder()
        owner = Owner(folder, self._target.label)
        self._attach(folder, owner)
        weakref.finalize(self, owner.abandoned)

    @classmethod
    def _again(
        cls, archive: str | os.PathLike[str] | tuple[Store, str], folder: str
    ) -> StagedArchive:
        """Return the same archive in another process, which writes to it and cannot close it."""
        self = cls.__new__(cls)
        self._target = Target(archive, overwrite=True)
        self._attach(Path(folder), None)
        return self

    def _attach(self, folder: Path, owner: Owner | None) -> None:
        self._owner = owner
        self._views: list[weakref.ref[BaseStore]] = []
        self._closing = threading.Lock()
        super().__init__(LocalStore(folder), "")
        self._spec = StoreSpec(
            "zip", self._target.root, {**self._target.options, "folder": os.fspath(folder)}
        )

    # ------------------------------------------------------------------ what it is

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do: all a folder can, and nothing but reading when it is closed."""
        return self._store.capabilities

    @property
    def address(self) -> str:
        """The archive as a URL pipeline."""
        return f"{self._target.url}|zip:"

    @property
    def _label(self) -> str:
        return self._target.label

    @property
    def is_open(self) -> bool:
        """Whether the archive is still being made."""
        return isinstance(self._store, LocalStore)

    def with_zarr_format(self, zarr_format: ZarrFormat | None) -> Self:
        """Tell the format of the hierarchy in the archive; return the archive."""
        self._spec = replace(self._spec, zarr_format=zarr_format)  # it is made once
        return self

    def with_read_only(self, read_only: bool) -> SubStore:  # type: ignore[override]
        """Return a view of the same objects that refuses to write."""
        return self._view("", read_only)

    def at_prefix(self, prefix: str) -> BaseStore:
        """Return a store whose keys are those below the prefix."""
        return self._view(prefix, False)

    def _view(self, prefix: str, read_only: bool) -> _View:
        view = _View(self, prefix, read_only=read_only)
        self._views.append(weakref.ref(view))
        return view

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StagedArchive) and self._spec == other._spec

    def __hash__(self) -> int:
        return hash(self._spec)

    def __reduce__(self) -> tuple[Any, ...]:
        return BaseStore.__reduce__(self)

    def _why_not_writable(self, key: str | None) -> str:
        return (
            f"{self._label} is complete, and archives are written once, so {key!r} cannot be "
            "changed: write before it is closed"
        )

    # ------------------------------------------------------------------ its end

    def close(self) -> None:
        """Make the archive, if it was not made yet; see :meth:`make`."""
        with contextlib.suppress(_ClosedError):
            self.make()

    def make(
        self, source: Store | None = None, *, progress: ProgressCallback | None = None
    ) -> Packed:
        """Make the archive of what was put, or of what another store holds, and close it.

        Parameters
        ----------
        source
            The other store.
        progress
            Told the bytes packed.

        Raises
        ------
        NodeNotFoundError
            There is no node at the root.
        ConflictError
            An object changed while it was being packed.
        NodeExistsError
            Another archive has appeared at its place meanwhile, and must not be replaced.
        StoreError
            The archive cannot be written, and what was put is still there; or it is made already.
        """
        with self._closing:
            if not self.is_open:
                raise _ClosedError(f"{self._label} is closed; open another", store=self._label)
            if source is None:
                self._complete_root()
            return self._make(self._store if source is None else source, progress)

    def _make(self, store: Store, progress: ProgressCallback | None) -> Packed:
        if self._owner is None:
            raise StoreError(
                f"{self._label} is being written by another process, which closes it: this one "
                "only adds to it",
                store=self._label,
            )
        packed = self._target.make(store, progress)
        self._finish(self._target.reader())
        return packed

    def discard(self) -> None:
        """Make no archive, and remove what was put; what was at its place stays."""
        with self._closing:
            if self._owner is None:
                return
            if self.is_open:
                self._finish(_Discarded(self._spec, self._label))
            self._owner.remove()

    def withdraw(self) -> None:
        """Remove the archive that was made, of which more than its bytes is found to be wrong."""
        self._target.remove()

    def _finish(self, store: BaseStore) -> None:
        assert self._owner is not None
        self._store = store
        # What engines opened of the folder would find nothing there, which means fill values.
        for view in (self, *(ref() for ref in self._views)):
            if view is not None:
                view.__dict__.pop("_anyzarr_opened", None)
        self._owner.remove()

    def _complete_root(self) -> None:
        """Make the root a group where only nodes below it were created."""
        contents = arrange(self._store.list())
        if contents.zarr_format is None and any(
            item.key.endswith("/zarr.json") for item in contents.documents
        ):
            self._store.put("zarr.json", _ROOT_GROUP)

    def __enter__(self) -> StagedArchive:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            self.discard()
            return
        try:
            self.close()
        except Exception:
            raise  # what was put is still there, and closing can be tried again
        except BaseException:
            self.discard()  # Ctrl-C: nobody is going to
            raise


class _ClosedError(StoreError):
    """The archive is made already, or never will be."""


class _View(SubStore):
    """A part of an archive that is being made, which becomes a part of the archive."""

    @property
    def capabilities(self) -> Capabilities:
        return self._derived_capabilities()


class _Discarded(BaseStore):
    """What is left of an archive that was not made: an error."""

    def __init__(self, spec: StoreSpec, label: str) -> None:
        super().__init__(spec)
        self._archive = label

    def _refuse(self) -> NoReturn:
        raise StoreError(
            f"{self._archive} was not made, because of an error while it was written; write it "
            "again",
            store=self._archive,
        )

    @property
    def capabilities(self) -> Capabilities:
        self._refuse()

    def _get(self, key: str, byte_range: ByteRange | None) -> NoReturn:
        self._refuse()

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> NoReturn:
        self._refuse()

    def _delete(self, key: str) -> NoReturn:
        self._refuse()

    def _head(self, key: str) -> NoReturn:
        self._refuse()

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        self._refuse()
