"""Making fields of view: their arrays and documents, each encoded once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from anyzarr._nodes import Group
from anyzarr.abc import Store
from anyzarr.crud._batch import create_new_nodes
from anyzarr.errors import MetadataError
from anyzarr.metadata import GroupMetadata, group_document, parse_group
from anyzarr.ome._levels import ImageSpec
from anyzarr.ome._plate_layout import Spot
from anyzarr.ome._position import Position
from anyzarr.ome._versions import zarr_format_of
from anyzarr.stores import join

__all__ = ["Make", "NewFields", "PositionOptions"]

Document = Mapping[str, Any]
Make = Callable[[Sequence[tuple[str, Spot]]], list[Position]]
"""Writes fields of view, whole, to the paths given with them; returns handles, if it has them."""


@dataclass(frozen=True, slots=True)
class PositionOptions:
    """What new fields of view are to hold; see :meth:`anyzarr.ome.Plate.create_positions`."""

    shape: Sequence[int] | None = None
    dtype: Any = None
    name: str = "0"
    chunks: Sequence[int] | None = None
    shards: Sequence[int] | Literal[False] | None = None
    compressor: Any = None
    scale: Sequence[float] | None = None
    translation: Sequence[float] | None = None
    fill_value: Any = 0
    replace_leftovers: bool = False

    def __post_init__(self) -> None:
        if (self.shape is None) != (self.dtype is None):
            raise MetadataError("give both shape and dtype, for an array in each field, or neither")

    @property
    def key(self) -> str | None:
        """Equal for equal options; None where that cannot be told."""
        values = [getattr(self, name) for name in self.__dataclass_fields__]
        plain = (int, float, str, bool, np.dtype, type, type(None))
        for value in values:
            parts = value if isinstance(value, tuple | list) else (value,)
            if not all(isinstance(part, plain) for part in parts):
                return None
        return repr(values)

    def spec(self, position: Position) -> ImageSpec:
        """Return the image that a position is to hold."""
        shape = tuple(int(n) for n in self.shape or ())
        spec = ImageSpec(
            shape,
            np.dtype(self.dtype),
            position._axes_for(len(shape)),
            scale=_tuple(self.scale),
            translation=_tuple(self.translation),
            chunks=_tuple(self.chunks),
            shards=False if self.shards is False else _tuple(self.shards),
            compressor=self.compressor,
            fill_value=self.fill_value,
        )
        spec.check()
        return spec


def _tuple(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)


class NewFields:
    """Makes fields of view, with arrays without data where that is asked for.

    Parameters
    ----------
    store
        Where.
    version
        The OME-Zarr version to write.
    position
        Makes the handle of a position from its group.
    options
        What they hold.
    engine
        Of the groups.
    """

    def __init__(
        self,
        store: Store,
        version: str,
        position: Callable[[Group], Position],
        options: PositionOptions,
        engine: str | None = None,
    ) -> None:
        self._store = store
        self._position = position
        self._options = options
        self._engine = engine
        self._format = zarr_format_of(version)
        self._documents: dict[str, tuple[Document, GroupMetadata]] = {}
        self._below: list[tuple[str, Document]] = []
        self._encoded: dict[int, dict[str, bytes]] = {}

    def __call__(self, fields: Sequence[tuple[str, Spot]]) -> list[Position]:
        """Write them; return their handles, in this order."""
        nodes: list[tuple[str, Document]] = []
        positions = []
        for path, spot in fields:
            document, metadata = self._document(path, str(spot.field))
            nodes += [(join(path, name), below) for name, below in self._below]
            nodes.append((path, document))
            positions.append(self._position(Group(metadata, self._store, path, self._engine)))
        create_new_nodes(nodes, self._store, self._encoded)
        return positions

    def _document(self, path: str, name: str) -> tuple[Document, GroupMetadata]:
        """Return the document of a field; of all fields of one name the same object."""
        if name not in self._documents:
            document = group_document(zarr_format=self._format)
            if self._options.shape is not None:
                position = self._position(Group(parse_group(document), self._store, path))
                spec = self._options.spec(position)
                array = self._options.name
                if not self._below:
                    parents = [(parent, document) for parent in _parents(array)]
                    self._below = [*parents, (array, spec.document(self._format))]
                attributes = position._metadata_of(spec, array).to_attributes()
                document = group_document(zarr_format=self._format, attributes=attributes)
            self._documents[name] = document, parse_group(document)
        return self._documents[name]


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]
