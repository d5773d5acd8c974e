"""What :func:`anyzarr.info` tells of the archive that a node lies in."""

from __future__ import annotations

from dataclasses import dataclass

from anyzarr._validate._archive import archive_facts, archive_of
from anyzarr.abc import Store

__all__ = ["ArchiveInfo", "archive_info"]


@dataclass(frozen=True, slots=True)
class ArchiveInfo:
    """A zip archive, in the terms of RFC-9.

    Attributes
    ----------
    version
        The OME-Zarr version its comment says, or None.
    json_first
        Whether its comment says that no ``zarr.json`` follows the first other entry.
    is_json_first
        Whether that is so.
    is_ordered
        Whether ``zarr.json`` of the root comes first, and all others breadth-first after it.
    is_zip64
        Whether it is in the ZIP64 format.
    n_entries, n_documents
        Its entries, and ``zarr.json`` among them.
    n_duplicates
        Names that are there more than once.
    n_compressed
        Entries that are not stored as they are.
    n_arrays, n_sharded
        Its Zarr v3 arrays, and how many of them are sharded.
    """

    version: str | None
    json_first: bool
    is_json_first: bool
    is_ordered: bool
    is_zip64: bool
    n_entries: int
    n_documents: int
    n_duplicates: int
    n_compressed: int
    n_arrays: int
    n_sharded: int


def archive_info(store: Store) -> ArchiveInfo | None:
    """Return what is known of the archive that a store shows; None for every other store."""
    archive = archive_of(store)
    if archive is None:
        return None
    facts = archive_facts(archive)
    return ArchiveInfo(
        version=facts.comment_version,
        json_first=facts.claims_json_first,
        is_json_first=facts.is_json_first,
        is_ordered=facts.is_ordered,
        is_zip64=facts.is_zip64,
        n_entries=facts.n_entries,
        n_documents=len(facts.documents),
        n_duplicates=len(facts.duplicates),
        n_compressed=len(facts.compressed),
        n_arrays=facts.n_arrays,
        n_sharded=facts.n_arrays - len(facts.unsharded),
    )
