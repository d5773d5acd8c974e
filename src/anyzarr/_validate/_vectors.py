"""Vector stores, which have rules of their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from anyzarr import vectors
from anyzarr._nodes import Group
from anyzarr._validate._findings import Finding, Findings, ValidationReport
from anyzarr.abc import Store
from anyzarr.crud._parsed import find_node
from anyzarr.errors import AnyzarrError
from anyzarr.metadata import GroupMetadata
from anyzarr.ome import Image
from anyzarr.stores import join
from anyzarr.stores._shown import shown_root

__all__ = ["check_vectors_of", "vectors_report"]


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


def check_vectors_of(store: Store, image: str, findings: Findings, deep: bool) -> tuple[int, int]:
    """Look at the vector stores of an image; return how many nodes and chunks they have."""
    node = find_node(store, image, None)
    if not isinstance(node, GroupMetadata) or node.zarr_format != 3:
        return 0, 0
    folder = join(image, "vectors")
    try:
        names = Image(Group(node, store, image)).vector_names
    except AnyzarrError as error:
        findings.error(Finding(folder, "", "vectors-unreadable", error.message))
        return 0, 0
    reports = [_checked(store, join(folder, name), findings, deep) for name in names]
    known = [report for report in reports if report is not None]
    return sum(report.n_nodes for report in known), sum(report.n_chunks for report in known)


def _checked(store: Store, path: str, findings: Findings, deep: bool) -> ValidationReport | None:
    """Look at a vector store that an image lists; None where it cannot be looked at."""
    try:
        report = vectors_report(store, path, deep)
    except AnyzarrError as error:
        findings.error(Finding(path, "", "vectors-unreadable", error.message))
        return None
    if report is None:
        said = "there is no vector store, though the image lists it"
        findings.error(Finding(path, "", "vectors-missing", said))
        return None
    for found in report.errors:
        findings.error(replace(found, path=join(path, found.path)))
    for found in report.warnings:
        findings.warning(replace(found, path=join(path, found.path)))
    return report


def _findings(found: Iterable[vectors.VectorFinding]) -> tuple[Finding, ...]:
    return tuple(Finding(f.path, "", f.rule, f.message) for f in found)
