"""One object put by obstore: on a condition, in parts, and known again if the answer got lost."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from anyzarr.abc import ABSENT, ObjectInfo, Precondition

__all__ = ["Live", "info_of", "part_bytes", "tag_of"]

_SERVICES: Final = frozenset({"S3Store", "GCSStore", "AzureStore"})
_LEAST_PART_BYTES: Final = 8 << 20
_MOST_PARTS: Final = 9000
"""An upload has at most 10,000."""
_MARK: Final = "anyzarrput"
"""Name in an object's metadata of what tells one put from all others."""
_MOST_RETRIES: Final = 3
_PAUSE_SECONDS: Final = 0.1


def part_bytes(size: int) -> int:
    """Return the size of the parts in which so many bytes go up."""
    return max(_LEAST_PART_BYTES, size // _MOST_PARTS + 1)


def tag_of(kind: str, result: Mapping[str, Any]) -> str | None:
    """Return what names the version of an object, and a condition can be set on.

    Google's is the generation; its ETag takes no condition.
    """
    tag = result["version"] if kind == "GCSStore" else result["e_tag"]
    if tag is None:
        return None
    # Azure's listings leave out the quotes.
    return f'"{tag}"' if kind == "AzureStore" and not str(tag).endswith('"') else str(tag)


def info_of(kind: str, meta: Mapping[str, Any], key: str | None = None) -> ObjectInfo:
    """Return what obstore tells of an object."""
    return ObjectInfo(key or str(meta["path"]), int(meta["size"]), tag_of(kind, meta))


@dataclass(frozen=True)
class Live:
    """A live obstore store, to write to.

    Attributes
    ----------
    obstore, errors
        The library, and the module of its errors.
    store
        The store.
    kind
        The name of its class.
    """

    obstore: Any
    errors: Any
    store: Any
    kind: str

    def put(self, key: str, value: bytes | memoryview, precondition: Precondition | None) -> Any:
        """Put an object and return obstore's result; its errors are raised as they are.

        A request whose answer gets lost is made again, by obstore or here. The second may then
        fail because of the first: its condition does not hold any more, or its upload is complete
        already. So that the put is not taken for somebody else's, a mark of its own goes along as
        metadata, and is looked for.
        """
        size = len(value)
        how = _mode(self.kind, precondition)
        if precondition is None:
            how = {"use_multipart": size > _LEAST_PART_BYTES, "chunk_size": part_bytes(size)}
        if self.kind not in _SERVICES or (precondition is None and not how["use_multipart"]):
            return self.obstore.put(self.store, key, value, **how)
        return self._put_marked(key, value, how, self._pauses())

    def delete(self, keys: str | Sequence[str]) -> None:
        """Delete objects; obstore does not try again where it cannot know what became of it."""
        pauses = self._pauses()
        while True:
            try:
                self.obstore.delete(self.store, keys)
                return
            except self.errors.GenericError:
                pause = next(pauses, None) if self.kind in _SERVICES else None
                if pause is None:
                    raise
            time.sleep(pause)

    def put_parts(self, key: str, parts: Iterator[bytes], size_limit: int) -> Any:
        """Put an object that arrives in parts."""
        how = {"chunk_size": part_bytes(size_limit)}
        if self.kind not in _SERVICES:
            return self.obstore.put(self.store, key, parts, **how)
        return self._put_marked(key, parts, how, iter(()))

    def _put_marked(
        self, key: str, value: Any, how: Mapping[str, Any], pauses: Iterator[float]
    ) -> Any:
        mark = secrets.token_hex(8)
        while True:
            try:
                return self.obstore.put(self.store, key, value, attributes={_MARK: mark}, **how)
            except self._doubtful as error:
                stored = self._find_marked(key, mark)
                if stored is not None:
                    return stored
                # It does no harm if both arrive: all of it goes up again, or on a condition.
                pause = next(pauses, None) if type(error) is self.errors.GenericError else None
                if pause is None:
                    raise
            time.sleep(pause)

    @property
    def _doubtful(self) -> tuple[type[BaseException], ...]:
        """Errors after which the object may have been put all the same."""
        names = self.errors
        return (
            names.AlreadyExistsError,
            names.PreconditionError,
            names.GenericError,
            FileNotFoundError,
        )

    def _find_marked(self, key: str, mark: str) -> Any:
        """Return what is known of the object if it is the one with the mark."""
        try:
            found = self.obstore.get(self.store, key, options={"head": True})
        except (self.errors.BaseError, OSError):
            return None  # what is known already is what the caller is told
        return found.meta if found.attributes.get(_MARK) == mark else None

    def _pauses(self) -> Iterator[float]:
        """Return how long to wait before each further attempt, as obstore was told to."""
        retry = self.store.retry_config or {}
        pause = _PAUSE_SECONDS
        if "backoff" in retry:
            pause = retry["backoff"]["init_backoff"].total_seconds()
        for number in range(min(_MOST_RETRIES, retry.get("max_retries", _MOST_RETRIES))):
            yield pause * 2**number


def _mode(kind: str, precondition: Precondition | None) -> dict[str, Any]:
    if precondition is None:
        return {}
    held = "version" if kind == "GCSStore" else "e_tag"
    mode: Any = "create" if precondition is ABSENT else {held: precondition}
    # A multipart upload takes no condition.
    return {"mode": mode, "use_multipart": False}
