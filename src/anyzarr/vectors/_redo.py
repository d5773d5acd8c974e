"""Additions that are made whole: written down in one object, then made, by anyone if need be.

A level is added to in two steps. First comes what nothing names yet: rows behind those that count.
Everything that lets them count (fragments, objects, documents) is gathered and put as one object
beside the level; with that the addition is decided. Then it is made, and the object goes. Who is
next to write finds the object of a writer that was cut off, and makes the same changes again.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from anyzarr._nodes import Group
from anyzarr._parallel import for_each
from anyzarr.abc import Store
from anyzarr.stores import join
from anyzarr.vectors._constants import EDIT
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._recorded import Phase, RecordedStore
from anyzarr.vectors._turns import Turn, one_writer

__all__ = ["as_decided", "complete_additions", "decided_together", "is_unfinished", "redo"]

_NAME = ".anyzarr-addition-to-{}"
_NOTE = (
    "what was to be added is stored, and the next write or edit, or anyzarr.vectors.vacuum, "
    "completes it: do not add it again"
)
_MAGIC = b"anyzarr addition 1\n"
_SIZE = struct.Struct("<Q")
_DIGEST_BYTES = 32


@contextmanager
def decided_together(root: Group, level: int, turn: Turn) -> Iterator[Group]:
    """Give the root of a view of a store; the changes made in it happen together.

    Nothing happens if the block raises. Phases (:meth:`RecordedStore.begin_phase`) are made one
    after the other.

    Parameters
    ----------
    root
        The store.
    level
        Number of the level that is changed.
    turn
        The right to write to it.

    Raises
    ------
    ConflictError
        Another writer has taken this one for dead; nothing has happened.

    Notes
    -----
    An error that comes after the moment, such as that the disk is full, says so in a note.
    """
    recorded = RecordedStore(root.store)
    yield Group(root.metadata, recorded, root.path)
    phases = [phase for phase in recorded.phases if phase]
    key = _key(root, level)
    turn.check()
    root.store.put(key, _encode(phases, root.path, _state(root, level)))
    try:
        _apply(root.store, phases)
        root.store.delete(key)
    except BaseException as error:
        error.add_note(_NOTE)
        raise


def redo(root: Group, levels: Sequence[int]) -> None:
    """Make the additions to levels that were decided, and not made to the end.

    Called by who has the right to write to the levels, before anything else.
    """
    found = root.store.get_many([(_key(root, level), None) for level in levels])
    for level, data in zip(levels, found, strict=True):
        if data is None:
            continue
        phases = _decode(data, root.path, _state(root, level))
        if phases is not None:
            _apply(root.store, phases)
        root.store.delete(_key(root, level))


def complete_additions(root: Group) -> None:
    """Make the additions to all levels that were decided, for who is about to read and to write.

    It waits for who is making one.
    """
    levels = RootMetadata.parse(root.metadata.attributes).levels
    found = root.store.get_many([(_key(root, level), None) for level in levels])
    for level, data in zip(levels, found, strict=True):
        if data is not None:
            with one_writer(root.store, root.path, level):
                redo(root, [level])


def as_decided(root: Group, levels: Sequence[int]) -> tuple[Group, list[int]]:
    """Return the store as it will be once additions that were decided are made, and their levels.

    Parameters
    ----------
    root
        The store, which may be read-only.
    levels
        Numbers of its levels.
    """
    found = root.store.get_many([(_key(root, level), None) for level in levels])
    decided: dict[int, list[Phase]] = {}
    for level, data in zip(levels, found, strict=True):
        phases = None if data is None else _decode(data, root.path, _state(root, level))
        if phases is not None:
            decided[level] = phases
    if not decided:
        return root, []
    every = [phase for phases in decided.values() for phase in phases]
    return Group(root.metadata, RecordedStore(root.store, every), root.path), [*decided]


def is_unfinished(store: Store, path: str, metadata: RootMetadata) -> bool:
    """Return whether a vector store is being changed, or a change of it was cut off.

    Parameters
    ----------
    store, path, metadata
        The root of the vector store.
    """
    keys = (join(path, _NAME.format(level)) for level in metadata.levels)
    return EDIT in metadata.raw or any(store.head(key) is not None for key in keys)


def _key(root: Group, level: int) -> str:
    return join(root.path, _NAME.format(level))


def _state(root: Group, level: int) -> bytes:
    """Return the document of a level, as stored."""
    return root.store.get(join(root.path, f"{level}/zarr.json")) or b""


def _apply(store: Store, phases: Sequence[Phase]) -> None:
    def change(entry: tuple[str, bytes | None]) -> None:
        key, value = entry
        if value is None:
            store.delete(key)
        else:
            store.put(key, value)

    for phase in phases:
        for_each(change, list(phase.items()))


# ---------------------------------------------------------------------- the object


def _encode(phases: Sequence[Phase], path: str, before: bytes) -> bytes:
    """Return changes as one object: a digest, the length of a header in JSON, it, and the data.

    Keys are those below the root, which may be moved, or be opened by another way.
    """
    start = len(path) + bool(path)
    entries = [
        [[key[start:], None if value is None else len(value)] for key, value in phase.items()]
        for phase in phases
    ]
    header = json.dumps({"phases": entries, "level": _digest(before).hex()}).encode()
    data = b"".join(value or b"" for phase in phases for value in phase.values())
    body = _SIZE.pack(len(header)) + header + data
    return _MAGIC + _digest(body) + body


def _decode(data: bytes, path: str, now: bytes) -> list[Phase] | None:
    """Return the changes; None if they do not apply any more.

    That is where the object is not whole, as after a power cut, so that nothing was changed yet;
    and where the level's document is neither that of before nor that of after, so that another
    library has written since.
    """
    start = len(_MAGIC) + _DIGEST_BYTES
    body = data[start:]
    if data[:start] != _MAGIC + _digest(body):
        return None
    size = _SIZE.size + _SIZE.unpack_from(body)[0]
    header: dict[str, Any] = json.loads(body[_SIZE.size : size])
    phases: list[Phase] = []
    for entries in header["phases"]:
        phase: Phase = {}
        for key, length in entries:
            phase[join(path, key)] = None if length is None else body[size : size + length]
            size += length or 0
        phases.append(phase)
    last = [value for value in phases[-1].values() if value is not None]
    return phases if header["level"] == _digest(now).hex() or now in last else None


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
