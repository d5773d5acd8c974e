"""The metadata of a multiscale image as values: OME-Zarr 0.4 and 0.5, read and written.

Small frozen dataclasses rather than the models of yaozarrs or ome-zarr-models (pydantic,
90 and 230 ms to import, against 14 for these): reading must accept and keep what a strict
model refuses or drops (unknown keys, transformations of later versions), and rewriting must
give it back. Both libraries judge in the tests what is written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.ome._axes import Axis, axes_of
from anyzarr.ome._channels import Omero

__all__ = ["Dataset", "ImageMetadata", "Multiscale", "Transformation", "transformations_of"]

Transformation = Mapping[str, Any]
"""One ``coordinateTransformations`` entry, as it stands in the document."""


def transformations_of(
    scale: Sequence[float], translation: Sequence[float] | None = None
) -> tuple[Transformation, ...]:
    """Return a scale, and a translation after it unless it is zero."""
    steps: list[Transformation] = [{"type": "scale", "scale": [float(s) for s in scale]}]
    if translation is not None and any(translation):
        steps.append({"type": "translation", "translation": [float(t) for t in translation]})
    return tuple(steps)


def _combined(
    steps: Sequence[Transformation], ndim: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the scale and translation that steps applied one after the other amount to."""
    scale, translation = [1.0] * ndim, [0.0] * ndim
    for step in steps:
        kind = step.get("type")
        values = step.get(kind) if isinstance(kind, str) else None
        if kind == "identity":
            continue
        if kind not in {"scale", "translation"} or values is None:
            raise UnsupportedError(
                f"a coordinate transformation of type {kind!r} is not a scale or translation "
                "with its values in the metadata; only those can be read as numbers"
            )
        if len(values) != ndim:
            raise MetadataError(
                f"a {kind} of {len(values)} numbers does not fit an image of {ndim} axes"
            )
        if kind == "scale":
            scale = [a * b for a, b in zip(scale, values, strict=True)]
            translation = [a * b for a, b in zip(translation, values, strict=True)]
        else:
            translation = [a + b for a, b in zip(translation, values, strict=True)]
    return tuple(map(float, scale)), tuple(map(float, translation))


@dataclass(frozen=True, slots=True)
class Dataset:
    """One level of a multiscale image.

    Attributes
    ----------
    path
        Of its array, relative to the image's group.
    transformations
        From its elements to the level's place, as in the document.
    extra
        Further keys of the document, kept on rewriting.
    """

    path: str
    transformations: tuple[Transformation, ...]
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        steps = [dict(step) for step in self.transformations]
        return {"path": self.path, "coordinateTransformations": steps, **self.extra}


