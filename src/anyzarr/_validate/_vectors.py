"""Vector stores, which have rules of their own."""

from __future__ import annotations

from collections.abc import Iterable

from anyzarr import vectors
from anyzarr._nodes import Group
from anyzarr._validate._findings import Finding, ValidationReport
from anyzarr.abc import Store
from anyzarr.crud._parsed import find_node
from anyzarr.metadata import GroupMetadata
from anyzarr.stores._shown import shown_root

__all__ = ["vectors_report"]


def vectors_report(store: Store, path: str, deep: bool) -> ValidationReport | None:
    """Return the verdict on a vector store; None where there is none at the path."""
    node = find_node(store, path, None)
    if not isinstance(node, GroupMetadata) or not vectors.is_vector_store(node.attributes):
        return None
    root = Group(node, store, path)
    report = vectors.validate(root, 5 if deep else 2)
    metadata = vectors.RootMetadata.parse(node.attributes)
    return ValidationReport(
        location=shown_root(store),
        version=None,
        kinds=(f"vector store {metadata.zv_version}", *metadata.geometry_types),
        deep=deep,
        n_nodes=sum(1 for _ in root.tree().walk()),
        n_chunks=sum(level.chunk_count for level in vectors.store_info(root).levels) * deep,
        errors=_findings(report.errors),
        warnings=_findings(report.warnings),
    )


def _findings(found: Iterable[vectors.VectorFinding]) -> tuple[Finding, ...]:
    return tuple(Finding(f.path, "", f.rule, f.message) for f in found)
