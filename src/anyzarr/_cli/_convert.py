"""``anyzarr convert SOURCE TARGET``."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from anyzarr._cli._console import print_json, stdout
from anyzarr._cli._options import JsonFlag
from anyzarr._cli._progress import progress_bar

__all__ = ["convert"]


def _check_extents(type_: Any, text: str | None) -> None:
    parts = [] if text is None else text.split(",")
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"{text!r} is not a list of whole numbers such as 1,512,512")


_Extents = Annotated[str | None, Parameter(validator=_check_extents)]


def convert(
    source: str,
    target: str,
    /,
    *,
    overwrite: bool = False,
    chunks: _Extents = None,
    shards: _Extents = None,
    levels: int | None = None,
    method: str | None = None,
    engine: str | None = None,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"])] = False,
    json: JsonFlag = False,
) -> None:
    """Convert an image to OME-Zarr, or between a folder and an .ozx.

    Parameters
    ----------
    source
        A TIFF or OME-TIFF, an OME-Zarr image, or an .ozx.
    target
        Where to write: a folder or URL, or a name ending in .ozx.
    overwrite
        Replace what is at the target.
    chunks
        Chunk shape, one number per axis, such as 1,512,512.
    shards
        Shard shape, one number per axis.
    levels
        Number of resolution levels. Default: until the largest side is at most 256.
    method
        How levels are made smaller, such as mean.
    engine
        What encodes the chunks.
    quiet
        Print nothing when it worked, and show no progress.
    json
        Print JSON.
    """
    from anyzarr._convert import convert as library_convert

    given = {
        "chunks": _extents(chunks),
        "shards": _extents(shards),
        "levels": levels,
        "method": method,
    }
    options = {name: value for name, value in given.items() if value is not None}
    with progress_bar(enabled=not quiet) as progress:
        report = library_convert(
            source, target, overwrite=overwrite, engine=engine, progress=progress, **options
        )
    if json:
        print_json(report.to_dict())
    elif not quiet:
        stdout().print(str(report), markup=False, soft_wrap=True)


def _extents(text: str | None) -> tuple[int, ...] | None:
    return None if text is None else tuple(int(part) for part in text.split(","))
