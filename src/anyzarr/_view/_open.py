"""From a location to what pictures are made from: one image, or many with their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from anyzarr import crud
from anyzarr._info import (
    ArrayInfo,
    GroupInfo,
    ImageInfo,
    LabelInfo,
    LabelsInfo,
    PlateInfo,
    SeriesInfo,
    VectorsInfo,
    WellInfo,
    info,
)
from anyzarr._info._collections import fields_below
from anyzarr._nodes import Array, Group, locate, open_array, open_group
from anyzarr._view._overlay import LabelLayer
from anyzarr._view._source import Source, source_of_array
from anyzarr._view._vector_overlay import VectorLayer
from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError, SelectionError, UnsupportedError
from anyzarr.metadata import parse_group
from anyzarr.ome import Image, Labels
from anyzarr.stores import join
from anyzarr.vectors import ZVStore, open_zv

__all__ = ["Images", "Member", "Scene", "Wanted", "open_scene", "some", "wanted_labels"]

_MEMBERS_NAMED = 8
Wanted = tuple[str, ...] | Literal["auto", "all"]


@dataclass(frozen=True)
class Scene:
    """One image, ready to be looked at.

    Attributes
    ----------
    source
        Its levels, axes and channels.
    layers
        The label images to show with it.
    notes
        Label images and vectors that cannot be shown, in sentences.
    is_label
        Whether the image is a label image, and its only layer.
    vectors
        The vector stores to show with it.
    """

    source: Source
    layers: tuple[LabelLayer, ...] = ()
    notes: tuple[str, ...] = ()
    is_label: bool = False
    vectors: tuple[VectorLayer, ...] = ()


@dataclass(frozen=True)
class Member:
    """One image of many.

    Attributes
    ----------
    name
        Its path relative to the plate, well or series; where there is none, that of the well.
    place
        Row and column on the plate, or None.
    error
        Why there is nothing to open, or None. ``is_absent``: because the well has no such field.
    """

    name: str
    place: tuple[int, int] | None = None
    error: AnyzarrError | None = None
    is_absent: bool = False


@dataclass(frozen=True)
class Images:
    """The images of a plate, well or series.

    Attributes
    ----------
    kind, name
        What they are of.
    members
        In order.
    rows, columns
        Names, of a plate; empty otherwise.
    store, path, engine, labels
        How to open them; see :meth:`open`.
    """

    kind: str
    name: str
    members: tuple[Member, ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    store: Store
    path: str
    engine: str | None
    labels: Wanted

    def open(self, member: Member) -> Scene:
        """Return one of them, ready to be looked at.

        Raises
        ------
        AnyzarrError
            It cannot be read.
        """
        if member.error is not None:
            raise member.error
        facts = info(self.store, path=join(self.path, member.name), engine=self.engine)
        if not isinstance(facts, ImageInfo):
            raise UnsupportedError(f"{member.name} holds no image")
        return _scene(facts, self.store, self.engine, () if self.labels == "auto" else self.labels)


def wanted_labels(labels: str | Sequence[str] | None) -> Wanted:
    """Return which label images, or vectors, are asked for by ``preview``'s argument."""
    if labels is None or labels == "none":
        return ()
    if labels == "auto":
        return "auto"
    if labels == "all":
        return "all"
    return (labels,) if isinstance(labels, str) else tuple(labels)


def open_scene(
    location: Any,
    *,
    path: str,
    field: str | None,
    labels: Wanted,
    vectors: Wanted,
    engine: str | None,
    backend: str | None,
    **backend_kwargs: Any,
) -> Scene | Images | ZVStore:
    """Return the image, array, plate, well, series or vector store at a location.

    Raises
    ------
    UnsupportedError
        There is a group that is none of these; the message names its members.
    SelectionError
        There is no such label image, or no such field of view in any well.
    """
    store, path = locate(location, path, backend, backend_kwargs)
    facts = info(store, path=path, engine=engine)
    if isinstance(facts, GroupInfo | LabelsInfo):
        raise UnsupportedError(_nothing_to_show(facts))
    if isinstance(facts, VectorsInfo):
        return open_zv(open_group(store, path=path, mode="r"))
    if isinstance(facts, ArrayInfo):
        name = path.rpartition("/")[2] or facts.location.rstrip("/").rpartition("/")[2]
        return Scene(source_of_array(name, _open(store, path, engine), facts.dimension_names))
    if isinstance(facts, ImageInfo):
        scene = _scene(facts, store, engine, labels)
        return replace(scene, vectors=_vector_layers(facts, store, vectors))
    if vectors not in ("auto", ()):
        raise UnsupportedError(
            f"vectors={vectors!r} cannot be shown over the many images of a {facts.kind}; give "
            "the path of one image",
            kind="vectors",
        )
    if isinstance(facts, PlateInfo):
        members = _wells(facts, store, field)
        rows, columns = facts.rows, facts.columns
    else:
        members, rows, columns = _named(facts), (), ()
    return Images(facts.kind, facts.name, members, rows, columns, store, path, engine, labels)


