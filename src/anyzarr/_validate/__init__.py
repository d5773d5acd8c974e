"""Validation of OME-Zarr: attributes against the specification, hierarchies, and pixels."""

from anyzarr._validate._attributes import VERSIONS, validate_attributes
from anyzarr._validate._findings import ArchiveRule, Finding, ValidationReport
from anyzarr._validate._main import validate

__all__ = [
    "VERSIONS",
    "ArchiveRule",
    "Finding",
    "ValidationReport",
    "validate",
    "validate_attributes",
]
