"""``anyzarr pyramid LOCATION``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter, validators

from anyzarr._cli._console import stdout
from anyzarr._cli._format import count, extent
from anyzarr._cli._images import images_at
from anyzarr._cli._options import OpenOptions, UsageError
from anyzarr._cli._progress import progress_bar

__all__ = ["pyramid"]


def _check_factors(type_: object, values: tuple[str, ...]) -> None:
    for text in values:
        if not all(part.isdigit() and int(part) > 0 for part in text.split(",")):
            raise ValueError(f"{text!r} is not one whole number per axis, such as 1,2,2")


def pyramid(
    location: str,
    /,
    *,
    levels: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    method: str = "mean",
    factors: Annotated[
        tuple[str, ...], Parameter(validator=_check_factors, consume_multiple=False)
    ] = (),
    delete: bool = False,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"])] = False,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Compute the resolution levels of an image, or of every image of a plate, from level 0.

    Parameters
    ----------
    location
        Path or URL of an OME-Zarr image, plate, well or series.
    levels
        How many, level 0 included. Default: until the largest side is at most 256.
    method
        mean, median, mode, min, max, stride or gaussian; mode suits labels.
    factors
        From one level to the next, one whole number per axis, such as 1,2,2; may be repeated for
        further levels. Default: y and x are halved, z once its voxels are as fine.
    delete
        Remove all levels but the first.
    quiet
        Print nothing and show no progress.
    """
    chosen = [tuple(int(part) for part in text.split(",")) for text in factors] or None
    if delete and (levels is not None or chosen is not None):
        raise UsageError("--delete takes no --levels and no --factors")
    with images_at(location, "r+", opening) as images:
        for path, image in images:
            if delete:
                image.delete_pyramid()
            else:
                with progress_bar(enabled=not quiet) as progress:
                    image.compute_pyramid(levels, method, chosen, progress=progress)
            if not quiet:
                shapes = ", ".join(extent(level.shape) for level in image.levels)
                text = f"{path}: " if path else ""
                stdout().print(f"{text}{count(len(image), 'level')}: {shapes}", markup=False)
