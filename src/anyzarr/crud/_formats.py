"""The format of a hierarchy: asked for, told by its location, or found out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from anyzarr._url import one_format
from anyzarr.abc import Store
from anyzarr.errors import MetadataError
from anyzarr.stores import join
from anyzarr.stores._base import told_format

__all__ = [
    "CONSOLIDATED_V2",
    "V2",
    "V3",
    "ZarrFormat",
    "format_for",
    "names_of",
    "refuse_other",
    "require_told",
    "told",
]

ZarrFormat = Literal[2, 3]

V3: Final = "zarr.json"
V2: Final = (".zarray", ".zgroup", ".zattrs")
CONSOLIDATED_V2: Final = ".zmetadata"
_OF_V2: Final = frozenset({*V2, CONSOLIDATED_V2})
_NAMES: Final[Mapping[ZarrFormat | None, tuple[tuple[str, ...], ...]]] = {
    None: ((V3,), V2),
    3: ((V3,),),
    2: (V2,),
}


def format_for(store: Store, asked: ZarrFormat | None) -> ZarrFormat | None:
    """Return the format to look for: the one asked for, or told by the location.

    Raises
    ------
    MetadataError
        They differ.
    """
    return one_format(told_format(store), asked, f"the location {store}")


def names_of(zarr_format: ZarrFormat | None) -> tuple[tuple[str, ...], ...]:
    """Return the names of a node's documents, in the order in which they are looked for."""
    return _NAMES.get(zarr_format, ())


def told(store: Store, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of some names of documents that a store of a told format can hold."""
    zarr_format = told_format(store)
    wanted = tuple(names)
    if zarr_format is None:
        return wanted
    return tuple(name for name in wanted if (name in _OF_V2) == (zarr_format == 2))


def require_told(store: Store, document: Mapping[str, Any], path: str) -> None:
    """Refuse to write a document of another format than the location tells."""
    zarr_format = told_format(store)
    if zarr_format is not None and document["zarr_format"] != zarr_format:
        raise MetadataError(
            f"a node of Zarr v{document['zarr_format']} cannot be written at {path or '/'!r} of "
            f"{store}, whose location says zarr{zarr_format}: give the format that is meant, in "
            "the location or as an argument",
            store=str(store.spec),
            path=path,
            kind="zarr_format",
        )


def refuse_other(store: Store, path: str) -> None:
    """Say so where a node is there, but in another format than the location tells."""
    zarr_format = told_format(store)
    if zarr_format is None:
        return
    other: ZarrFormat = 2 if zarr_format == 3 else 3
    names = (V3,) if other == 3 else V2[:2]
    found = store.get_many([(join(path, name), None) for name in names])
    if any(data is not None for data in found):
        raise MetadataError(
            f"the node at {path or '/'!r} of {store} is Zarr v{other}, and the location says "
            f"zarr{zarr_format}: write zarr{other}: there, or zarr: for either",
            store=str(store.spec),
            path=path,
            kind="zarr_format",
        )
