"""Names of what interrupted writers leave behind: ours, and those of others that are certain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from anyzarr._atomic import SET_ASIDE, STAGED
from anyzarr.stores._keys import DOCUMENTS
from anyzarr.stores._local_files import TEMPORARY

__all__ = ["Kind", "kind_of"]

_DOCUMENT_STEMS: Final = DOCUMENTS | {"zarr"}
_KEY: Final = re.compile(r"(?:c[./])?\d+(?:\.\d+)*|c")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a name says.

    Attributes
    ----------
    writer
        The program: ``anyzarr``, ``zarr-python``, ``tensorstore``, ``obstore``.
    what
        A few words for people.
    target
        The name it was to get, where the name tells.
    set_aside
        Whether it is old content, moved out of the way of the new.
    """

    writer: str
    what: str
    target: str | None = None
    set_aside: bool = False


# (pattern, writer, what); the first group is the name of what was being written. Files only.
_OTHERS: Final = (
    # zarr-python 2 and 3: Path(key).with_suffix(".<uuid4>.partial")
    (re.compile(r"(.+)\.[0-9a-f]{32}\.partial"), "zarr-python", "an object being written"),
    # tensorstore's "file" driver: the lock of a key, which is also its new content
    (re.compile(r"(.+)\.__lock"), "tensorstore", "an object being written, or its lock"),
)
_OBSTORE: Final = re.compile(r"(.+)#\d+")
_UPLOADED: Final = re.compile(r"(.+\.(?:ozx|zip))\.[0-9a-f]{12}\.part", re.IGNORECASE)


def kind_of(name: str, *, is_folder: bool, in_hierarchy: bool) -> Kind | None:
    """Return what a file or folder is that an interrupted writer left, None for anything else.

    Parameters
    ----------
    name
        Its name, without the folder.
    is_folder
        Whether it is a folder.
    in_hierarchy
        Whether it lies in or below a node. Elsewhere, names that other programs than Zarr's could
        give are left alone.
    """
    if TEMPORARY.fullmatch(name):
        return Kind("anyzarr", "wells being renamed" if is_folder else "an object being written")
    if found := STAGED.fullmatch(name):
        what = "a hierarchy or archive being written" if is_folder else "a file being written"
        return Kind("anyzarr", what, found[1])
    if found := SET_ASIDE.fullmatch(name):
        return Kind("anyzarr", "what was being replaced", found[1], set_aside=True)
    return None if is_folder else _kind_of_file(name, in_hierarchy)


def _kind_of_file(name: str, in_hierarchy: bool) -> Kind | None:
    if found := _UPLOADED.fullmatch(name):
        return Kind("anyzarr", "an archive being written", found[1])
    for pattern, writer, what in _OTHERS:
        found = pattern.fullmatch(name)
        if found and (in_hierarchy or found[1] in _DOCUMENT_STEMS):
            return Kind(writer, what, found[1])
    found = _OBSTORE.fullmatch(name)
    if found and (found[1] in DOCUMENTS or (in_hierarchy and _KEY.fullmatch(found[1]))):
        return Kind("obstore", "an object being written", found[1])
    return None