def _wells(facts: PlateInfo, store: Store, field: str | None) -> tuple[Member, ...]:
    """Return the field of view to show of each well."""
    fields = fields_below(store, facts.path, [well.path for well in facts.wells])
    rows = {name: i for i, name in enumerate(facts.rows)}
    columns = {name: i for i, name in enumerate(facts.columns)}
    members = []
    for well in facts.wells:
        place = rows[well.row], columns[well.column]
        found = fields[well.path]
        if isinstance(found, AnyzarrError):
            members.append(Member(well.path, place, found))
        elif not found or (field is not None and field not in found):
            what = "fields of view" if field is None else f"field of view {field!r}"
            absent = SelectionError(f"{well.path} has no {what}; it has {some(found)}")
            members.append(Member(well.path, place, absent, is_absent=True))
        else:
            members.append(Member(join(well.path, field or found[0]), place))
    return tuple(members)


def _named(facts: WellInfo | SeriesInfo) -> tuple[Member, ...]:
    return tuple(Member(name) for name in facts.images)


def _scene(facts: ImageInfo, store: Store, engine: str | None, labels: Wanted) -> Scene:
    source = _source_of_image(facts, store, engine)
    if facts.label is not None:
        layer = LabelLayer(facts.name, source, _colors(store, facts.path))
        return Scene(source, (layer,), is_label=True)
    known = {label.name: label for label in facts.labels}
    if isinstance(labels, tuple):
        layers = tuple(_layer(facts, _asked(name, known), store, engine) for name in labels)
        return Scene(source, layers)
    found, notes = [], list(facts.notes)
    for label in facts.labels:
        try:
            found.append(_layer(facts, label, store, engine))
        except AnyzarrError as error:
            notes.append(f"the label image {label.name!r} cannot be shown: {error.message}")
    return Scene(source, tuple(found), tuple(notes))


def _vector_layers(facts: ImageInfo, store: Store, wanted: Wanted) -> tuple[VectorLayer, ...]:
    """Return the vector stores to draw over an image."""
    known = [layer.name for layer in facts.vectors]
    names = wanted if isinstance(wanted, tuple) else known
    if missing := [name for name in names if name not in known]:
        raise SelectionError(f"there are no vectors {missing[0]!r}; there are {some(known)}")
    if not names:
        return ()
    group = Group(parse_group(crud.read_metadata(store, facts.path)), store, facts.path)
    stores = Image(group).vectors()
    return tuple(VectorLayer(name, stores[name]) for name in names)


def _asked(name: str, known: dict[str, LabelInfo]) -> LabelInfo:
    if name not in known:
        raise SelectionError(f"there is no label image {name!r}; there are {some([*known])}")
    return known[name]


def _layer(facts: ImageInfo, label: LabelInfo, store: Store, engine: str | None) -> LabelLayer:
    path = join(facts.path, f"labels/{label.name}")
    found = info(store, path=path, engine=engine)
    if not isinstance(found, ImageInfo):
        raise UnsupportedError(f"{path} holds no image")
    return LabelLayer(label.name, _source_of_image(found, store, engine), _colors(store, path))


def _colors(store: Store, path: str) -> dict[float, tuple[int, int, int, int]]:
    return Labels(Group(parse_group(crud.read_metadata(store, path)), store, path)).colors


def _source_of_image(facts: ImageInfo, store: Store, engine: str | None) -> Source:
    placed = all(axis.scale is not None for axis in facts.axes)
    return Source(
        name=facts.name,
        axes=tuple(axis.name for axis in facts.axes),
        units=tuple(axis.unit if placed else None for axis in facts.axes),
        levels=[_open(store, join(facts.path, level.path), engine) for level in facts.levels],
        scales=[level.scale or (1.0,) * len(facts.axes) for level in facts.levels],
        channels=facts.channels,
        placement=[level.translation or (0.0,) * len(facts.axes) for level in facts.levels],
    )


def _open(store: Store, path: str, engine: str | None) -> Array:
    return open_array(store, path=path, mode="r", engine=engine)


def _nothing_to_show(facts: GroupInfo | LabelsInfo) -> str:
    where = f"{facts.location.rstrip('/')}/{facts.path}".rstrip("/")
    if isinstance(facts, LabelsInfo):
        names = [label.name for label in facts.labels]
        return (
            f"{where} lists the label images of an image; preview that image, or give the path of "
            f"one of them ({some(names)})"
        )
    if facts.note:
        return f"{where} cannot be shown: {facts.note}"
    return (
        f"{where} is a group that is no image, so there is nothing to show; give the path of an "
        f"image or array in it (its members: {some([member.name for member in facts.members])})"
    )


def some(names: Sequence[str]) -> str:
    """Return the first few names in quotes, for a message."""
    more = f", … ({len(names)} in all)" if len(names) > _MEMBERS_NAMED else ""
    return ", ".join(map(repr, names[:_MEMBERS_NAMED])) + more or "none"
