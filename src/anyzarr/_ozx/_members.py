"""Where each member of an archive goes, and how its bytes get there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from anyzarr._ozx._zip64 import Entry, entry_name, header_bytes
from anyzarr._streams import get_stream
from anyzarr.abc import ObjectInfo, Store
from anyzarr.errors import ConflictError, StoreError

__all__ = ["Member", "Reader", "batches", "is_large", "place"]

_BATCH_BYTES = 4 << 20
_BATCH_MEMBERS = 256


@dataclass(frozen=True, slots=True)
class Member:
    """An object that becomes an entry.

    Attributes
    ----------
    item
        The object, as its store listed it.
    name
        Of the entry.
    offset
        Where its local header begins.
    is_document
        Whether it is metadata.
    """

    item: ObjectInfo
    name: bytes
    offset: int
    is_document: bool

    @property
    def data_start(self) -> int:
        """Where its content begins."""
        return self.offset + header_bytes(self.name)

    @property
    def stop(self) -> int:
        """Where its content ends."""
        return self.data_start + self.item.size

    def entry(self, crc: int) -> Entry:
        """Return the entry, its checksum being known."""
        return Entry(self.name, self.offset, self.item.size, crc)


def place(documents: Sequence[ObjectInfo], data: Sequence[ObjectInfo]) -> list[Member]:
    """Lay the members out one after the other, metadata first.

    Raises
    ------
    StoreError
        A name is too long, or there are two of the same.
    """
    members: list[Member] = []
    names: set[bytes] = set()
    offset = 0
    for items, is_document in ((documents, True), (data, False)):
        for item in items:
            name = entry_name(item.key)
            if name in names:
                raise StoreError(f"an archive can hold only one entry {item.key!r}", key=item.key)
            names.add(name)
            member = Member(item, name, offset, is_document)
            members.append(member)
            offset = member.stop
    return members


def is_large(member: Member) -> bool:
    """Return whether a member is read in parts."""
    return member.item.size > _BATCH_BYTES


def batches(members: Sequence[Member]) -> Iterator[Sequence[Member]]:
    """Yield neighbouring members that are small together; a large one alone."""
    first = 0
    for index, member in enumerate(members):
        if index == first:
            continue
        whole = member.stop - members[first].offset
        if whole > _BATCH_BYTES or index - first == _BATCH_MEMBERS:
            yield members[first:index]
            first = index
    if members:
        yield members[first:]


class Reader:
    """Reads members from their store, and notices what is not as it was listed.

    Parameters
    ----------
    store
        The store.
    advance
        Told the bytes read.
    """

    def __init__(self, store: Store, advance: Callable[[int], None]) -> None:
        self._store = store
        self._advance = advance
        self._root = store.capabilities.local_root

    @property
    def is_local(self) -> bool:
        """Whether members are files here, so that more threads than processors do not help."""
        return self._root is not None

    def skip(self, members: Sequence[Member]) -> None:
        """Take members for done that are in the archive already."""
        self._advance(sum(member.item.size for member in members))

    def whole(self, members: Sequence[Member]) -> list[bytes]:
        """Return the contents of small members."""
        keys = [member.item.key for member in members]
        # Many files are read on many threads as it is: those who call this.
        found = (
            [self._store.get(key) for key in keys]
            if self.is_local
            else self._store.get_many([(key, None) for key in keys])
        )
        contents: list[bytes] = []
        for member, content in zip(members, found, strict=True):
            if content is None or len(content) != member.item.size:
                raise self._changed(member)
            contents.append(content)
        self._advance(sum(map(len, contents)))
        return contents

    def parts(self, member: Member) -> Iterator[bytes]:
        """Yield the content of a large member."""
        done = 0
        for part in get_stream(self._store, member.item.key) or ():
            done += len(part)
            self._advance(len(part))
            yield part
        if done != member.item.size:
            raise self._changed(member)

    def _changed(self, member: Member) -> ConflictError:
        return ConflictError(
            f"{member.item.key!r} in {self._store.spec} changed while it was being packed; "
            "pack again when nothing writes to the source",
            store=str(self._store.spec),
            key=member.item.key,
        )
