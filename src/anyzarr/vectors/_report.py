"""What a validation of a vector store finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from anyzarr.errors import AnyzarrError

__all__ = ["VectorFinding", "VectorFindings", "VectorReport"]


@dataclass(frozen=True, slots=True, order=True)
class VectorFinding:
    """One broken rule.

    Attributes
    ----------
    path
        Of the group or array, relative to the store's root.
    rule
        A stable name, such as ``nonempty-chunks``.
    message
        The value, the rule, and the remedy.
    """

    path: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or '/'}: {self.message} [{self.rule}]"


@dataclass
class VectorFindings:
    """Collects findings."""

    errors: set[VectorFinding] = field(default_factory=set)
    warnings: set[VectorFinding] = field(default_factory=set)

    def error(self, path: str, rule: str, message: str) -> None:
        """Take note of what a reader would stumble over."""
        self.errors.add(VectorFinding(path, rule, message))

    def warning(self, path: str, rule: str, message: str) -> None:
        """Take note of what is odd and does no harm."""
        self.warnings.add(VectorFinding(path, rule, message))

    @contextmanager
    def caught(self, path: str, rule: str) -> Iterator[None]:
        """Make a finding of an error that looking at something raises."""
        try:
            yield
        except AnyzarrError as error:
            self.error(path, rule, error.message)


@dataclass(frozen=True, slots=True)
class VectorReport:
    """The verdict on a vector store.

    Attributes
    ----------
    location
        What was looked at.
    level
        How deep: 1 structure, 2 metadata, 3 consistency, 4 geometry, 5 levels of detail.
    n_vertices
        Vertices that were looked at.
    errors, warnings
        What was found, sorted by place.
    """

    location: str
    level: int
    n_vertices: int
    errors: tuple[VectorFinding, ...]
    warnings: tuple[VectorFinding, ...]

    @property
    def valid(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    ok = valid

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "valid": self.valid,
            "location": self.location,
            "level": self.level,
            "n_vertices": self.n_vertices,
            "errors": [_document(finding) for finding in self.errors],
            "warnings": [_document(finding) for finding in self.warnings],
        }


def _document(finding: VectorFinding) -> dict[str, str]:
    return {"path": finding.path, "rule": finding.rule, "message": finding.message}
