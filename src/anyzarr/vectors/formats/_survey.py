"""What is found out of the parts of a file by reading all of them once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._attributes import code_type
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import Bounds

__all__ = ["Survey"]


@dataclass(eq=False)
class Survey:
    """What holds for all parts together; parts are added one by one.

    Attributes
    ----------
    n_parts, n_vertices
        Their numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._geometry import Geometry
    >>> from anyzarr.vectors.formats._survey import Survey
    >>> survey = Survey()
    >>> for size in (1, 0.5):
    ...     survey.add(Geometry(np.zeros((1, 2)), {"size": np.array([size])}))
    >>> whole = Geometry(np.zeros((1, 2)), {"size": np.array([1])})
    >>> survey.n_vertices, survey.applied(whole).vertex_attributes["size"].tolist()
    (2, [1.0])
    """

    n_parts: int = 0
    n_vertices: int = 0
    _low: Any = None
    _high: Any = None
    _kinds: dict[str, np.dtype[Any]] = field(default_factory=dict)
    _texts: dict[str, set[Any]] = field(default_factory=dict)

    def add(self, part: Geometry) -> None:
        """Look at one more part."""
        self.n_parts += 1
        self.n_vertices += part.n_vertices
        if part.n_vertices:
            low, high = part.positions.min(axis=0), part.positions.max(axis=0)
            self._low = low if self._low is None else np.minimum(self._low, low)
            self._high = high if self._high is None else np.maximum(self._high, high)
        for name, column in part.vertex_attributes.items():
            if column.dtype.kind not in "UTO":
                known = self._kinds.get(name, column.dtype)
                self._kinds[name] = np.result_type(known, column.dtype)
            elif column.ndim == 1:
                self._texts.setdefault(name, set()).update(column.tolist())

    @property
    def bounds(self) -> Bounds | None:
        """Lower and upper corner; None: there are no vertices."""
        if self._low is None:
            return None
        return tuple(self._low.tolist()), tuple(self._high.tolist())

    @property
    def text_codes(self) -> Mapping[str, np.dtype[Any]]:
        """By attribute of text, a type of codes that holds the values of all parts."""
        return {
            name: code_type(len(texts - {None}), has_missing=None in texts)
            for name, texts in self._texts.items()
        }

    def applied(self, part: Geometry) -> Geometry:
        """Return a part with attributes of the types that hold the values of all parts."""
        columns: dict[str, npt.NDArray[Any]] = {
            name: column.astype(self._kinds[name], copy=False) if name in self._kinds else column
            for name, column in part.vertex_attributes.items()
        }
        return replace(part, vertex_attributes=columns, text_codes=self.text_codes)
