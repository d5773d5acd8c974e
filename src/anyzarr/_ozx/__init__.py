"""Zipped OME-Zarr (RFC-9): one hierarchy in one ``.ozx`` file."""

from anyzarr._ozx._order import Contents, arrange, is_stray
from anyzarr._ozx._pack import Packed, pack, require_root

__all__ = ["Contents", "Packed", "arrange", "is_stray", "pack", "require_root"]
