"""Which edit of a store documents are of, and reads that no edit comes between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr.errors import ConflictError
from anyzarr.vectors._constants import EDITION

__all__ = ["edition_of", "is_current", "read_current", "require_current"]

T = TypeVar("T")

_ATTEMPTS = 3


def edition_of(root: Group) -> str:
    """Return the name of the last edit that the documents at hand are of; empty: none was."""
    return _edition(root.metadata.attributes)


def is_current(root: Group, edition: str) -> bool:
    """Return whether a store has not been edited since an edition, by its document as stored."""
    document = crud.read_metadata(root.store, root.path, zarr_format=root.zarr_format)
    return _edition(document.get("attributes", {})) == edition


def require_current(root: Group, edition: str | None = None) -> None:
    """Refuse to go on where a store has been edited since its documents were read.

    Parameters
    ----------
    root
        The store.
    edition
        That of the documents. Default: of those at hand.

    Raises
    ------
    ConflictError
        It was edited: chunks that the documents name may be gone.
    """
    if not is_current(root, edition_of(root) if edition is None else edition):
        raise _edited(root)


def read_current(root: Group, ask: Callable[[], T]) -> T:
    """Return what is read of a store as it is at one moment, however old the handle is.

    An edit lets chunks go that older documents name, and what is not there reads as empty. So
    the root's document is looked at after the read: if there was an edit, documents are read
    again, and then what is asked for.

    Parameters
    ----------
    root
        The store; its document becomes that of now where it is not.
    ask
        Reads, by documents that are no older than the root's at hand.

    Raises
    ------
    ConflictError
        The store is edited all the time.
    """
    for _ in range(_ATTEMPTS):
        edition = edition_of(root)
        try:
            found = ask()
        except Exception:  # whatever older documents lead to; raised if they are none
            if is_current(root, edition):
                raise
        else:
            if is_current(root, edition):
                return found
        root.refresh()
    raise _edited(root)


def _edited(root: Group) -> ConflictError:
    return ConflictError(
        f"{root.url} was edited after its documents had been read, so that they name chunks that "
        "are no longer there; open the store again, or repeat the read",
        store=str(root.store.spec),
        path=root.path,
        kind="edited",
    )


def _edition(attributes: Mapping[str, Any]) -> str:
    return str(attributes.get(EDITION, ""))
