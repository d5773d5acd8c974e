"""What an object of another store decompresses to, as an object."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Final, NoReturn

from anyzarr.abc import ByteRange, ObjectInfo, Store, StoreSpec
from anyzarr.errors import CorruptDataError, StoreError
from anyzarr.stores._base import describe
from anyzarr.stores._decoders import BadStreamError, Decoder, gunzip, unzstd
from anyzarr.stores._local_files import read_at
from anyzarr.stores._single import SingleObjectStore

__all__ = ["BOMB_BYTES", "BOMB_RATIO", "DecodedStore", "open_decoded"]

_DECODERS: Final[Mapping[str, Callable[[], Decoder]]] = {"gzip": gunzip, "zstd": unzstd}
BOMB_BYTES: Final = 1 << 30
BOMB_RATIO: Final = 100
"""What decompresses to more than both (in bytes, and times its size) is taken for a bomb."""
_PART_BYTES: Final = 16 << 20
_IN_MEMORY_BYTES: Final = 64 << 20


class _Spilled:
    """A file without a name, there for as long as somebody holds this."""

    def __init__(self, file: IO[bytes]) -> None:
        file.flush()
        self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)

    def read(self, start: int, stop: int) -> bytes:
        # By position: threads and forked children share the file.
        return read_at(self._descriptor, start, stop)


@dataclass(frozen=True, slots=True)
class _Decoded:
    """The decompressed bytes, in memory or in a file."""

    size: int
    etag: str | None
    data: bytes
    file: _Spilled | None

    def read(self, start: int, stop: int) -> bytes:
        return self.data[start:stop] if self.file is None else self.file.read(start, stop)


class DecodedStore(SingleObjectStore):
    """What an object decompresses to, as the only object of a store.

    It is decompressed once, when it is first read, as it is then; up to 64 MB stay in memory,
    more in a temporary file that goes with the store. Then any part of it can be read.

    Parameters
    ----------
    source
        The store and key of the compressed object.
    codec
        ``gzip`` or ``zstd``.

    Notes
    -----
    What becomes more than 1 GiB and more than a hundred times its size is refused as a
    decompression bomb, when so much has come out of it.
    """

    def __init__(self, source: tuple[Store, str], codec: str) -> None:
        self._codec = codec
        self._decoder = _DECODERS[codec]()
        self._decoding = threading.Lock()
        self._decoded: _Decoded | None = None
        super().__init__("decoded", source, f"{codec}:", codec=codec)

    def close(self) -> None:
        """Drop the decompressed bytes; they are made again when something is read."""
        self._decoded = None

    def _read(self, byte_range: ByteRange | None) -> bytes | None:
        decoded = self._whole()
        if decoded is None:
            return None
        return decoded.read(*(byte_range or ByteRange()).resolve(decoded.size))

    def _look_up(self) -> ObjectInfo | None:
        decoded = self._whole()
        return None if decoded is None else ObjectInfo(self.key, decoded.size, decoded.etag)

    def _whole(self) -> _Decoded | None:
        decoded = self._decoded
        if decoded is None:
            with self._decoding:
                decoded = self._decoded
                if decoded is None:
                    decoded = self._decoded = self._decode()
        return decoded

    # ------------------------------------------------------------------ decompressing

    def _decode(self) -> _Decoded | None:
        info = self._container.head(self._source_key)
        if info is None:
            return None
        try:
            decoded = self._collect(info)
        except BadStreamError as error:
            self._refuse(f"is no whole {self._codec} file: {error}")
        except OSError as error:
            raise StoreError(
                f"cannot keep what {self._label} decompresses to: {describe(error)}; free some "
                f"room in {tempfile.gettempdir()}, or set TMPDIR to another folder",
                store=self._label,
                key=self.key,
            ) from error
        after = self._container.head(self._source_key)
        if after is None or (after.size, after.etag) != (info.size, info.etag):
            raise StoreError(
                f"{self._label} was changed while it was read; open it again",
                store=self._label,
                key=self.key,
            )
        return decoded

    def _collect(self, info: ObjectInfo) -> _Decoded:
        parts: list[bytes] = []
        size = 0
        blocks = self._blocks(info)
        for block in blocks:
            parts.append(block)
            size += len(block)
            if size > _IN_MEMORY_BYTES:
                break
        else:
            return _Decoded(size, info.etag, b"".join(parts), None)
        with tempfile.TemporaryFile(prefix="anyzarr-") as file:
            file.writelines(parts)
            parts.clear()
            file.writelines(blocks)
            return _Decoded(file.tell(), info.etag, b"", _Spilled(file))

    def _blocks(self, info: ObjectInfo) -> Iterator[bytes]:
        limit = max(BOMB_BYTES, BOMB_RATIO * info.size)
        size = 0
        for block in self._decoder(self._stored(info)):
            size += len(block)
            if size > limit:
                self._refuse(
                    f"looks like a decompression bomb: {info.size} bytes become more than {limit}"
                )
            yield block

    def _stored(self, info: ObjectInfo) -> Iterator[bytes]:
        for start in range(0, info.size, _PART_BYTES):
            stop = min(start + _PART_BYTES, info.size)
            data = self._container.get(self._source_key, ByteRange(start, stop))
            if data is None or len(data) != stop - start:
                raise BadStreamError(f"it ends before its {info.size} bytes")
            yield data

    def _refuse(self, problem: str) -> NoReturn:
        raise CorruptDataError(
            f"{self._label} {problem}; get the file again, or make it anew",
            store=self._label,
            key=self.key,
        )


def open_decoded(
    root: str, *, container: StoreSpec, key: str, codec: str, read_only: bool = True
) -> DecodedStore:
    """Rebuild a :class:`DecodedStore` from its spec."""
    from anyzarr.stores._registry import from_spec

    return DecodedStore((from_spec(container), key), codec)
