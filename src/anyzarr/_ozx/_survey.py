"""What the documents of a hierarchy say about the archive that is made of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from anyzarr._ozx._order import Contents

__all__ = ["Survey", "is_sharded", "ome_version"]


class Survey:
    """Collects, from the documents that pass by on any thread, the comment and the warnings.

    Parameters
    ----------
    contents
        What goes into the archive.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._lock = threading.Lock()
        self._version: str | None = None
        self._unsharded: list[str] = []
        self._n_arrays = 0

    def see(self, key: str, text: bytes | memoryview) -> None:
        """Take note of a document."""
        folder, _, name = key.rpartition("/")
        if name == ".zarray":
            self._count(folder, sharded=False)
        if name not in {"zarr.json", ".zattrs"} or (name == ".zattrs" and folder):
            return
        try:
            document = json.loads(bytes(text))
        except (ValueError, RecursionError):
            return  # packed as it is; reading it is where it is reported
        if not isinstance(document, Mapping):
            return
        if not folder:
            self._version = ome_version(document)
        if document.get("node_type") == "array":
            self._count(folder, sharded=is_sharded(document))

    def _count(self, path: str, *, sharded: bool) -> None:
        with self._lock:
            self._n_arrays += 1
            if not sharded:
                self._unsharded.append(path)

    def comment(self) -> bytes:
        """Return the archive's comment; short, as some readers look at the last 4 KB only."""
        ome: dict[str, Any] = {} if self._version is None else {"version": self._version}
        if self._contents.zarr_format == 3:
            ome["zipFile"] = {"centralDirectory": {"jsonFirst": True}}
        return json.dumps({"ome": ome}).encode()

    def warnings(self, name: str) -> tuple[str, ...]:
        """Return what of RFC-9 is not met by an archive of this name, one sentence each."""
        found: list[str] = []
        if self._version is None:
            found.append("the root says no OME-Zarr version: RFC-9 is about OME-Zarr hierarchies")
        if self._contents.zarr_format == 2:
            found.append("the hierarchy is Zarr v2; RFC-9 is about v3, so few readers will open it")
        if self._unsharded:
            found.append(
                f"{len(self._unsharded)} of {self._n_arrays} arrays are not sharded "
                f"({_some(sorted(self._unsharded))}), which makes many small entries; RFC-9 "
                "recommends sharding"
            )
        if self._contents.strays:
            found.append(
                f"left out {len(self._contents.strays)} objects that belong to no hierarchy "
                f"({_some(self._contents.strays)})"
            )
        if not name.endswith(".ozx"):
            found.append(f"RFC-9 recommends a name that ends in '.ozx', and this is {name!r}")
        return tuple(found)


def _some(names: list[str] | tuple[str, ...]) -> str:
    listed = ", ".join(repr(name) for name in names[:3])
    return f"{listed}, …" if len(names) > 3 else listed


def is_sharded(document: Mapping[str, Any]) -> bool:
    """Return whether an array's document names the sharding codec."""
    codecs = document.get("codecs")
    return isinstance(codecs, list) and any(
        isinstance(codec, Mapping) and codec.get("name") == "sharding_indexed" for codec in codecs
    )


def ome_version(document: Mapping[str, Any]) -> str | None:
    """Return the OME-Zarr version a root document states: 0.5's place, else 0.4's."""
    attributes = document.get("attributes", document)
    if not isinstance(attributes, Mapping):
        return None
    candidates: list[Any] = [attributes.get("ome"), attributes.get("plate")]
    multiscales = attributes.get("multiscales")
    if isinstance(multiscales, list):
        candidates += multiscales[:1]
    for candidate in candidates:
        if isinstance(candidate, Mapping) and isinstance(candidate.get("version"), str):
            return str(candidate["version"])
    return None
