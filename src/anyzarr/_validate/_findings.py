"""What a validation finds, and where."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["ArchiveRule", "Finding", "Findings", "ValidationReport"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One broken rule.

    Attributes
    ----------
    path
        Of the node in the hierarchy; the empty string for the root.
    where
        In the node's attributes, as ``ome.multiscales[0].axes``; or the key of a chunk.
    rule
        A stable name, such as ``axes-order``.
    message
        The value, the rule, and the remedy.
    """

    path: str
    where: str
    rule: str
    message: str

    def to_dict(self) -> dict[str, str]:
        """Return it for JSON."""
        return {
            "path": self.path,
            "where": self.where,
            "rule": self.rule,
            "message": self.message,
        }

    def __str__(self) -> str:
        place = " ".join(part for part in (self.path or "/", self.where) if part)
        return f"{place}: {self.message} [{self.rule}]"


class Findings:
    """Collects findings, from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._errors: set[Finding] = set()
        self._warnings: set[Finding] = set()

    def error(self, finding: Finding) -> None:
        """Take note of a broken MUST."""
        with self._lock:
            self._errors.add(finding)

    def warning(self, finding: Finding) -> None:
        """Take note of a broken SHOULD."""
        with self._lock:
            self._warnings.add(finding)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Broken MUSTs, sorted by place."""
        return tuple(sorted(self._errors))

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Broken SHOULDs, sorted by place."""
        return tuple(sorted(self._warnings))


@dataclass(frozen=True, slots=True)
class ArchiveRule:
    """A rule of RFC-9, and whether an archive meets it.

    Attributes
    ----------
    rule
        Its name, as in :attr:`Finding.rule`.
    demand
        ``MUST`` or ``SHOULD``.
    says
        What it asks, in a few words.
    met
        Whether that is so.
    """

    rule: str
    demand: str
    says: str
    met: bool

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"rule": self.rule, "demand": self.demand, "says": self.says, "met": self.met}


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """The verdict on a location.

    Attributes
    ----------
    location
        What was looked at.
    version
        The OME-Zarr version it says it is, or None where it says nothing.
    kinds
        What was found, such as ``("plate",)`` or ``("image",)``.
    deep
        Whether the pixels were looked at.
    n_nodes, n_chunks
        How many groups and arrays were looked at, and how many chunks were decoded.
    errors, warnings
        Broken MUSTs and SHOULDs.
    archive
        The rules of RFC-9, met and broken, for what lies in a zip archive.
    """

    location: str
    version: str | None
    kinds: tuple[str, ...]
    deep: bool
    n_nodes: int
    n_chunks: int
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    archive: tuple[ArchiveRule, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether no MUST is broken."""
        return not self.errors

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "valid": self.valid,
            "location": self.location,
            "version": self.version,
            "kinds": list(self.kinds),
            "deep": self.deep,
            "n_nodes": self.n_nodes,
            "n_chunks": self.n_chunks,
            "errors": _documents(self.errors),
            "warnings": _documents(self.warnings),
            "archive": [rule.to_dict() for rule in self.archive],
        }


def _documents(findings: Iterable[Finding]) -> list[dict[str, str]]:
    return [finding.to_dict() for finding in findings]
