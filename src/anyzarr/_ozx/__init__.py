"""Zipped OME-Zarr (RFC-9): one hierarchy in one ``.ozx`` archive."""

from anyzarr._ozx._order import JOURNAL, Contents, arrange, is_stray
from anyzarr._ozx._pack import Packed, Packing, pack
from anyzarr._ozx._parts import Checkpoint
from anyzarr._ozx._root import require_root
from anyzarr._ozx._survey import is_sharded, ome_version

__all__ = [
    "JOURNAL",
    "Checkpoint",
    "Contents",
    "Packed",
    "Packing",
    "arrange",
    "is_sharded",
    "is_stray",
    "ome_version",
    "pack",
    "require_root",
]
