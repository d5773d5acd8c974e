"""Walking an OME-Zarr hierarchy: every group that the metadata names, and its arrays."""

from __future__ import annotations

import posixpath
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anyzarr import crud
from anyzarr._parallel import for_each
from anyzarr._validate._attributes import Described, check_attributes
from anyzarr._validate._findings import Findings
from anyzarr._validate._levels import Pyramid, check_levels
from anyzarr._validate._spot import Spot
from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError, NodeNotFoundError
from anyzarr.metadata import is_array_document
from anyzarr.stores import join

__all__ = ["Walk"]


@dataclass(frozen=True, slots=True)
class _Parent:
    """What the group above says of a node.

    Attributes
    ----------
    version
        Its version.
    spot
        Where it names the node.
    rule
        What is broken if the node is not there or is of another kind.
    kind
        What the node must be.
    """

    version: str
    spot: Spot
    rule: str
    kind: str


class Walk:
    """Looks at every group and array that the metadata of a hierarchy names.

    Parameters
    ----------
    store
        The store.
    findings
        Where to complain.
    look
        Called with each multiscale image whose arrays are there, its ``omero`` metadata, and
        whether it is a label image.
    """

    def __init__(
        self, store: Store, findings: Findings, look: Callable[[Pyramid, Any, bool], None]
    ) -> None:
        self._store = store
        self._findings = findings
        self._look = look
        self._lock = threading.Lock()
        self.n_nodes = 0
        self.images: list[str] = []
        """Paths of the images that have been looked at."""

    def root(self, path: str) -> Described:
        """Look at the node at a path and all it names.

        Raises
        ------
        AnyzarrError
            There is no node, or it cannot be read.
        """
        document = crud.read_metadata(self._store, path)
        self._count()
        spot = Spot(self._findings, path, "", document.get("attributes"))
        if is_array_document(document):
            spot.error("group", "an array; OME-Zarr metadata is in the group above it")
            return Described(None, (), {})
        described = self._group(path, document, None)
        if not described.kinds and not self._findings.errors:
            spot.error("no-metadata", "a group without OME-Zarr metadata")
        return described

    # -- nodes ---------------------------------------------------------------------------

    def _count(self, n: int = 1) -> None:
        with self._lock:
            self.n_nodes += n

    def _child(self, path: str, parent: _Parent) -> Described | None:
        """Look at a group that another one names; complain if it is not there."""
        try:
            document = crud.read_metadata(self._store, path)
        except NodeNotFoundError:
            parent.spot.error(f"{parent.rule}-missing", f"there is no group {path!r}; it is named")
            return None
        except AnyzarrError as error:
            parent.spot.error(f"{parent.rule}-unreadable", error.message)
            return None
        self._count()
        if is_array_document(document):
            parent.spot.error(f"{parent.rule}-group", f"{path!r} is an array; it must be a group")
            return None
        described = self._group(path, document, parent.version)
        if parent.kind not in described.kinds:
            parent.spot.error(
                f"{parent.rule}-kind",
                f"the group {path!r} has no metadata of {_article(parent.kind)}, which it must",
            )
        return described

    def _group(self, path: str, document: Mapping[str, Any], above: str | None) -> Described:
        attributes = document.get("attributes", {})
        described = check_attributes(attributes, self._findings, path, inherited=above)
        nested = isinstance(attributes, Mapping) and "ome" in attributes
        spot = Spot(self._findings, path, "ome" if nested else "", described.ome)
        version = described.version
        if version is None:
            return described
        if above is not None and version != above:
            spot.error("version-consistent", f"version {version} below a group of version {above}")
        self._check_format(spot, document, version)
        if "image" in described.kinds:
            self._image(path, spot, version, is_label="label" in described.kinds)
        if "plate" in described.kinds:
            self._plate(path, spot, version)
        elif "bioformats2raw" in described.kinds:
            self._series(path, spot, version)
        if "well" in described.kinds and above is None:
            self._well(path, described, version, None)
        if "labels" in described.kinds and above is None:
            self._labels(path, described, version, None)
        return described

    def _check_format(self, spot: Spot, document: Mapping[str, Any], version: str) -> None:
        wanted = 3 if version >= "0.5" else 2
        if document.get("zarr_format") != wanted:
            spot.error(
                "zarr-format",
                f"a Zarr v{document.get('zarr_format')} group; OME-Zarr {version} is v{wanted}",
            )

    # -- images and labels ---------------------------------------------------------------

    def _image(self, path: str, ome: Spot, version: str, *, is_label: bool) -> None:
        multiscales = ome.get("multiscales")
        if not isinstance(multiscales, list):
            return
        n_levels = 0
        for spot in ome.at("multiscales", multiscales).items():
            pyramid = check_levels(self._store, spot, version)
            if pyramid is None:
                continue
            self._count(len(pyramid.levels))
            n_levels = n_levels or len(pyramid.levels)
            if is_label:
                _check_label_dtypes(pyramid)
            self._look(pyramid, ome.get("omero"), is_label)
        self.images.append(path)
        if is_label:
            self._label_source(path, ome)
        self._label_group(path, version, n_levels)

    def _label_source(self, path: str, ome: Spot) -> None:
        label = ome.get("image-label")
        source = label.get("source") if isinstance(label, Mapping) else None
        name = source.get("image") if isinstance(source, Mapping) else None
        if not isinstance(name, str):
            return
        spot = ome.at("image-label", label).at("source", source)
        target = posixpath.normpath(posixpath.join("/", path, name)).strip("/")
        if posixpath.normpath(posixpath.join(path, name)).startswith(".."):
            return  # outside of what was opened: not ours to see
        try:
            crud.read_metadata(self._store, target)
        except AnyzarrError:
            spot.error("image-label-source", f"there is no image at {name!r} ({target or '/'!r})")

    def _label_group(self, path: str, version: str, n_levels: int) -> None:
        """Look at the labels of an image, where it has any."""
        labels = join(path, "labels")
        try:
            document = crud.read_metadata(self._store, labels)
        except NodeNotFoundError:
            return
        except AnyzarrError as error:
            Spot(self._findings, labels, "", None).error("labels-unreadable", error.message)
            return
        self._count()
        described = self._group(labels, document, version)
        if "labels" in described.kinds:
            self._labels(labels, described, version, n_levels)
        else:
            Spot(self._findings, labels, "", None).error(
                "labels", "the group has no key 'labels', which must list the label images"
            )

    def _labels(self, path: str, described: Described, version: str, n_levels: int | None) -> None:
        ome = Spot(self._findings, path, "ome" if version >= "0.5" else "", described.ome)
        listed = ome.get("labels")
        spots = list(ome.at("labels", listed).items()) if isinstance(listed, list) else []
        for spot in spots:
            if isinstance(spot.value, str):
                parent = _Parent(version, spot, "label", "image")
                found = self._child(join(path, spot.value), parent)
                if found is not None:
                    _check_label(found, spot, n_levels)
        self._unlisted(path, ome, {spot.value for spot in spots if isinstance(spot.value, str)})

    def _unlisted(self, path: str, ome: Spot, listed: set[str]) -> None:
        try:
            children = crud.list_children(self._store, path)
        except AnyzarrError:
            return  # a store that cannot list tells nothing of others
        tops = {name.split("/")[0] for name in listed}
        for name, document in children:
            attributes = document.get("attributes", {})
            within = attributes.get("ome", attributes)
            if name not in tops and isinstance(within, Mapping) and "multiscales" in within:
                ome.warn("labels-listed", f"the label image {name!r} should be listed")

    # -- plates, wells, series -----------------------------------------------------------

    def _plate(self, path: str, ome: Spot, version: str) -> None:
        plate = ome.get("plate")
        wells = plate.get("wells") if isinstance(plate, Mapping) else None
        if not isinstance(wells, list):
            return
        spot = ome.at("plate", plate)

        def one(well: Spot) -> None:
            name = well.get("path")
            if isinstance(name, str):
                parent = _Parent(version, well, "plate-well", "well")
                found = self._child(join(path, name), parent)
                if found is not None and "well" in found.kinds:
                    self._well(join(path, name), found, version, plate)

        for_each(one, spot.at("wells", wells).items())

    def _well(
        self, path: str, described: Described, version: str, plate: Mapping[str, Any] | None
    ) -> None:
        ome = Spot(self._findings, path, "ome" if version >= "0.5" else "", described.ome)
        well = ome.get("well")
        images = well.get("images") if isinstance(well, Mapping) else None
        if not isinstance(images, list):
            return
        spot = ome.at("well", well).at("images", images)
        for image in spot.items():
            name = image.get("path")
            if isinstance(name, str):
                parent = _Parent(version, image, "well-image", "image")
                self._child(join(path, name), parent)
            _check_acquisition(image, plate)
        count = plate.get("field_count") if plate is not None else None
        if isinstance(count, int) and len(images) > count:
            spot.warn("plate-field-count", f"{len(images)} fields where the plate says {count}")

    def _series(self, path: str, ome: Spot, version: str) -> None:
        """Look at every image of a series: those that ``OME`` lists, else 0, 1, 2 and so on."""
        listed = self._listed(join(path, "OME"), version)
        if listed is not None:
            for spot in listed:
                if isinstance(spot.value, str):
                    self._child(join(path, spot.value), _Parent(version, spot, "series", "image"))
            return
        number = 0
        while True:
            try:
                crud.read_metadata(self._store, join(path, str(number)))
            except AnyzarrError as error:
                if number == 0 or not isinstance(error, NodeNotFoundError):
                    ome.error("series-image", f"image {number} cannot be read: {error.message}")
                return
            self._child(join(path, str(number)), _Parent(version, ome, "series", "image"))
            number += 1

    def _listed(self, path: str, version: str) -> list[Spot] | None:
        try:
            document = crud.read_metadata(self._store, path)
        except NodeNotFoundError:
            return None
        except AnyzarrError as error:
            Spot(self._findings, path, "", None).error("series-unreadable", error.message)
            return None
        self._count()
        described = self._group(path, document, version)
        series = described.ome.get("series")
        spot = Spot(self._findings, path, "ome" if version >= "0.5" else "", described.ome)
        return list(spot.at("series", series).items()) if isinstance(series, list) else None


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _check_label_dtypes(pyramid: Pyramid) -> None:
    for level in pyramid.levels:
        if level.metadata.dtype.kind not in "iu":
            pyramid.spot.error(
                "label-dtype",
                f"level {level.path!r} is of {level.metadata.data_type.name}; labels must be "
                "integers of 8 to 64 bits",
            )


def _check_label(label: Described, spot: Spot, n_levels: int | None) -> None:
    if "label" not in label.kinds:
        spot.warn("image-label", f"the label image {spot.shown} should have the key 'image-label'")
    multiscales = label.ome.get("multiscales")
    first = multiscales[0] if isinstance(multiscales, list) and multiscales else None
    datasets = first.get("datasets") if isinstance(first, Mapping) else None
    if n_levels and isinstance(datasets, list) and len(datasets) != n_levels:
        spot.error(
            "label-levels",
            f"{len(datasets)} levels where the image has {n_levels}; there must be as many",
        )


def _check_acquisition(image: Spot, plate: Mapping[str, Any] | None) -> None:
    listed = plate.get("acquisitions") if plate is not None else None
    if not isinstance(listed, list) or not listed:
        return
    known = [a.get("id") for a in listed if isinstance(a, Mapping)]
    found = image.get("acquisition")
    if found is None and len(known) > 1:
        image.error("well-image-acquisition", "the plate has several acquisitions; say which")
    elif found is not None and found not in known:
        image.error("well-image-acquisition", f"{found} is none of the acquisitions {known}")
