"""Where a zip archive is to be, and the folder it is made of."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

from anyzarr._atomic import mark_held, require_free, staging_path
from anyzarr._os_errors import because
from anyzarr._ozx import Packed, Packing, pack
from anyzarr._progress import ProgressCallback
from anyzarr._streams import put_stream
from anyzarr._url import file_url
from anyzarr.abc import Store
from anyzarr.errors import NodeExistsError, StoreError
from anyzarr.stores._base import address_at
from anyzarr.stores._zip import ZipStore

__all__ = ["Owner", "Target"]


class Target:
    """Where the archive is to be."""

    def __init__(
        self, archive: str | os.PathLike[str] | tuple[Store, str], overwrite: bool
    ) -> None:
        self._overwrite = overwrite
        self._object = archive if isinstance(archive, tuple) else None
        self.options: dict[str, Any] = {}
        if isinstance(archive, tuple):
            store, key = archive
            self.url = self.root = address_at(store, key)
            self.label = f"{str(store).rstrip('/')}/{key}"
            self.options = {"container": store.spec, "key": key}
            return
        path = os.path.abspath(os.path.expanduser(os.fspath(archive)))  # noqa: PTH100, PTH111
        self._path = Path(path)
        self.url, self.root, self.label = file_url(path), path, path

    def require_free(self) -> None:
        if self._object is None:
            require_free(self._path, overwrite=self._overwrite)
        elif not self._overwrite and self._object[0].head(self._object[1]) is not None:
            raise NodeExistsError(
                f"{self.label} exists already; choose another name, or overwrite it with "
                "overwrite=True",
                path="",
            )

    def new_folder(self) -> Path:
        """Return a place that is free; what is put makes the folder."""
        if self._object is None:
            return staging_path(self._path)
        return staging_path(Path(tempfile.gettempdir(), self._object[1].rpartition("/")[2]))

    def make(self, source: Store, progress: ProgressCallback | None) -> Packed:
        if self._object is None:
            return pack(source, self._path, overwrite=self._overwrite, progress=progress)
        store, key = self._object
        self.require_free()
        packing = Packing(source, key.rpartition("/")[2], progress=progress)
        put_stream(store, key, packing.parts(), packing.size_limit)
        return packing.packed()

    def remove(self) -> None:
        if self._object is None:
            self._path.unlink(missing_ok=True)
        else:
            self._object[0].delete(self._object[1])

    def reader(self) -> ZipStore:
        return ZipStore(self._path if self._object is None else self._object)


class Owner:
    """The folder of an archive, in the process that makes it."""

    def __init__(self, folder: Path, label: str) -> None:
        self._folder = folder
        self._label = label
        self._process = os.getpid()
        self._missing = [p for p in folder.parents if not p.exists()]
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise StoreError(
                f"cannot make a folder for {label}: {because(error)}",
                store=label,
            ) from error
        # Held until the end, so that nobody takes it for what a killed process left behind.
        self._descriptor = mark_held(folder)

    def remove(self) -> None:
        """Remove the folder, and what it was made in if that is empty."""
        self._let_go()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._remove_empty(*self._missing)

    @staticmethod
    def _remove_empty(*folders: Path) -> None:
        for folder in folders:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def abandoned(self) -> None:
        """Say where everything is that was put into an archive that nobody closed."""
        if os.getpid() != self._process:
            return
        self._let_go()
        self._remove_empty(self._folder, *self._missing)
        if self._folder.exists():
            warnings.warn(
                f"{self._label} was not closed, so it was not made; what was written is in "
                f"{os.fspath(self._folder)!r} and can be packed with anyzarr convert. Use a with "
                "statement, or close()",
                RuntimeWarning,
                stacklevel=2,
            )

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
