"""Parts of an archive that are noted when they are written, so that packing can be gone on with.

Where each member begins is known beforehand, and its checksum is all that the central directory
needs of it: once the checksums of a part are noted, and its bytes are on the disk, it need not be
read again. Documents are: the archive's comment and the warnings are of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from anyzarr._ozx._members import Member

__all__ = ["Checkpoint", "Numbered", "Part", "Parts"]

PART_BYTES = 64 << 20

Numbered: TypeAlias = tuple[int, Sequence[Member]]
"""A batch of members, and the number of its first."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is known of an archive that was begun, and who wants to know more.

    Attributes
    ----------
    done
        CRC-32 of the members of parts that are in the file, by the number of the part.
    on_part
        Called, on any thread, with the number and the CRC-32s of a part whose bytes are on the
        disk.
    """

    done: Mapping[int, Sequence[int]]
    on_part: Callable[[int, Sequence[int]], None]


@dataclass(slots=True)
class Part:
    """Neighbouring batches that are large together.

    Attributes
    ----------
    number
        Among the parts.
    first, stop
        Numbers of its members, ``[first, stop)``.
    n_left
        How many batches are still to be written.
    n_bytes
        What it takes in the archive.
    has_documents
        Whether it is always written again.
    """

    number: int
    first: int
    stop: int
    n_left: int = 0
    n_bytes: int = 0
    has_documents: bool = False

    def takes(self, batch: Sequence[Member]) -> bool:
        """Return whether one more batch is to be of this part; data is not, behind documents."""
        return self.n_bytes < PART_BYTES and self.has_documents == batch[0].is_document


class Parts:
    """What of an archive is written, and the checksums of that.

    Parameters
    ----------
    batches
        Of all members, in their order.
    done
        As for :class:`Checkpoint`.
    """

    def __init__(
        self, batches: Sequence[Sequence[Member]], done: Mapping[int, Sequence[int]]
    ) -> None:
        self._lock = threading.Lock()
        self._part_of: dict[int, Part] = {}
        numbered: list[Numbered] = []
        position, part = 0, Part(0, 0, 0, has_documents=True)
        for batch in batches:
            if not part.takes(batch):
                part = Part(part.number + 1, position, position)
            numbered.append((position, batch))
            self._part_of[position] = part
            position += len(batch)
            part.stop, part.n_left = position, part.n_left + 1
            part.n_bytes += batch[-1].stop - batch[0].offset
            part.has_documents |= any(member.is_document for member in batch)
        self.crcs = [0] * position
        self.skipped: list[Numbered] = []
        self.left: list[Numbered] = []
        for first, batch in numbered:
            known = self._known(self._part_of[first], done)
            (self.left if known is None else self.skipped).append((first, batch))
            if known is not None:
                offset = first - self._part_of[first].first
                self.crcs[first : first + len(batch)] = known[offset : offset + len(batch)]

    @staticmethod
    def _known(part: Part, done: Mapping[int, Sequence[int]]) -> Sequence[int] | None:
        crcs = None if part.has_documents else done.get(part.number)
        return crcs if crcs is not None and len(crcs) == part.stop - part.first else None

    def note(self, first: int, crcs: Sequence[int]) -> Part | None:
        """Take note of a batch that is in the file; return its part if that is complete now."""
        part = self._part_of[first]
        with self._lock:
            self.crcs[first : first + len(crcs)] = crcs
            part.n_left -= 1
            return part if part.n_left == 0 and not part.has_documents else None

    def crcs_of(self, part: Part) -> list[int]:
        """Return the checksums of a part that is complete."""
        return self.crcs[part.first : part.stop]
