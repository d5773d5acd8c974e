"""The members of a JSON object as the objects of a store."""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from anyzarr._url import quote_path
from anyzarr.abc import ByteRange, Capabilities, ObjectInfo, Precondition, Store, StoreSpec
from anyzarr.errors import CorruptDataError, NodeNotFoundError, StoreError, UnsupportedError
from anyzarr.stores._base import BaseStore, address_at
from anyzarr.stores._keys import is_key

__all__ = ["JsonStore", "open_json"]

_BASE64: Final = "base64:"
_MOST_BYTES: Final = 1 << 30


class JsonStore(BaseStore):
    """The members of an object in a JSON document, for reading.

    The name of a member is the key. A string is its text in UTF-8, or what is encoded in it if
    it begins with ``base64:``; anything else is its JSON text. So consolidated metadata of Zarr
    v2 is a hierarchy without chunks, and what kerchunk writes inline is read.

    Parameters
    ----------
    source
        The store and key of the document.
    pointer
        JSON pointer (RFC 6901) to the object in it; ``""`` is the whole document.

    Raises
    ------
    NodeNotFoundError
        There is no document, or nothing in it that the pointer names.
    CorruptDataError
        It is not JSON.
    StoreError
        What the pointer names is not an object.
    """

    def __init__(self, source: tuple[Store, str], pointer: str = "") -> None:
        self._container, self._source_key = source
        self._pointer = pointer
        self._reading = threading.Lock()
        options = {"container": self._container.spec, "key": self._source_key, "pointer": pointer}
        address = f"{address_at(*source)}|json:{quote_path(pointer)}"
        super().__init__(StoreSpec("json", address, options, read_only=True))
        self._objects: dict[str, Any] | None = None
        self._members()

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        return Capabilities(writable=False)

    def address_at(self, path: str) -> str:
        """Return the address of what is at a key, or below a prefix."""
        # The pointer names the store; what lies in it is named by the step that follows.
        return f"{self.address}|zarr:{quote_path(path)}" if path else self.address

    def _members(self) -> dict[str, Any]:
        if self._objects is None:
            with self._reading:
                if self._objects is None:
                    self._objects = self._read_document()
        return self._objects

    def _read_document(self) -> dict[str, Any]:
        info = self._container.head(self._source_key)
        data = None
        if info is not None:
            if info.size > _MOST_BYTES:
                self._refuse(f"has {info.size} bytes, more than a JSON document may have here")
            data = self._container.get(self._source_key)
        if data is None:
            raise NodeNotFoundError(
                f"there is no JSON document at {self._label}: check the path", store=self._label
            )
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            self._refuse(f"is not JSON ({error})")
        found = _pointed(document, self._pointer, self._label)
        if not isinstance(found, Mapping):
            raise StoreError(
                f"{self._label} is a JSON {type(found).__name__}, and a store is an object, whose "
                "members are keys: give the pointer of one, as in json:/metadata",
                store=self._label,
            )
        return {name: value for name, value in found.items() if is_key(name)}

    def _refuse(self, problem: str) -> NoReturn:
        raise CorruptDataError(f"{self._label} {problem}; get it again", store=self._label)

    def _bytes(self, key: str) -> bytes | None:
        members = self._members()
        if key not in members:
            return None
        value = members[key]
        if isinstance(value, list):
            raise UnsupportedError(
                f"{key!r} in {self._label} refers to bytes in another place, which a document "
                "cannot be trusted with; read it through fsspec: backend='fsspec' and "
                "'reference://'",
                store=self._label,
                key=key,
            )
        if not isinstance(value, str):
            return json.dumps(value).encode()
        if not value.startswith(_BASE64):
            return value.encode()
        try:
            return base64.b64decode(value[len(_BASE64) :], validate=True)
        except binascii.Error as error:
            raise CorruptDataError(
                f"{key!r} in {self._label} is not base64 ({error}); get the document again",
                store=self._label,
                key=key,
            ) from error

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        data = self._bytes(key)
        if data is None or byte_range is None:
            return data
        return data[slice(*byte_range.resolve(len(data)))]

    def _head(self, key: str) -> ObjectInfo | None:
        data = self._bytes(key)
        if data is None:
            return None
        return ObjectInfo(key, len(data), f"{binascii.crc32(data):08x}-{len(data):x}")

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        for key in self._members():
            if key.startswith(prefix):
                info = self._head(key)
                assert info is not None
                yield info

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> NoReturn:
        raise AssertionError("refused before it gets here")

    def _delete(self, key: str) -> NoReturn:
        raise AssertionError("refused before it gets here")


def _pointed(document: Any, pointer: str, label: str) -> Any:
    """Return what a JSON pointer names in a document."""
    found = document
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            raise NodeNotFoundError(
                f"there is no {name!r} in the JSON document at {label}: check the pointer",
                store=label,
            )
    return found


def open_json(
    root: str, *, container: StoreSpec, key: str, pointer: str, read_only: bool = True
) -> JsonStore:
    """Rebuild a :class:`JsonStore` from its spec."""
    from anyzarr.stores._registry import from_spec

    return JsonStore((from_spec(container), key), pointer)
