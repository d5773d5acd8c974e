"""Zarr and N5, wherever they are stored, as sources of images."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from anyzarr._convert._changes import Changes, changed
from anyzarr._convert._fingerprint import fingerprint_of_store
from anyzarr._convert._target import Location, local_path
from anyzarr._url import parse_location
from anyzarr.abc import Store
from anyzarr.readers import ImageSource, open_n5, open_zarr

__all__ = ["StoreRef", "bdv_xml_beside", "name_of"]

_ENDINGS = (".ome", ".zarr", ".n5", ".ozx", ".zip")


@dataclass(frozen=True, slots=True)
class StoreRef:
    """How to open Zarr or N5 in a store, in another process or on another host.

    Attributes
    ----------
    kind
        Which of the two.
    store
        Where it is, at the root.
    name
        For a person; see :func:`name_of`.
    axes, changes
        Names of the axes, where they were given, and what is to be different.
    engine
        What decodes Zarr, or None.
    xml
        Of BigDataViewer, beside N5.
    """

    kind: Literal["zarr", "n5"]
    store: Store
    name: str
    axes: str | None = None
    changes: Changes = Changes()  # noqa: RUF009 - immutable
    engine: str | None = None
    xml: bytes | None = None

    @property
    def stem(self) -> str:
        """The name without its endings."""
        stem = self.name
        while stem.lower().endswith(_ENDINGS):
            stem = stem[: stem.rindex(".")]
        return stem or "image"

    def to_document(self) -> dict[str, Any]:
        """Return what a resumed conversion must have in common with the interrupted one."""
        return {"reader": self.kind, "axes": self.axes, "changes": self.changes.to_document()}

    def fingerprint(self, source: ImageSource) -> list[list[Any]]:
        """Return what tells whether the source has changed."""
        return fingerprint_of_store(self.store)

    def open(self) -> ImageSource:
        """Open it."""
        if self.kind == "n5":
            return changed(open_n5(self.store, axes=self.axes, xml=self.xml), self.changes)
        source = open_zarr(self.store, axes=self.axes, engine=self.engine)
        return changed(source, self.changes)


def name_of(location: Location) -> str:
    """Return the last part of the name of a location."""
    if not isinstance(location.value, str | os.PathLike):
        return "image"
    parsed = parse_location(location.value)
    return (parsed.node_path or parsed.base).rstrip("/").rpartition("/")[2]


def bdv_xml_beside(location: Location) -> bytes | None:
    """Return the XML that BigDataViewer writes beside a folder of N5, or None."""
    path = local_path(location.value)
    if path is None:
        return None
    for beside in (path.with_suffix(".xml"), Path(path.parent, "dataset.xml")):
        if beside.is_file():
            text = beside.read_bytes()
            if f">{path.name}<".encode() in text and b"<SpimData" in text:
                return text
    return None
