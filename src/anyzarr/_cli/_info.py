"""``anyzarr info LOCATION``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from anyzarr._cli._console import print_json, stdout
from anyzarr._cli._options import JsonFlag, OpenOptions

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from anyzarr._info._read import Info

__all__ = ["info"]


def info(
    location: str,
    path: str = "",
    /,
    *,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"])] = False,
    json: JsonFlag = False,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Show what is at a location: an image, a plate, a well, labels, an array or a group.

    Parameters
    ----------
    location
        Path or URL.
    path
        Path of a node within it.
    verbose
        Look at every image of a plate, count what is stored (lists everything below), and tell
        what an .ozx is like as an archive.
    json
        Print JSON.
    """
    import anyzarr._info as library

    facts = library.info(
        location, path=path, stored=verbose, positions=verbose, **opening.keywords()
    )
    if json:
        print_json(facts.to_dict())
        return
    console = stdout()
    for part in _parts(facts, console):
        console.print(part)
    if facts.archive is not None:
        from anyzarr._cli._info_archive import archive

        for part in archive(facts.archive):
            console.print(part)


def _parts(facts: Info, console: Console) -> Iterable[RenderableType]:
    import anyzarr._info as library
    from anyzarr._cli import _info_image, _info_nodes, _info_plate, _info_vectors

    if isinstance(facts, library.ImageInfo):
        return _info_image.image(facts)
    if isinstance(facts, library.ArrayInfo):
        return _info_nodes.array(facts)
    if isinstance(facts, library.VectorsInfo):
        return _info_vectors.store(facts)
    if isinstance(facts, library.GroupInfo):
        return _info_nodes.group(facts)
    if isinstance(facts, library.PlateInfo):
        return _info_plate.plate(facts, console.width)
    if isinstance(facts, library.LabelsInfo):
        return _info_image.labels_of(facts)
    return _info_plate.collection(facts)
