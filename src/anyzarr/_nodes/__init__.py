"""Arrays and groups: objects that bind metadata, store, path and engine."""

from anyzarr._nodes._array import Array
from anyzarr._nodes._attributes import Attributes
from anyzarr._nodes._dask import from_dask
from anyzarr._nodes._group import Group
from anyzarr._nodes._locate import locate
from anyzarr._nodes._new import create_array, create_group
from anyzarr._nodes._open import (
    consolidate_metadata,
    open,  # noqa: A004 - anyzarr.open, as zarr.open
    open_array,
    open_group,
)
from anyzarr._nodes._open_with import open_group_with
from anyzarr._nodes._tree import TreeNode, tree_of

__all__ = [
    "Array",
    "Attributes",
    "Group",
    "TreeNode",
    "consolidate_metadata",
    "create_array",
    "create_group",
    "from_dask",
    "locate",
    "open",
    "open_array",
    "open_group",
    "open_group_with",
    "tree_of",
]