@dataclass(frozen=True, slots=True)
class Multiscale:
    """One image at several resolutions.

    Attributes
    ----------
    axes
        One per dimension.
    datasets
        The levels, largest first.
    name, type
        The image's name and its downsampling method, or None.
    metadata
        Details of the downsampling, or None.
    transformations
        Applied to every level after its own, as in the document.
    extra
        Further keys of the document, kept on rewriting.
    """

    axes: tuple[Axis, ...]
    datasets: tuple[Dataset, ...]
    name: str | None = None
    type: str | None = None
    metadata: Mapping[str, Any] | None = None
    transformations: tuple[Transformation, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def placement(self, level: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the scale and translation of a level by its own transformations."""
        return _combined(self.datasets[level].transformations, len(self.axes))

    def effective_placement(self, level: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the scale and translation of a level, those of the whole image included."""
        steps = (*self.datasets[level].transformations, *self.transformations)
        return _combined(steps, len(self.axes))

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        document: dict[str, Any] = {} if self.name is None else {"name": self.name}
        document["axes"] = [axis.to_document() for axis in self.axes]
        document["datasets"] = [dataset.to_document() for dataset in self.datasets]
        if self.transformations:
            document["coordinateTransformations"] = [dict(step) for step in self.transformations]
        if self.type is not None:
            document["type"] = self.type
        if self.metadata is not None:
            document["metadata"] = dict(self.metadata)
        return {**document, **self.extra}

    @classmethod
    def from_document(cls, document: Any) -> Multiscale:
        """Return what a document describes.

        Raises
        ------
        MetadataError
            ``axes`` or ``datasets`` are missing or not what the specification says.
        UnsupportedError
            It is of a version before 0.4 or after 0.5.
        """
        if not isinstance(document, Mapping):
            raise MetadataError(f"an entry of 'multiscales' must be a document, not {document!r}")
        if "coordinateSystems" in document:
            raise UnsupportedError(
                "the image has 'coordinateSystems' (OME-Zarr 0.6), which cannot be read yet; "
                "0.4 and 0.5 can"
            )
        axes = document.get("axes")
        if not isinstance(axes, list) or not all(isinstance(a, Mapping) for a in axes):
            raise UnsupportedError(
                f"the image's 'axes' are {axes!r}, not a list of documents, so it is of an "
                "OME-Zarr version before 0.4, which cannot be read yet; 0.4 and 0.5 can"
            )
        known = {"name", "axes", "datasets", "coordinateTransformations", "type", "metadata"}
        metadata = document.get("metadata")
        extra = {k: v for k, v in document.items() if k not in known}
        if metadata is not None and not isinstance(metadata, Mapping):
            extra["metadata"], metadata = metadata, None
        return cls(
            axes_of(axes),
            _datasets(document.get("datasets")),
            document.get("name"),
            document.get("type"),
            metadata,
            _steps(document.get("coordinateTransformations", [])),
            extra,
        )


def _datasets(documents: Any) -> tuple[Dataset, ...]:
    valid = isinstance(documents, list) and all(
        isinstance(d, Mapping) and isinstance(d.get("path"), str) for d in documents
    )
    if not valid or not documents:
        raise MetadataError(
            "'multiscales' needs 'datasets': a list with at least one document that has a 'path', "
            f"not {documents!r}"
        )
    return tuple(
        Dataset(
            d["path"],
            _steps(d.get("coordinateTransformations", [])),
            {k: v for k, v in d.items() if k not in {"path", "coordinateTransformations"}},
        )
        for d in documents
    )


def _steps(documents: Any) -> tuple[Transformation, ...]:
    if not isinstance(documents, list) or not all(isinstance(d, Mapping) for d in documents):
        raise MetadataError(
            f"'coordinateTransformations' must be a list of documents, not {documents!r}"
        )
    return tuple(documents)


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """The OME-Zarr metadata of a group that holds an image.

    Attributes
    ----------
    version
        ``0.4`` or ``0.5``.
    multiscales
        At least one; the first is the image, as the specification has it.
    omero
        The channels, or None.
    extra
        Further keys beside them (0.5: within ``ome``), kept on rewriting.
    """

    version: str
    multiscales: tuple[Multiscale, ...]
    omero: Omero | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @property
    def image(self) -> Multiscale:
        """The multiscale that a reader shows unless told otherwise."""
        return self.multiscales[0]

    def to_attributes(self) -> dict[str, Any]:
        """Return the group attributes that state it; other attributes are not touched."""
        keys: dict[str, Any] = {"multiscales": [m.to_document() for m in self.multiscales]}
        if self.omero is not None:
            keys["omero"] = self.omero.to_document()
        if self.version == "0.4":
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
            The version is neither 0.4 nor 0.5.
        """
        nested = attributes.get("ome")
        ome: Mapping[str, Any] = nested if isinstance(nested, Mapping) else attributes
        documents = ome.get("multiscales")
        if not isinstance(documents, list) or not documents:
            raise MetadataError("there is no 'multiscales' list in the group's OME-Zarr metadata")
        if ome is nested:
            version = str(ome.get("version", "0.5"))
        else:
            first = documents[0] if isinstance(documents[0], Mapping) else {}
            version = str(first.get("version", "0.4"))
        if version not in {"0.4", "0.5"}:
            raise UnsupportedError(
                f"the image is OME-Zarr {version}, which cannot be read yet; 0.4 and 0.5 can"
            )
        omero = ome.get("omero")
        is_omero = isinstance(omero, Mapping)
        known = {"version", "multiscales"} | ({"omero"} if is_omero else set())
        return cls(
            version,
            tuple(Multiscale.from_document(d) for d in documents),
            Omero.from_document(omero) if isinstance(omero, Mapping) else None,
            {k: v for k, v in ome.items() if k not in known} if ome is nested else {},
        )
