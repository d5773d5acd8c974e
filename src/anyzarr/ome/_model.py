"""The metadata of a multiscale image as values: OME-Zarr 0.1 to 0.6 read, 0.4 to 0.6 written.

Small frozen dataclasses rather than the models of yaozarrs or ome-zarr-models (pydantic,
90 and 230 ms to import, against 14 for these): reading must accept and keep what a strict
model refuses or drops (unknown keys, transformations of later versions), and rewriting must
give it back. Both libraries judge in the tests what is written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.ome._channels import Omero
from anyzarr.ome._multiscale import Multiscale
from anyzarr.ome._versions import (
    family,
    fitted,
    in_family,
    require_writable_version,
    stated_version,
)

__all__ = ["ImageMetadata"]


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """The OME-Zarr metadata of a group that holds an image.

    Attributes
    ----------
    version
        ``0.1`` to ``0.6``, as stated; where it is not stated, as the form of the metadata tells.
    multiscales
        At least one; the first is the image, as the specification has it.
    omero
        The channels, or None.
    extra
        Further keys beside them (from 0.5 on: within ``ome``), kept on rewriting.
    """

    version: str
    multiscales: tuple[Multiscale, ...]
    omero: Omero | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @property
    def image(self) -> Multiscale:
        """The multiscale that a reader shows unless told otherwise."""
        return self.multiscales[0]

    @property
    def needs_arrays(self) -> bool:
        """Whether axes or scales are left to the arrays, as in 0.1 to 0.3; see :meth:`fitted`."""
        return family(self.version) < "0.4"

    def fitted(self, shapes: Sequence[Sequence[Sequence[int]]]) -> ImageMetadata:
        """Return the metadata with what 0.1 to 0.3 leave to the arrays.

        Parameters
        ----------
        shapes
            Of the arrays: per multiscale, per dataset.
        """
        images = (fitted(m, s) for m, s in zip(self.multiscales, shapes, strict=True))
        return replace(self, multiscales=tuple(images))

    def to_version(self, version: str) -> ImageMetadata:
        """Return the same image as another version states it.

        From 0.4 or 0.5 to 0.6, the axes become a coordinate system called ``physical``, and
        scales of the whole image are multiplied into those of its levels. Metadata of 0.1 to
        0.3 is to be :meth:`fitted` first.

        Raises
        ------
        UnsupportedError
            The version is not written, or cannot say what the image has.
        """
        require_writable_version(version)
        if version == self.version:
            return self
        multiscales = tuple(in_family(m, version) for m in self.multiscales)
        return replace(self, version=version, multiscales=multiscales)

    def to_attributes(self) -> dict[str, Any]:
        """Return the group attributes that state it; other attributes are not touched.

        Raises
        ------
        UnsupportedError
            The version is only read (0.1 to 0.3).
        """
        kind = family(self.version)
        if self.needs_arrays:
            raise UnsupportedError(
                f"the image is OME-Zarr {self.version}, which is read and not written; upgrade it "
                "with anyzarr.ome.upgrade(location, version='0.4', metadata_only=True)"
            )
        keys: dict[str, Any] = {"multiscales": [m.to_document() for m in self.multiscales]}
        if self.omero is not None:
            keys["omero"] = self.omero.to_document()
        if kind == "0.4":
            for multiscale in keys["multiscales"]:
                multiscale.setdefault("version", "0.4")
            return keys
        return {"ome": {"version": self.version, **keys, **self.extra}}

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> ImageMetadata:
        """Return what the attributes of a group say.

        Raises
        ------
        MetadataError
            They hold no ``multiscales``, or what they hold breaks the specification.
        UnsupportedError
            The version is not known.
        """
        nested = attributes.get("ome")
        ome: Mapping[str, Any] = nested if isinstance(nested, Mapping) else attributes
        documents = ome.get("multiscales")
        if not isinstance(documents, list) or not documents:
            raise MetadataError("there is no 'multiscales' list in the group's OME-Zarr metadata")
        version = stated_version(attributes)
        family(version)
        omero = ome.get("omero")
        is_omero = isinstance(omero, Mapping)
        known = {"version", "multiscales"} | ({"omero"} if is_omero else set())
        return cls(
            version,
            tuple(Multiscale.from_document(d) for d in documents),
            Omero.from_document(omero) if isinstance(omero, Mapping) else None,
            {k: v for k, v in ome.items() if k not in known} if ome is nested else {},
        )
