"""Label images: which object each element of an image belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from anyzarr.ome._image import Image
from anyzarr.ome._label_model import LabelMetadata, colors_of, properties_of

__all__ = ["Labels"]

_KEY = "image-label"


class Labels(Image):
    """A label image: an :class:`~anyzarr.ome.Image` of whole numbers, 0 the background.

    Given by :meth:`Image.create_label <anyzarr.ome.Image.create_label>` and
    :meth:`Image.get_label <anyzarr.ome.Image.get_label>`. Its pyramid is made by mode, so that
    no level has a label that is not in the one before.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> with anyzarr.open_ome_zarr({}, mode="w", axes="yx") as image:
    ...     array = image.create_image("0", np.zeros((64, 64), "uint16"))
    ...     spots = np.eye(64, dtype="uint8")
    ...     nuclei = image.create_label("nuclei", spots, colors={1: "FF0000"})
    ...     nuclei.set_properties({1: {"area": 64}})
    >>> nuclei.colors, nuclei.properties, nuclei.source
    ({1: (255, 0, 0, 255)}, {1: {'area': 64}}, '../../')
    """

    _default_method = "mode"

    @property
    def label_metadata(self) -> LabelMetadata:
        """The ``image-label`` metadata as values."""
        return LabelMetadata.from_document(_stated(self._group.metadata.attributes))

    @property
    def colors(self) -> dict[float, tuple[int, int, int, int]]:
        """Red, green, blue and opacity by label, for those that have a colour."""
        return {c.value: c.rgba for c in self.label_metadata.colors if c.rgba is not None}

    @property
    def properties(self) -> dict[Any, dict[str, Any]]:
        """What is known of labels, by label."""
        return {
            entry["label-value"]: {k: v for k, v in entry.items() if k != "label-value"}
            for entry in self.label_metadata.properties
        }

    @property
    def source(self) -> str | None:
        """Path from here to the image that is labelled, or None."""
        return self.label_metadata.source

    def set_colors(self, colors: Mapping[int, str | Sequence[int]]) -> None:
        """Replace the colours of all labels.

        Parameters
        ----------
        colors
            By label value: red, green, blue (and opacity) from 0 to 255, or hexadecimal digits.
        """
        new = colors_of(colors)
        self._change_label(lambda stored: replace(stored, colors=new))

    def set_properties(
        self, properties: Mapping[int, Mapping[str, Any]] | Iterable[Mapping[str, Any]]
    ) -> None:
        """Replace what is known of all labels.

        Parameters
        ----------
        properties
            By label value; or documents with a ``label-value``.
        """
        new = properties_of(properties)
        self._change_label(lambda stored: replace(stored, properties=new))

    def _change_label(self, change: Callable[[LabelMetadata], LabelMetadata]) -> None:
        def changed(stored: dict[str, Any]) -> dict[str, Any]:
            metadata = change(LabelMetadata.from_document(_stated(stored)))
            return with_label(stored, metadata)

        self._group._change_attributes(changed)


def _stated(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = attributes.get("ome")
    document = (nested if isinstance(nested, Mapping) else attributes).get(_KEY)
    return document if isinstance(document, Mapping) else {}


def with_label(attributes: Mapping[str, Any], metadata: LabelMetadata) -> dict[str, Any]:
    """Return the attributes of a label image with other ``image-label`` metadata."""
    document = metadata.to_document()
    nested = attributes.get("ome")
    if isinstance(nested, Mapping):
        return {**attributes, "ome": {**nested, _KEY: document}}
    return {**attributes, _KEY: document}
