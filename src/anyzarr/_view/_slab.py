"""The part of shapes that lies between two parallel planes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from anyzarr._view._shapes import Shapes

__all__ = ["in_slab"]

Ints = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]


def in_slab(shapes: Shapes, column: int, span: tuple[float, float]) -> Shapes:
    """Return what of shapes lies between two values along one axis.

    Of segments the part between them; faces become the segments in which the plane in the middle
    cuts them; vertices that are left belong to none of these.

    Parameters
    ----------
    shapes
        Dots, segments and faces.
    column
        The axis.
    span
        Both values; what is at them is kept.

    Examples
    --------
    >>> import numpy as np
    >>> none = np.empty((0, 3), np.int64)
    >>> line = np.array([[0.0, 0.0], [10.0, 10.0]])
    >>> owner = np.zeros(2, np.int64)
    >>> part = in_slab(Shapes(line, np.array([[0, 1]]), none, owner, {}), 1, (4, 6))
    >>> part.positions[part.segments[0]].tolist()
    [[4.0, 4.0], [6.0, 6.0]]
    """
    low, high = min(span), max(span)
    dots = shapes.loose
    along = shapes.positions[dots, column]
    dots = dots[(along >= low) & (along <= high)]
    ends, nearest = _segments_within(shapes, column, low, high)
    cuts, corners = _faces_cut(shapes, column, (low + high) / 2)
    vertices = np.concatenate([dots, nearest.reshape(-1), corners.reshape(-1)])
    positions = [shapes.positions[dots], ends, cuts]
    n_dots, n_ends = len(dots), nearest.size + corners.size
    return Shapes(
        positions=np.concatenate(
            [part.reshape(-1, shapes.positions.shape[1]) for part in positions]
        ),
        segments=n_dots + np.arange(n_ends, dtype=np.int64).reshape(-1, 2),
        faces=np.empty((0, 3), np.int64),
        owner=shapes.owner[vertices],
        columns={name: values[vertices] for name, values in shapes.columns.items()},
    )


def _segments_within(shapes: Shapes, column: int, low: float, high: float) -> tuple[Float, Ints]:
    """Return both ends of the parts of segments, and the vertex that each was."""
    ends = shapes.positions[shapes.segments]
    begin, step = ends[:, 0, column], ends[:, 1, column] - ends[:, 0, column]
    moves = step != 0
    divisor = np.where(moves, step, 1.0)
    at = np.sort(np.stack([(low - begin) / divisor, (high - begin) / divisor]), axis=0)
    is_in = (begin >= low) & (begin <= high)
    first = np.where(moves, np.maximum(at[0], 0.0), np.where(is_in, 0.0, 2.0))
    last = np.where(moves, np.minimum(at[1], 1.0), 1.0)
    kept = first <= last
    along = np.stack([first, last], axis=1)[kept][:, :, None]
    found = ends[kept][:, :1] + (ends[kept][:, 1:] - ends[kept][:, :1]) * along
    return found, shapes.segments[kept]


def _faces_cut(shapes: Shapes, column: int, value: float) -> tuple[Float, Ints]:
    """Return both ends of the segments in which a plane cuts faces, and a vertex near each."""
    corners = shapes.positions[shapes.faces]
    above = corners[:, :, column] > value
    cut = (above.any(axis=1)) & (~above.all(axis=1))
    corners, above, faces = corners[cut], above[cut], shapes.faces[cut]
    # The corner that lies alone on its side: both edges to it are cut.
    alone = np.argmax(above == (above.sum(axis=1) == 1)[:, None], axis=1)
    rows = np.arange(len(faces))
    tip = corners[rows, alone]
    found, nearest = [], []
    for other in ((alone + 1) % 3, (alone + 2) % 3):
        base = corners[rows, other]
        share = (value - tip[:, column]) / (base[:, column] - tip[:, column])
        found.append(tip + (base - tip) * share[:, None])
        nearest.append(faces[rows, np.where(share < 0.5, alone, other)])
    return np.stack(found, axis=1), np.stack(nearest, axis=1)
