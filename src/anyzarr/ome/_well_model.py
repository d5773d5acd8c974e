"""The metadata of wells and of series of images as values, read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anyzarr.errors import MetadataError
from anyzarr.ome._documents import (
    documents_of,
    integer_of,
    merged,
    ome_of,
    rest_of,
    stated,
    text_of,
    version_of,
)

__all__ = ["FieldOfView", "SeriesMetadata", "WellMetadata"]


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """One image of a well.

    Attributes
    ----------
    path
        Of its group, relative to the well's.
    acquisition
        The number of the acquisition it is of, or None.
    extra
        Further keys of the document, kept on rewriting.
    """

    path: str
    acquisition: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        return {"path": self.path, **stated(acquisition=self.acquisition), **self.extra}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FieldOfView:
        """Return what a document describes."""
        path = text_of(document, "path", "an image of the well").strip("/")
        number = integer_of(document.get("acquisition"), f"the acquisition of image {path!r}")
        return cls(path, number, rest_of(document, "path", "acquisition"))


@dataclass(frozen=True, slots=True)
class WellMetadata:
    """The ``well`` metadata: which images a well has.

    Attributes
    ----------
    version
        Of OME-Zarr.
    images
        Its fields of view.
    extra
        Further keys of the document, kept on rewriting.
    """

    version: str
    images: tuple[FieldOfView, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return a group's attributes with the well as it is here; all others stay."""
        document: dict[str, Any] = {"version": self.version} if self.version < "0.5" else {}
        document["images"] = [image.to_document() for image in self.images]
        return merged(attributes, self.version, {"well": {**document, **self.extra}})

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> WellMetadata:
        """Return what the attributes of a group say.

        Raises
        ------
        MetadataError
            They hold no ``well``, or what it holds is of the wrong kind.
        """
        document = ome_of(attributes).get("well")
        if not isinstance(document, Mapping):
            raise MetadataError("there is no 'well' in the group's OME-Zarr metadata")
        images = documents_of(document.get("images", []), "images")
        return cls(
            version_of(attributes, document),
            tuple(FieldOfView.from_document(d) for d in images),
            rest_of(document, "images", "version"),
        )


@dataclass(frozen=True, slots=True)
class SeriesMetadata:
    """The metadata of a series of images in bioformats2raw's layout.

    Attributes
    ----------
    version
        Of OME-Zarr.
    layout
        Of bioformats2raw: 3.
    series
        Paths of the images in their order, or None where the metadata lists none.
    """

    version: str
    layout: int = 3
    series: tuple[str, ...] | None = None

    def to_attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the root's attributes with the layout; all others stay."""
        return merged(attributes, self.version, {"bioformats2raw.layout": self.layout})

    def to_list_attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes of the group ``OME`` with the list; all others stay."""
        return merged(attributes, self.version, {"series": list(self.series or ())})

    @classmethod
    def from_attributes(
        cls, attributes: Mapping[str, Any], listed: Mapping[str, Any] | None = None
    ) -> SeriesMetadata:
        """Return what the attributes of the root say, and those of the group ``OME``.

        Raises
        ------
        MetadataError
            There is no ``bioformats2raw.layout``, or ``series`` is no list of paths.
        """
        ome = ome_of(attributes)
        layout = ome.get("bioformats2raw.layout", attributes.get("bioformats2raw.layout"))
        number = integer_of(layout, "'bioformats2raw.layout'")
        if number is None:
            raise MetadataError(
                "there is no 'bioformats2raw.layout' in the group's OME-Zarr metadata"
            )
        series = ome.get("series")
        if listed is not None and ome_of(listed).get("series") is not None:
            series = ome_of(listed)["series"]
        if series is not None and not _is_paths(series):
            raise MetadataError(f"'series' must be a list of paths, not {series!r}")
        paths = None if series is None else tuple(map(str, series))
        return cls(version_of(attributes, {}), number, paths)


def _is_paths(series: Any) -> bool:
    return isinstance(series, list) and all(isinstance(path, str | int) for path in series)
