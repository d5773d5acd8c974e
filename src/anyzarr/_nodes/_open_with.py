"""Groups opened together with nodes below them, of which it is known beforehand what they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from anyzarr._nodes._array import Array
from anyzarr._nodes._group import Group, bind
from anyzarr._nodes._known import known_below
from anyzarr._nodes._open import open_group, open_in_folder
from anyzarr.abc import Store
from anyzarr.crud._nodes import normalize_path
from anyzarr.crud._parsed import StoredNodes
from anyzarr.metadata import GroupMetadata
from anyzarr.stores import open_store

__all__ = ["open_group_with"]

Members = dict[str, Array | Group]


def open_group_with(
    location: Any, paths: Iterable[str], *, backend: str | None = None, **backend_kwargs: Any
) -> tuple[Group, Members]:
    """Open a group for reading, and members of it.

    Their documents and the group's own are fetched together, so that a store far away is asked
    once. Where the group's metadata is consolidated that is believed, as
    :meth:`Group.get_many` does.

    Parameters
    ----------
    location, backend, **backend_kwargs
        As for :func:`anyzarr.open`.
    paths
        Of the members, below the group.

    Returns
    -------
    Group
        The group.
    dict
        The members by path; those that are not there are left out.
    """
    wanted = {path: normalize_path(path) for path in paths}
    if backend is None and not backend_kwargs:
        node, folder = open_in_folder(location, "", "r", None) or (None, None)
        if folder is not None and isinstance(node, GroupMetadata):
            return _asked_after(Group(node, folder, "", None), wanted)
    store = open_store(location, backend=backend, mode="r", **backend_kwargs)
    stored = StoredNodes.fetch(store, ["", *wanted.values()])
    root = stored.node("")
    if not isinstance(root, GroupMetadata):
        return _asked_after(open_group(store, mode="r"), wanted)
    return _asked_together(root, store, wanted, stored)


def _asked_after(group: Group, paths: Iterable[str]) -> tuple[Group, Members]:
    return group, group.get_many(paths)


def _asked_together(
    root: GroupMetadata, store: Store, paths: Mapping[str, str], stored: StoredNodes
) -> tuple[Group, Members]:
    """Return the group and its members: as consolidated metadata says, else as they are stored."""
    known = known_below(store, "", root.document)
    members: Members = {}
    for path, place in paths.items():
        told = None if known is None else known.document(place)
        document = stored.node(place) if told is None else told
        if document is not None:
            members[path] = bind(document, store, place, None, known)
    return Group(root, store, "", None, known=known), members
