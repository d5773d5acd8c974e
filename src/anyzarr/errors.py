"""The errors anyzarr raises, by what the caller can do about them.

Every error carries a stable ``kind`` (assert on it, never on wording) and the attributes
that locate the problem. A message gives the value, the rule it broke, and the remedy.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AnyzarrError",
    "ConflictError",
    "CorruptDataError",
    "MetadataError",
    "MissingDependencyError",
    "NodeExistsError",
    "NodeNotFoundError",
    "ReadOnlyError",
    "SelectionError",
    "StoreError",
    "UnsupportedError",
    "ValidationError",
]


class AnyzarrError(Exception):
    """The root of all errors raised on purpose by anyzarr.

    Parameters
    ----------
    message
        One sentence: the value, the rule, the remedy.
    store, key, path, chunk_coords, engine
        Where it happened, as far as known. ``store`` is the store's printable address.
    kind
        A stable identifier; defaults to the kind of the class.

    Examples
    --------
    >>> from anyzarr.errors import AnyzarrError, NodeNotFoundError
    >>> try:
    ...     raise NodeNotFoundError("no node at 'a/b'", path="a/b")
    ... except AnyzarrError as error:
    ...     print(error.kind, error.path)
    node_not_found a/b
    """

    default_kind: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        store: str | None = None,
        key: str | None = None,
        path: str | None = None,
        chunk_coords: tuple[int, ...] | None = None,
        engine: str | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.store = store
        self.key = key
        self.path = path
        self.chunk_coords = chunk_coords
        self.engine = engine
        self.kind = kind or self.default_kind

    def __str__(self) -> str:
        # KeyError would print its argument's repr; a person reads the sentence.
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # By name: ImportError keeps ``path`` outside the instance's __dict__.
        return _rebuild, (type(self), {name: getattr(self, name) for name in _FIELDS})


_FIELDS = ("message", "store", "key", "path", "chunk_coords", "engine", "kind")


def _rebuild(cls: type[AnyzarrError], fields: dict[str, Any]) -> AnyzarrError:
    error = cls.__new__(cls, fields["message"])
    for name, value in fields.items():
        setattr(error, name, value)
    return error


class StoreError(AnyzarrError):
    """A store could not do what was asked: permissions, disk full, network, a bad address."""

    default_kind = "store"


class NodeNotFoundError(AnyzarrError, KeyError):
    """There is no array or group at this path."""

    default_kind = "node_not_found"


class NodeExistsError(AnyzarrError):
    """A node is already there, and overwriting was not asked for."""

    default_kind = "node_exists"


class MetadataError(AnyzarrError, ValueError):
    """A metadata document is not valid, or a value does not fit the array it is for."""

    default_kind = "metadata"


class CorruptDataError(AnyzarrError):
    """Stored bytes cannot be what the metadata says they are."""

    default_kind = "corrupt_data"


class UnsupportedError(AnyzarrError):
    """A valid request that no installed engine or backend can carry out."""

    default_kind = "unsupported"


class SelectionError(AnyzarrError, IndexError):
    """A selection does not fit the array: out of bounds, wrong rank, bad mask."""

    default_kind = "selection"


class ReadOnlyError(AnyzarrError):
    """A write to something opened, or only available, for reading."""

    default_kind = "read_only"


class ConflictError(AnyzarrError):
    """A precondition failed: someone else changed the object first."""

    default_kind = "conflict"


class ValidationError(AnyzarrError):
    """Valid Zarr that breaks the rules of the format built on it (OME-Zarr, ``.ozx``)."""

    default_kind = "validation"


class MissingDependencyError(AnyzarrError, ImportError):
    """An optional package is needed; the message carries the exact install command."""

    default_kind = "missing_dependency"
