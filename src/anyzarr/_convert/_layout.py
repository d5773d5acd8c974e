"""Where the images of a source go in the hierarchy, and the groups around them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from anyzarr import crud
from anyzarr.abc import Store
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata import group_document
from anyzarr.ome import (
    FieldOfView,
    PlateLayout,
    PlateMetadata,
    SeriesMetadata,
    Spot,
    WellMetadata,
    zarr_format_of,
)
from anyzarr.readers import ImageSource, SourceImage, refuse_series

__all__ = ["Layout", "LayoutKind", "Placed", "lay_out"]

LayoutKind: TypeAlias = Literal["image", "series", "plate", "split"]
_SIDECAR = "OME"
_MOST_WARNINGS = 12


@dataclass(frozen=True, slots=True)
class Placed:
    """An image and where it goes.

    Attributes
    ----------
    index
        Its number in the source.
    path
        Of its group.
    image
        What the source says of it.
    """

    index: int
    path: str
    image: SourceImage


@dataclass(frozen=True, slots=True)
class Layout:
    """The images that are converted, and the hierarchy that holds them.

    Attributes
    ----------
    kind
        ``image``: the image is the root. ``series``: the layout of bioformats2raw, ``0``, ``1``,
        … . ``plate``: wells and fields of view.
    images
        In the order they are written.
    warnings
        What was left out, one sentence each.
    """

    kind: LayoutKind
    images: tuple[Placed, ...]
    warnings: tuple[str, ...] = ()

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """What is to be said of the layout and its images."""
        several = len(self.images) > 1
        said = [
            f"{placed.path}: {warning}" if several else warning
            for placed in self.images
            for warning in placed.image.warnings
        ]
        if len(said) > _MOST_WARNINGS:
            rest = len(said) - _MOST_WARNINGS
            said = [*said[:_MOST_WARNINGS], f"and {rest} more warnings about the other images"]
        return (*self.warnings, *said)

    def write_groups(self, store: Store, version: str, documents: Mapping[str, bytes]) -> None:
        """Write the groups around the images and the original metadata; not the root."""
        for path, attributes in self._groups(version, bool(documents)):
            document = group_document(zarr_format=zarr_format_of(version), attributes=attributes)
            crud.write_metadata(document, store, path)
        for key, value in documents.items():
            store.put(key, value)

    def write_root(self, store: Store, version: str, name: str) -> None:
        """Write the root of a series or a plate, which makes it one; the last of all."""
        if self.kind == "image":
            return  # the image's own group
        if self.kind == "series":
            attributes = SeriesMetadata(version).to_attributes({})
        else:
            attributes = self._plate(version, name).to_attributes({})
        document = group_document(zarr_format=zarr_format_of(version), attributes=attributes)
        crud.write_metadata(document, store)

    def _groups(self, version: str, has_documents: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        if self.kind == "series":
            series = tuple(placed.path for placed in self.images)
            yield _SIDECAR, SeriesMetadata(version, series=series).to_list_attributes({})
        elif has_documents:
            yield _SIDECAR, {"ome": {"version": version}} if version != "0.4" else {}
        if self.kind != "plate":
            return
        wells: dict[str, list[FieldOfView]] = defaultdict(list)
        for spot in self._spots():
            wells[spot.well].append(FieldOfView(str(spot.field), spot.acquisition))
        for row in dict.fromkeys(well.partition("/")[0] for well in wells):
            yield row, {}
        for well, fields in wells.items():
            yield well, WellMetadata(version, tuple(fields)).to_attributes({})

    def _plate(self, version: str, name: str) -> PlateMetadata:
        layout = PlateLayout(PlateMetadata(version, name=name))
        n_fields: dict[str, int] = defaultdict(int)
        for spot in self._spots():
            layout.add(spot)
            n_fields[spot.well] += 1
        layout.count_fields(max(n_fields.values(), default=0))
        return layout.metadata

    def _spots(self) -> Iterator[Spot]:
        for placed in self.images:
            if placed.image.spot is not None:
                yield placed.image.spot


def lay_out(source: ImageSource, series: int | None, name: str) -> Layout:
    """Choose the images of a source, and the hierarchy for them.

    Parameters
    ----------
    source
        Of at least one image.
    series
        The number of the one that is wanted; None: all but thumbnails, labels and the like.
    name
        Of the source, for errors.

    Raises
    ------
    UnsupportedError
        There is no such image.
    MetadataError
        Two images show the same field of view of a plate.
    """
    n = len(source)
    if series is not None:
        if not 0 <= series < n:
            raise refuse_series(series, n, name)
        return Layout("image", (Placed(series, "", source.image(series)),))
    images = [(i, source.image(i)) for i in range(n)]
    kept = [(i, image) for i, image in images if not image.is_extra] or images[:1]
    warnings = _left_out(name, images, kept)
    if len(kept) == 1 and kept[0][1].spot is None:
        return Layout("image", (Placed(kept[0][0], "", kept[0][1]),), warnings)
    if all(image.spot is not None for _, image in kept):
        return Layout("plate", _on_plate(kept), warnings)
    placed = tuple(Placed(i, str(k), image) for k, (i, image) in enumerate(kept))
    return Layout("series", placed, warnings)


def _on_plate(images: Sequence[tuple[int, SourceImage]]) -> tuple[Placed, ...]:
    placed: dict[str, Placed] = {}
    for index, image in images:
        assert image.spot is not None
        path = image.spot.path
        if image.spot.field is None:
            raise UnsupportedError(f"image {index} is of the well {path!r}, but of no field of it")
        if path in placed:
            raise MetadataError(
                f"the images {placed[path].index} and {index} are both of the field of view "
                f"{path!r}; convert them one by one with series="
            )
        placed[path] = Placed(index, path, image)
    return tuple(placed.values())


def _left_out(
    name: str,
    images: Sequence[tuple[int, SourceImage]],
    kept: Sequence[tuple[int, SourceImage]],
) -> tuple[str, ...]:
    there = {i for i, _ in kept}
    extra = [f"{i}: {image.name or 'unnamed'}" for i, image in images if i not in there]
    if not extra:
        return ()
    more = ", …" if len(extra) > 8 else ""
    return (
        f"{name} also holds {len(extra)} image{'s' if len(extra) > 1 else ''} about its image "
        f"({', '.join(extra[:8])}{more}), which are left out; series=N converts one of them",
    )
