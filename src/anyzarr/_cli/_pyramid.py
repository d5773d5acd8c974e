"""``anyzarr pyramid LOCATION``."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter, validators

from anyzarr._cli._console import stdout
from anyzarr._cli._format import count, extent
from anyzarr._cli._images import images_at
from anyzarr._cli._options import OpenOptions, UsageError
from anyzarr._cli._progress import progress_bar
from anyzarr._cli._pyramid_vectors import delete_levels, make_levels

__all__ = ["pyramid"]


def _check_factors(type_: object, values: tuple[str, ...]) -> None:
    for text in values:
        try:
            valid = all(float(part) > 0 for part in text.split(","))
        except ValueError:
            valid = False
        if not valid:
            raise ValueError(f"{text!r} is not one number above 0 per axis, such as 1,2,2")


def pyramid(
    location: str,
    /,
    *,
    levels: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    method: str | None = None,
    factors: Annotated[
        tuple[str, ...], Parameter(validator=_check_factors, consume_multiple=False)
    ] = (),
    delete: bool = False,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"])] = False,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Compute the resolution levels of an image, of every image of a plate, or of vectors.

    Parameters
    ----------
    location
        Path or URL of an OME-Zarr image, plate, well or series, or of a vector store.
    levels
        How many, level 0 included. Default: until the largest side is at most 256; of vectors
        until bins are chunks, of meshes until about 20,000 faces are left.
    method
        mean, median, mode, min, max, stride or gaussian. Default: mean, of labels mode. Of meshes
        decimate or bins.
    factors
        From one level to the next, one whole number per axis, such as 1,2,2; may be repeated for
        further levels. Default: y and x are halved, z once its voxels are as fine. Of vectors how
        much larger bins become, and the share of objects that is kept, such as 2,0.5.
    delete
        Remove all levels but the first.
    quiet
        Print nothing and show no progress.
    """
    if delete and (levels is not None or factors):
        raise UsageError("--delete takes no --levels and no --factors")
    if _is_vector_store(location, opening):
        keywords = _vector_keywords(opening)
        if delete:
            delete_levels(location, keywords, quiet=quiet)
        else:
            make_levels(
                location, keywords, levels=levels, method=method, factors=factors, quiet=quiet
            )
        return
    chosen = [_whole_numbers(text) for text in factors] or None
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


def _whole_numbers(text: str) -> tuple[int, ...]:
    if not all(part.isdigit() for part in text.split(",")):
        raise UsageError(f"--factors {text}: of images it is one whole number per axis")
    return tuple(map(int, text.split(",")))


def _is_vector_store(location: str, opening: OpenOptions) -> bool:
    import anyzarr
    from anyzarr.vectors import is_vector_store

    with anyzarr.open(location, mode="r", **opening.keywords()) as node:
        return is_vector_store(node.attrs)


def _vector_keywords(opening: OpenOptions) -> dict[str, Any]:
    """Return how to open a vector store, of which each array finds its engine."""
    if opening.engine is not None:
        raise UsageError("--engine is for images: leave it out")
    return {name: value for name, value in opening.keywords().items() if name != "engine"}
