"""``validate``: an OME-Zarr hierarchy against its specification."""

from __future__ import annotations

from typing import Any

from anyzarr._nodes import locate
from anyzarr._parallel import map_ordered
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr._validate._archive_rules import check_archive, check_embedded, split_archive
from anyzarr._validate._findings import ArchiveRule, Findings, ValidationReport
from anyzarr._validate._hierarchy import Walk
from anyzarr._validate._levels import Pyramid
from anyzarr._validate._pixels import Pixels
from anyzarr._validate._vectors import check_vectors_of, vectors_report
from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError, UnsupportedError
from anyzarr.stores._shown import shown_root
from anyzarr.stores._zip_directory import SPLIT

__all__ = ["validate"]


def validate(
    location: Any,
    *,
    path: str = "",
    deep: bool = False,
    engine: str | None = None,
    backend: str | None = None,
    progress: ProgressCallback | None = None,
    **backend_kwargs: Any,
) -> ValidationReport:
    """Check an OME-Zarr image, plate, well, label or series against the specification.

    One that lies in a zip archive is checked against RFC-9 as well. A vector store is checked
    as :func:`anyzarr.vectors.validate` does: its metadata, or with ``deep`` everything; so are
    those of images.

    Parameters
    ----------
    location
        A path, URL, ``.ozx``, live store, dict, or an open node.
    path
        Of the group within the location.
    deep
        Look at the pixels too: every stored chunk decodes and its checksum holds; levels agree
        in dtype, scale and shape; each level is the one before it made smaller by the method
        the image names; channels fit their axis. This reads everything.
    engine
        What decodes the chunks; default the first that can.
    backend, **backend_kwargs
        As for :func:`anyzarr.open`.
    progress
        Told how far a deep validation is.

    Returns
    -------
    ValidationReport
        ``valid``, and the broken rules with their place, rule and remedy: ``errors`` (MUST) and
        ``warnings`` (SHOULD). It reads 0.1 to 0.6.

    Raises
    ------
    NodeNotFoundError
        There is no Zarr node there.
    StoreError
        The location cannot be used.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> store = {}
    >>> with anyzarr.open_ome_zarr(store, mode="w", axes="yx") as image:
    ...     _ = image.create_image("0", np.ones((600, 600), "uint8"), scale=(0.5, 0.5))
    ...     image.compute_pyramid()
    >>> anyzarr.validate(store, deep=True).valid
    True
    """
    findings = Findings()
    try:
        store, path = locate(location, path, backend, backend_kwargs)
        pixels = Pixels(store, engine, Tracker(progress))
        return _validated(store, path, deep, pixels, findings)
    except UnsupportedError as error:
        if error.kind != SPLIT:
            raise
        rules = split_archive(error, findings)
        return _of_archive(error.store or "", deep, findings, rules)


def _of_archive(
    location: str, deep: bool, findings: Findings, rules: tuple[ArchiveRule, ...]
) -> ValidationReport:
    """Return the verdict on an archive that holds no hierarchy that can be opened."""
    errors, warnings = findings.errors, findings.warnings
    return ValidationReport(location, None, ("archive",), deep, 0, 0, errors, warnings, rules)


def _validated(
    store: Store, path: str, deep: bool, pixels: Pixels, findings: Findings
) -> ValidationReport:
    images: list[tuple[Pyramid, Any, bool]] = []

    def look(pyramid: Pyramid, omero: Any, is_label: bool) -> None:
        images.append((pyramid, omero, is_label))

    walk = Walk(store, findings, look)
    try:
        if (report := vectors_report(store, path, deep)) is not None:
            return report
        described = walk.root(path)
    except AnyzarrError:
        rules = check_archive(store, findings)
        if path or not findings.errors:
            raise
        return _of_archive(shown_root(store), deep, findings, rules)
    below = map_ordered(lambda at: check_vectors_of(store, at, findings, deep), walk.images)
    check_embedded(store, path, findings)
    rules = () if path else check_archive(store, findings)
    if deep:
        for pyramid, omero, is_label in images:
            pixels.look(pyramid, omero, is_label=is_label)
    return ValidationReport(
        location=shown_root(store),
        version=described.version,
        kinds=described.kinds,
        deep=deep,
        n_nodes=walk.n_nodes + sum(n for n, _ in below),
        n_chunks=pixels.n_chunks + sum(n for _, n in below),
        errors=findings.errors,
        warnings=findings.warnings,
        archive=rules,
    )
