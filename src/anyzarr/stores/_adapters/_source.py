"""What the steps of a URL pipeline so far have come to."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from anyzarr._url import redact
from anyzarr.abc import Store
from anyzarr.errors import StoreError
from anyzarr.stores._base import address_at
from anyzarr.stores._prefix import at_prefix
from anyzarr.stores._single import SingleObjectStore

__all__ = ["Opened", "StepSource", "UrlSource"]

Opened: TypeAlias = Store | tuple[Store, str]
"""What an adapter gives: a store, or a store and the path in it of an object or a folder."""

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class UrlSource(abc.ABC):
    """What is left of a ``|``: an object or a folder, as the adapter right of it needs it.

    Attributes
    ----------
    url
        The pipeline up to here in its canonical form. It may hold a user name and a password;
        ``str(source)`` does not.
    local_path
        The path, where it is a local file or folder and nothing more.
    options
        The backend's options that the user gave, where this is the pipeline's base.
    """

    url: str
    local_path: str | None = None
    options: Mapping[str, Any] = _NONE

    @abc.abstractmethod
    def as_object(self) -> tuple[Store, str]:
        """Return the store that holds the object, and its key. The object may be absent."""

    @abc.abstractmethod
    def as_folder(self) -> Store:
        """Return the store of what lies below.

        Raises
        ------
        StoreError
            It is an object, and there is nothing below it.
        """

    def __str__(self) -> str:
        return redact(self.url)


class StepSource(UrlSource):
    """What a step of a pipeline gives.

    Parameters
    ----------
    opened
        What the step's adapter returned.
    """

    def __init__(self, opened: Opened) -> None:
        self._store, self._path = opened if isinstance(opened, tuple) else (opened, "")
        self.url = address_at(self._store, self._path)

    def as_object(self) -> tuple[Store, str]:
        """Return the store that holds the object, and its key."""
        if not self._path:
            raise StoreError(
                f"{self} is a store and no object in one, which the next step needs: give the "
                "object's path after the colon, as in zip:inner.zip",
                store=str(self),
                kind="malformed_pipeline",
            )
        return self._store, self._path

    def as_folder(self) -> Store:
        """Return the store of what lies below."""
        if isinstance(self._store, SingleObjectStore):
            raise StoreError(
                f"{self} is one object, and nodes lie in folders and archives: say what it "
                "is with a further step, such as zip: for a zip archive",
                store=str(self),
                kind="malformed_pipeline",
            )
        return at_prefix(self._store, self._path)
