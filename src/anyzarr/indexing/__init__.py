"""Selections, resolved once and cut along chunk grids.

:func:`resolve` turns what stands between the brackets into a :class:`Selection`;
:func:`parts` cuts it into one :class:`Part` per touched cell of a grid.
"""

from anyzarr.indexing._from_ndsel import from_ndsel
from anyzarr.indexing._ndsel import normalize
from anyzarr.indexing._parts import box_parts, partial_cells, parts, plan, touched
from anyzarr.indexing._resolve import resolve
from anyzarr.indexing._to_ndsel import to_ndsel
from anyzarr.indexing._types import Part, Plan, Points, Selection, Span

__all__ = [
    "Part",
    "Plan",
    "Points",
    "Selection",
    "Span",
    "box_parts",
    "from_ndsel",
    "normalize",
    "partial_cells",
    "parts",
    "plan",
    "resolve",
    "to_ndsel",
    "touched",
]
