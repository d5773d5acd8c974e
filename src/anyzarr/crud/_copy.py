"""Copying a node with everything below it, byte for byte: chunks are not decoded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from anyzarr._parallel import for_each
from anyzarr.abc import Store
from anyzarr.errors import StoreError
from anyzarr.stores._keys import is_document_key

__all__ = ["copy_objects", "link_folder"]

_REMOTE_COPIES = 16


def copy_objects(source: Store, path: str, target: Store, new_path: str) -> None:
    """Copy every object below a path to another place, replacing what is there.

    Chunks come first and each document after those below it, so that whoever reads meanwhile,
    or after an interruption, finds no node that is not whole.

    Raises
    ------
    StoreError, ReadOnlyError
        One of the stores refuses.
    """
    keys = [info.key for info in source.list(f"{path}/")]
    near = all(s.capabilities.local_root or s.spec.backend == "memory" for s in (source, target))

    def copy(key: str) -> None:
        data = source.get(key)
        if data is None:
            raise StoreError(
                f"{key!r} in {source.spec} went away while it was copied; copy it again",
                store=str(source.spec),
                key=key,
            )
        target.put(f"{new_path}/{key[len(path) + 1 :]}", data)

    for stage in _in_stages(keys):
        for_each(copy, stage, limit=None if near else _REMOTE_COPIES)


def _in_stages(keys: Iterable[str]) -> list[list[str]]:
    stages: dict[int, list[str]] = {}
    for key in keys:
        rank = -key.count("/") if is_document_key(key) else -(1 << 30)
        stages.setdefault(rank, []).append(key)
    return [stages[rank] for rank in sorted(stages)]


def link_folder(source: Path, target: Path) -> None:
    """Make a folder that holds the same files as another: the files have two names then.

    Where the file system has no hard links they are copied.

    Raises
    ------
    StoreError
        The file system refuses.
    """
    try:
        shutil.copytree(source, target, copy_function=_link, symlinks=True)
    except OSError as error:  # shutil.Error is one
        reason = error.strerror or str(error)
        raise StoreError(
            f"cannot give {str(source)!r} the second name {str(target)!r}: {reason}"
        ) from error


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
