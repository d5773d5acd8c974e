"""Links on disk: the names of their arrays, their cells, and the order of a link's vertices.

A link is kept in the cell of its source vertex, in the array that is named after the chunk offsets
from the source to its other vertices. Where the source may be any of a link's vertices, a number
(the Lehmer code of the permutation) says in which order they were given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Ragged
from anyzarr.errors import CorruptDataError
from anyzarr.vectors._blobs import Ints, Origin, index_ranges, read_at, starts_of, write_at
from anyzarr.vectors._take import take_runs

__all__ = [
    "LinkFamily",
    "decode_inline",
    "encode_inline",
    "offsets_name",
    "parse_offsets_name",
    "permutation_codes",
    "permutations_of",
]

MOST_VERTICES: Final = 20
"""Vertices of a link beyond which the code of their order does not fit into 64 bits."""

_SELF = "self"


@dataclass(frozen=True)
class LinkFamily:
    """What all arrays of links between two levels have in common.

    Attributes
    ----------
    width
        Vertices of a link: 2 an edge, 3 a triangle, 1 a reference to a parent.
    ndim
        Number of coordinates of a cell.
    delta
        Number of the other level, less that of this one; 0 for links within the level.
    directed
        Whether the first vertex of a link is always its source.
    duplicate
        Whether a link is stored once in each cell that it touches (``store: "duplicate"``).

    Examples
    --------
    >>> from anyzarr.vectors._links import LinkFamily
    >>> family = LinkFamily(width=3, ndim=2)
    >>> family.path, family.has_order(is_intra=True), family.has_order(is_intra=False)
    ('links/0', False, True)
    """

    width: int
    ndim: int
    delta: int = 0
    directed: bool = False
    duplicate: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MOST_VERTICES:
            raise CorruptDataError(
                f"links of {self.width} vertices are not supported: from 1 to {MOST_VERTICES} are",
                path=self.path,
            )

    @classmethod
    def parse(cls, attributes: Any, path: str) -> LinkFamily:
        """Return the family that the attributes of a ``links/<delta>`` group describe.

        Raises
        ------
        CorruptDataError
            A field is missing or wrong.
        """
        try:
            return cls(
                width=int(attributes["link_width"]),
                ndim=int(attributes["sid_ndim"]),
                delta=int(attributes.get("level_delta", 0)),
                directed=bool(attributes.get("directed", False)),
                duplicate=attributes.get("store", "canonical") == "duplicate",
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptDataError(
                f"the attributes of {path!r} do not say how its links are stored ({error!r}): they "
                "need 'link_width' and 'sid_ndim'; restore them from a copy",
                path=path,
            ) from error

    @property
    def path(self) -> str:
        """Path of the group below the level's."""
        return f"links/{_signed(self.delta)}"

    def has_order(self, *, is_intra: bool) -> bool:
        """Return whether rows begin with the code of the order of their vertices."""
        return not is_intra and self.delta == 0 and (self.duplicate or not self.directed)

    def attributes(self, n_links: int, n_records: int | None = None) -> dict[str, Any]:
        """Return the attributes of the group."""
        return {
            "zv_array": "links_family",
            "level_delta": self.delta,
            "link_width": self.width,
            "sid_ndim": self.ndim,
            "directed": self.directed,
            "store": "duplicate" if self.duplicate else "canonical",
            "num_links": n_links,
            "num_physical_records": n_links if n_records is None else n_records,
        }


def _signed(number: int) -> str:
    return f"{number:+d}" if number else "0"


def offsets_name(offsets: npt.NDArray[Any]) -> str:
    """Return the name of the array for links with these chunk offsets.

    Parameters
    ----------
    offsets
        From the source's chunk to that of each other vertex, of shape ``(width - 1, ndim)``.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._links import offsets_name
    >>> offsets_name(np.array([[0, 0, 1], [0, -1, 0]]))
    '0.0.+1_0.-1.0'
    """
    if not len(offsets):
        return _SELF
    return "_".join(".".join(map(_signed, offset)) for offset in offsets.tolist())


