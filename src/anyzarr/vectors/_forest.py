"""Trees in depth-first order, so that most vertices follow their parent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._blobs import Ints

__all__ = ["Forest", "depth_first", "parents_of"]


@dataclass(frozen=True, eq=False)
class Forest:
    """Vertices of trees in an order in which each tree begins with its root.

    Attributes
    ----------
    order
        Vertices, depth first, tree after tree, of shape ``(N,)``.
    tree
        Number of the tree of each vertex, in the numbering of the vertices (not of the order).
    """

    order: Ints
    tree: Ints


def parents_of(edges: npt.NDArray[np.int64], n_vertices: int) -> Ints:
    """Return the parent of each vertex, -1 for a root, of ``[child, parent]`` edges.

    Raises
    ------
    MetadataError
        A vertex has two parents.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._forest import parents_of
    >>> parents_of(np.array([[1, 0], [2, 1]]), 3).tolist()
    [-1, 0, 1]
    """
    parent = np.full(n_vertices, -1, np.int64)
    parent[edges[:, 0]] = edges[:, 1]
    seen = np.bincount(edges[:, 0], minlength=n_vertices)
    if (seen > 1).any():
        child = int(np.flatnonzero(seen > 1)[0])
        raise MetadataError(
            f"vertex {child} of the skeleton has {int(seen[child])} parents: an edge of a skeleton "
            "is [child, parent], and a vertex has one parent at most; turn the edges round, or "
            'write it with kind="graph"',
            kind="skeleton",
        )
    return parent


def depth_first(parent: Ints) -> Forest:
    """Return the depth-first order of a forest, children in the order of their numbers.

    The order comes from the distance of each vertex to the end of the tour round the trees, which
    doubling steps find in ``log2(2 N)`` passes over all vertices.

    Parameters
    ----------
    parent
        Of each vertex, -1 for a root.

    Raises
    ------
    MetadataError
        Edges form a cycle.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._forest import depth_first
    >>> forest = depth_first(np.array([-1, 0, 0, 1, -1]))
    >>> forest.order.tolist(), forest.tree.tolist()
    ([0, 1, 3, 2, 4], [0, 0, 0, 0, 1])
    """
    n = len(parent)
    if not n:
        return Forest(np.empty(0, np.int64), np.empty(0, np.int64))
    after = _tour(parent)
    left = (np.arange(2 * n + 1) < n).astype(np.int64)
    for _ in range((2 * n).bit_length()):
        left += left[after]
        after = after[after]
    if (after != 2 * n).any():
        vertex = int(np.flatnonzero(after[:n] != 2 * n)[0])
        raise MetadataError(
            f"the edges of the skeleton form a cycle, for instance above vertex {vertex}: a "
            'skeleton is made of trees; write it with kind="graph"',
            kind="skeleton",
        )
    place = n - left[:n]
    order = np.empty(n, np.int64)
    order[place] = np.arange(n)
    tree = np.empty(n, np.int64)
    tree[order] = np.cumsum(parent[order] < 0) - 1
    return Forest(order, tree)


def _tour(parent: Ints) -> Ints:
    """Return what follows each step of the tour: ``v`` goes down to a vertex, ``n + v`` up again.

    The end, ``2 n``, follows the last way up and itself.
    """
    n = len(parent)
    after = np.empty(2 * n + 1, np.int64)
    after[:n] = np.arange(n) + n
    after[n : 2 * n] = np.where(parent < 0, 2 * n, parent + n)
    after[2 * n] = 2 * n
    siblings = np.argsort(parent, kind="stable")
    above = parent[siblings]
    leads = np.diff(above, prepend=-2) != 0
    first = siblings[leads & (above >= 0)]
    after[parent[first]] = first
    follow = np.flatnonzero(~leads)
    after[n + siblings[follow - 1]] = siblings[follow]
    return after
