"""User attributes as a mutable mapping that writes through."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anyzarr._nodes._node import Node

__all__ = ["Attributes"]


class Attributes(MutableMapping[str, Any]):
    """The attributes of a node. Every change is written at once, atomically.

    A change starts from what is stored now, so that two handles on one node do not undo each
    other's changes. Values are what JSON holds; what is read is a copy, and changing it changes
    nothing until it is assigned.

    Examples
    --------
    >>> import anyzarr
    >>> group = anyzarr.create_group({})
    >>> group.attrs["microscope"] = "SPIM"
    >>> group.attrs.update(objective="20x", voxel_um=[2.0, 0.4, 0.4])
    >>> dict(group.attrs)
    {'microscope': 'SPIM', 'objective': '20x', 'voxel_um': [2.0, 0.4, 0.4]}
    """

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def __getitem__(self, name: str) -> Any:
        # Parsed metadata is shared between handles: what is given out is a copy.
        return copy.deepcopy(self._node.metadata.attributes[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._node.metadata.attributes)

    def __len__(self) -> int:
        return len(self._node.metadata.attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __delitem__(self, name: str) -> None:
        def without(stored: dict[str, Any]) -> dict[str, Any]:
            del stored[name]
            return stored

        self._node._change_attributes(without)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several attributes in one write."""
        changes = dict(*args, **kwargs)
        self._node._change_attributes(lambda stored: {**stored, **changes})

    def put(self, attributes: Mapping[str, Any]) -> None:
        """Replace all attributes in one write."""
        self._node._change_attributes(lambda _: dict(attributes))

    def clear(self) -> None:
        """Remove all attributes in one write."""
        self.put({})

    def asdict(self) -> dict[str, Any]:
        """Return a copy as a plain dict."""
        return copy.deepcopy(dict(self._node.metadata.attributes))

    def __repr__(self) -> str:
        return f"Attributes({self.asdict()!r})"
