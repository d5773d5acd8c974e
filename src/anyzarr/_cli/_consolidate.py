"""``anyzarr consolidate LOCATION``."""

from __future__ import annotations

from anyzarr._cli._console import stdout
from anyzarr._cli._format import count
from anyzarr._cli._options import OpenOptions

__all__ = ["consolidate"]


def consolidate(
    location: str,
    path: str = "",
    /,
    *,
    check: bool = False,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> int:
    """Write the metadata of a whole hierarchy into its top, so that one request opens it.

    Parameters
    ----------
    location
        Path or URL of a group.
    path
        Path of a group within it.
    check
        Change nothing; tell what is out of date. Exit 0: nothing, 1: something, or there is no
        consolidated metadata.
    """
    import anyzarr
    from anyzarr import crud

    options = opening.keywords()
    if not check:
        group = anyzarr.open_group(location, path=path, mode="r+", **options)
        n = crud.consolidate_metadata(group.store, group.path)
        stdout().print(f"consolidated {count(n, 'node')}", markup=False)
        return 0
    group = anyzarr.open_group(location, path=path, mode="r", **options)
    differing = crud.consolidated_differences(group.store, group.path)
    if differing is None:
        stdout().print("there is no consolidated metadata")
        return 1
    for name in differing:
        stdout().print(f"out of date: {name}", markup=False)
    if not differing:
        stdout().print("the consolidated metadata is up to date")
    return int(bool(differing))