def parse_offsets_name(name: str, family: LinkFamily) -> Ints:
    """Return the chunk offsets that the name of an array stands for.

    Raises
    ------
    CorruptDataError
        The name is not one that :func:`offsets_name` makes for such a family.
    """
    shape = (family.width - 1, family.ndim)
    try:
        parts = [] if name == _SELF else [part.split(".") for part in name.split("_")]
        offsets = np.array(parts, dtype=object).astype(np.int64).reshape(shape)
    except (ValueError, OverflowError):
        offsets = None
    if offsets is None or offsets_name(offsets) != name:
        raise CorruptDataError(
            f"{name!r} in {family.path!r} does not name chunk offsets of links of {family.width} "
            f"vertices in {family.ndim} dimensions (such as "
            f"{offsets_name(np.ones(shape, np.int64))!r}); remove or rename it",
            path=f"{family.path}/{name}",
        )
    return offsets


def encode_inline(rows: Ragged) -> Ragged:
    """Return cells as arrays of links between chunks hold them: each with one group of rows.

    A cell is an i64 number of groups, the i64 byte offset of each, and the rows; a cell without
    rows is empty.

    Examples
    --------
    >>> from anyzarr.abc import Ragged
    >>> from anyzarr.vectors._links import decode_inline, encode_inline
    >>> cells = encode_inline(Ragged.of([b"12345678", b""]))
    >>> cells.lengths.tolist(), decode_inline(cells).to_list()
    ([24, 0], [b'12345678', b''])
    """
    held = np.flatnonzero(rows.lengths)
    lengths = np.where(rows.lengths > 0, rows.lengths + 16, 0)
    offsets = starts_of(lengths)
    data = np.zeros(int(offsets[-1]), np.uint8)
    write_at(data, offsets[held], np.ones(held.size, np.int64), "<i8")
    data[index_ranges(offsets[held] + 16, rows.lengths[held])] = rows.data
    return Ragged(data, offsets)


def decode_inline(blobs: Ragged, origin: Origin | None = None) -> Ragged:
    """Return the rows of cells of links between chunks, group after group.

    Raises
    ------
    CorruptDataError
        The groups of a cell do not lie in it one after the other.
    """
    if not blobs.data.size:
        return blobs
    origin = origin or Origin()
    begin, held = blobs.offsets[:-1], blobs.lengths > 0
    origin.refuse(held & (blobs.lengths < 8), "has no number of groups")
    groups = np.zeros(len(blobs), np.int64)
    groups[held] = read_at(blobs.data, begin[held], "<i8")
    beyond = (groups < 0) | (groups > np.maximum(blobs.lengths - 8, 0) // 8)
    origin.refuse(beyond, "has no room for its number of groups")
    header = np.where(held, 8 * (1 + groups), 0)
    size = blobs.lengths - header
    owner = np.repeat(np.arange(len(blobs)), groups)
    number = index_ranges(np.zeros_like(groups), groups)
    start = read_at(blobs.data, begin[owner] + 8 * (1 + number), "<i8").astype(np.int64)
    bad = (groups == 0) & (size > 0)
    bad[owner[(start < 0) | (start > size[owner]) | ((number == 0) & (start != 0))]] = True
    bad[owner[1:][(np.diff(start) < 0) & (number[1:] > 0)]] = True
    origin.refuse(bad, "has groups that do not lie one after the other")
    return Ragged.from_lengths(take_runs(blobs.data, begin + header, size), size)


def permutation_codes(order: npt.NDArray[Any]) -> Ints:
    """Return the Lehmer code of each permutation of ``0 … n - 1``.

    Parameters
    ----------
    order
        Permutations, of shape ``(m, n)``.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._links import permutation_codes, permutations_of
    >>> permutation_codes(np.array([[0, 1, 2], [2, 1, 0]])).tolist()
    [0, 5]
    >>> permutations_of(np.array([5, 3]), 3).tolist()
    [[2, 1, 0], [1, 2, 0]]
    """
    width = order.shape[1]
    codes = np.zeros(len(order), np.int64)
    for i in range(width - 1):
        smaller = (order[:, i + 1 :] < order[:, i : i + 1]).sum(axis=1)
        codes += smaller * math.factorial(width - 1 - i)
    return codes


def permutations_of(codes: npt.NDArray[Any], width: int) -> Ints:
    """Return the permutations of these Lehmer codes, which lie in ``[0, width!)``.

    The inverse of :func:`permutation_codes`; the result has the shape ``(m, width)``.
    """
    order = np.zeros((len(codes), width), np.int64)
    left = np.asarray(codes, np.int64)
    for i in range(width - 1):
        order[:, i], left = np.divmod(left, math.factorial(width - 1 - i))
    for i in range(width - 2, -1, -1):
        order[:, i + 1 :] += order[:, i + 1 :] >= order[:, i : i + 1]
    return order
