"""One image at several resolutions: its axes, levels and coordinate systems, as values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.ome._axes import Axis, axes_of
from anyzarr.ome._transforms import Transformation, chain_of

__all__ = ["CoordinateSystem", "Dataset", "Multiscale", "transformations_of"]

Placement = tuple[tuple[float, ...], tuple[float, ...]]


def transformations_of(
    scale: Sequence[float], translation: Sequence[float] | None = None
) -> tuple[dict[str, Any], ...]:
    """Return a scale, and a translation after it unless it is zero."""
    steps: list[dict[str, Any]] = [{"type": "scale", "scale": [float(s) for s in scale]}]
    if translation is not None and any(translation):
        steps.append({"type": "translation", "translation": [float(t) for t in translation]})
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class CoordinateSystem:
    """A named set of axes (OME-Zarr 0.6).

    Attributes
    ----------
    name
        Unique among the systems of the image.
    axes
        What its coordinates count.
    extra
        Further keys of the document, kept on rewriting.
    """

    name: str
    axes: tuple[Axis, ...]
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        axes = [axis.to_document() for axis in self.axes]
        return {"name": self.name, "axes": axes, **self.extra}

    @classmethod
    def from_document(cls, document: Any) -> CoordinateSystem:
        """Return what a document describes.

        Raises
        ------
        MetadataError
            It has no name, or no axes.
        """
        if not isinstance(document, Mapping):
            document = {}
        name, axes = document.get("name"), document.get("axes")
        if not isinstance(name, str) or not _are_axes(axes):
            raise MetadataError(
                "an entry of 'coordinateSystems' needs a 'name' and a list of 'axes', each with a "
                f"name, not {dict(document)!r}"
            )
        rest = {k: v for k, v in document.items() if k not in {"name", "axes"}}
        return cls(name, axes_of(axes), rest)


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

    def placed(
        self,
        scale: Sequence[float],
        translation: Sequence[float] | None = None,
        *,
        system: str | None = None,
    ) -> Dataset:
        """Return the level with another scale and translation.

        Parameters
        ----------
        scale, translation
            One number per axis.
        system
            The coordinate system it is placed in (0.6); None before.
        """
        steps = tuple(
            {**self._rest_of(step["type"]), **step}
            for step in transformations_of(scale, translation)
        )
        if system is not None:
            if len(steps) == 1:
                one = steps[0]
            else:
                one = {**self._rest_of("sequence"), "type": "sequence", "transformations": [*steps]}
            steps = ({**one, "input": {"path": self.path}, "output": {"name": system}},)
        return replace(self, transformations=steps)

    def _rest_of(self, kind: str) -> dict[str, Any]:
        """Return what the step of this type has besides its numbers (a name, say)."""
        inner = [
            m for step in self.transformations if step.get("type") == "sequence"
            for m in step.get("transformations", ()) if isinstance(m, Mapping)
        ]  # fmt: skip
        for step in (*self.transformations, *inner):
            if step.get("type") == kind:
                return {k: v for k, v in step.items() if k not in _OF_A_STEP}
        return {}


_OF_A_STEP = {"type", "scale", "translation", "transformations", "path", "input", "output"}


@dataclass(frozen=True, slots=True)
class Multiscale:
    """One image at several resolutions.

    Attributes
    ----------
    axes
        One per dimension.
    datasets
        The levels, as listed: largest first, if the writer kept the rule.
    name, type
        The image's name and its downsampling method, or None.
    metadata
        Details of the downsampling, or None.
    transformations
        As in the document. Until 0.5: applied to every level after its own. In 0.6: from one
        coordinate system to another.
    extra
        Further keys of the document, kept on rewriting.
    systems
        The coordinate systems (0.6); empty before.
    """

    axes: tuple[Axis, ...]
    datasets: tuple[Dataset, ...]
    name: str | None = None
    type: str | None = None
    metadata: Mapping[str, Any] | None = None
    transformations: tuple[Transformation, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    systems: tuple[CoordinateSystem, ...] = ()

    @property
    def system(self) -> str | None:
        """The coordinate system the levels are placed in; None before 0.6."""
        return None if not self.systems else _intrinsic(self.systems, self.datasets).name

    @property
    def finest(self) -> int:
        """The number of the dataset with the smallest elements, by its scale; else the first."""
        try:
            sizes = [math.prod(map(abs, self.placement(i)[0])) for i in range(len(self.datasets))]
        except (UnsupportedError, MetadataError):
            return 0
        return sizes.index(min(sizes))

    def placement(self, level: int) -> Placement:
        """Return the scale and translation of a level by its own transformations.

        Raises
        ------
        UnsupportedError
            They are more than scales and translations with their numbers in the metadata.
        """
        return self._combined(self.datasets[level].transformations)

    def effective_placement(self, level: int) -> Placement:
        """Return the scale and translation of a level, those of the whole image included.

        In 0.6 the transformations of the whole image lead to other coordinate systems, and are
        not applied.
        """
        shared = () if self.systems else self.transformations
        return self._combined((*self.datasets[level].transformations, *shared))

    def _combined(self, steps: Sequence[Transformation]) -> Placement:
        placement = chain_of(steps, len(self.axes)).diagonal
        if placement is None or len(placement[0]) != len(self.axes):
            kinds = ", ".join(repr(step.get("type")) for step in steps)
            raise UnsupportedError(
                f"the coordinate transformations ({kinds}) are more than scales and translations; "
                "apply them with to_world(points)"
            )
        return placement

    def with_axes(self, axes: Sequence[Axis]) -> Multiscale:
        """Return it with other axes, in the system the levels are placed in too."""
        systems = tuple(
            replace(s, axes=tuple(axes)) if s.name == self.system else s for s in self.systems
        )
        return replace(self, axes=tuple(axes), systems=systems)

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        document: dict[str, Any] = {} if self.name is None else {"name": self.name}
        if self.systems:
            document["coordinateSystems"] = [system.to_document() for system in self.systems]
        else:
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
        """Return what a document of any version describes.

        Where axes have no kinds (0.3) the usual ones are taken; where there are none (0.1, 0.2)
        they are those of five dimensions, ``tczyx``.

        Raises
        ------
        MetadataError
            ``axes``, ``coordinateSystems`` or ``datasets`` are not what a version says.
        """
        if not isinstance(document, Mapping):
            raise MetadataError(f"an entry of 'multiscales' must be a document, not {document!r}")
        systems, datasets = _systems(document), _datasets(document.get("datasets"))
        axes = _intrinsic(systems, datasets).axes if systems else _axes(document.get("axes"))
        known = {"name", "axes", "datasets", "coordinateTransformations", "type", "metadata"}
        if systems:
            known = {*known, "coordinateSystems"} - {"axes"}
        odd = {k for k in ("name", "type") if not isinstance(document.get(k), str | None)}
        odd |= {k for k in ("metadata",) if not isinstance(document.get(k), Mapping | None)}
        plain = {k: None if k in odd else document.get(k) for k in ("name", "type", "metadata")}
        return cls(
            axes,
            datasets,
            transformations=_steps(document.get("coordinateTransformations") or []),
            extra={k: v for k, v in document.items() if k not in known or k in odd},
            systems=systems,
            **plain,
        )


def _are_axes(axes: Any) -> bool:
    return isinstance(axes, list) and all(
        isinstance(a, Mapping) and isinstance(a.get("name"), str) for a in axes
    )


def _axes(axes: Any) -> tuple[Axis, ...]:
    if axes is None:
        return axes_of("tczyx")
    names = isinstance(axes, list) and all(isinstance(a, str) for a in axes)
    if not names and not _are_axes(axes):
        raise MetadataError(
            f"'axes' must be a list of documents with a 'name' each (names in 0.3), not {axes!r}"
        )
    return axes_of(axes)


def _systems(document: Mapping[str, Any]) -> tuple[CoordinateSystem, ...]:
    systems = document.get("coordinateSystems")
    if systems is None:
        return ()
    if not isinstance(systems, list) or not systems:
        raise MetadataError(
            f"'coordinateSystems' must be a list with at least one document, not {systems!r}"
        )
    return tuple(CoordinateSystem.from_document(s) for s in systems)


def _intrinsic(
    systems: Sequence[CoordinateSystem], datasets: Sequence[Dataset]
) -> CoordinateSystem:
    """Return the system the levels are placed in: what their transformations put out."""
    outputs = [
        name for dataset in datasets for step in dataset.transformations
        if (name := system_name(step.get("output"))) is not None
    ]  # fmt: skip
    named = {system.name: system for system in reversed(systems)}
    return next((named[name] for name in outputs if name in named), systems[0])


def system_name(reference: Any) -> str | None:
    """Return the system a transformation's ``input`` or ``output`` names; None: an array."""
    if isinstance(reference, Mapping):
        reference = reference.get("name")
    return reference if isinstance(reference, str) else None


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
