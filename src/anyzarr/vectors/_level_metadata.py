"""The attributes of a level's group, as a value.

Parsed once at the edge; what is not known is kept and written back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from anyzarr.vectors._fields import block, integer_of, numbers_of

__all__ = ["LevelMetadata"]

_LEVEL = "zarr_vectors_level"
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class LevelMetadata:
    """What a level says of itself.

    Attributes
    ----------
    level
        Its number; 0 is full resolution.
    vertex_count
        Vertices in it.
    arrays_present
        Families of arrays in it (``"vertices"``, ``"vertex_attributes"``, ``"links"``, …).
    chunk_shape
        Edge lengths of its chunks, whole multiples of the root's; None: the root's.
    fragments_tile
        Whether the fragments of each chunk are its vertices from the first to the last. False
        while a write is going on, and after one that was cut off.
    object_sparsity
        Share of the objects that the level keeps.
    coarsening_method, parent_level
        How it was made, and from which level.
    preserves_object_ids
        Whether objects have their ids of level 0.
    inherited_num_objects
        How many objects level 0 had, of which those that are left out keep an empty place.
    shared_fragments
        Whether one fragment may belong to several objects, or several times to one.
    chunk_attribute_name, chunk_attribute_values
        Of a level whose chunks are divided by an attribute too: its name, and its values by the
        first coordinate of a chunk.
    raw
        The attributes as stored.
    """

    level: int
    vertex_count: int = 0
    arrays_present: tuple[str, ...] = ("vertices",)
    chunk_shape: tuple[float, ...] | None = None
    fragments_tile: bool = False
    object_sparsity: float = 1.0
    coarsening_method: str = "none"
    parent_level: int | None = None
    preserves_object_ids: bool = False
    inherited_num_objects: int | None = None
    shared_fragments: bool = False
    chunk_attribute_name: str | None = None
    chunk_attribute_values: tuple[Any, ...] | None = None
    raw: Mapping[str, Any] = field(default_factory=lambda: _EMPTY, repr=False, compare=False)

    @classmethod
    def parse(cls, attributes: Mapping[str, Any], level: int = 0) -> LevelMetadata:
        """Return the metadata in a level group's attributes.

        Raises
        ------
        MetadataError
            They are not those of a level, or a field is wrong.
        """
        own = block(attributes, _LEVEL, "a level of a vector store")
        values = own.get("chunk_attribute_values")
        parent, inherited = own.get("parent_level"), own.get("inherited_num_objects")
        return cls(
            level=integer_of(own, "level", level),
            vertex_count=integer_of(own, "vertex_count", 0),
            arrays_present=tuple(str(name) for name in own.get("arrays_present") or ()),
            chunk_shape=numbers_of(own, "chunk_shape") if own.get("chunk_shape") else None,
            fragments_tile=own.get("fragments_tile") is True,
            object_sparsity=float(own.get("object_sparsity", 1.0)),
            coarsening_method=str(own.get("coarsening_method", "none")),
            parent_level=None if parent is None else integer_of(own, "parent_level", 0),
            preserves_object_ids=own.get("preserves_object_ids") is True,
            inherited_num_objects=inherited if isinstance(inherited, int) else None,
            shared_fragments=own.get("shared_fragments") is True,
            chunk_attribute_name=own.get("chunk_attribute_name"),
            chunk_attribute_values=None if values is None else tuple(values),
            raw=dict(attributes),
        )

    def attributes(self) -> dict[str, Any]:
        """Return the level group's attributes, with all that was read and is not known here."""
        raw = dict(self.raw)
        own: dict[str, Any] = {
            "level": self.level,
            "vertex_count": self.vertex_count,
            "arrays_present": list(self.arrays_present),
            "object_sparsity": self.object_sparsity,
            "coarsening_method": self.coarsening_method,
            "parent_level": self.parent_level,
            "fragments_tile": self.fragments_tile,
        }
        if self.chunk_shape is not None:
            own["chunk_shape"] = list(self.chunk_shape)
        if self.preserves_object_ids:
            own["preserves_object_ids"] = True
        if self.chunk_attribute_name is not None:
            own["chunk_attribute_name"] = self.chunk_attribute_name
            own["chunk_attribute_values"] = list(self.chunk_attribute_values or ())
        if self.inherited_num_objects is not None:
            own["inherited_num_objects"] = self.inherited_num_objects
        raw[_LEVEL] = {**raw.get(_LEVEL, {}), **own}
        return raw
