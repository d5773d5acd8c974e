"""What every plate node is made of: its group, its metadata, its members' documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from anyzarr._nodes import Group
from anyzarr.errors import MetadataError
from anyzarr.ome._axes import Axis
from anyzarr.ome._documents import ome_of
from anyzarr.ome._new_fields import NewFields
from anyzarr.ome._node import OmeNode
from anyzarr.ome._plate_layout import Arrival, PlateLayout
from anyzarr.ome._plate_model import PlateMetadata
from anyzarr.ome._plate_read import fields_of, groups_at, located, well_paths
from anyzarr.ome._position import Position
from anyzarr.ome._well import Well
from anyzarr.stores import join

if TYPE_CHECKING:
    from anyzarr.ome._plate import Plate

__all__ = ["PlateNode"]

Self = TypeVar("Self", bound="PlateNode")

_TOGETHER = 64


class PlateNode(OmeNode):
    """The group of a plate, what its metadata says, and handles on what it holds.

    :class:`~anyzarr.ome.Plate` is this with the methods of each concern.
    """

    def __init__(
        self,
        group: Group,
        *,
        version: str = "0.5",
        axes: Sequence[Axis] | None = None,
        channel_names: Sequence[str] | None = None,
        engine: str | None = None,
    ) -> None:
        super().__init__(
            group, version=version, axes=axes, channel_names=channel_names, engine=engine
        )
        self._parsed: tuple[Mapping[str, Any], PlateMetadata] | None = None
        self._layout: PlateLayout | None = None
        self._pending: list[Arrival] = []
        self._maker: tuple[Any, NewFields] | None = None
        self._deferring = 0
        self._flushed_at = 0.0

    # -- what it is ----------------------------------------------------------------------

    @property
    def name(self) -> str | None:
        """The name the metadata gives the plate, or None."""
        return self.metadata.name

    @property
    def version(self) -> str:
        """The OME-Zarr version of the metadata."""
        return self._stored.version

    @property
    def metadata(self) -> PlateMetadata:
        """The plate's metadata, with what this handle has created.

        As it was when the plate was opened, changed or iterated over last; :meth:`refresh`
        reads it again.

        Raises
        ------
        MetadataError
            It is of the wrong kind.
        """
        return self._layout.metadata if self._layout is not None else self._stored

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of images to be created; empty where neither they nor an image is given."""
        return tuple(self._defaults()[0] or ())

    @property
    def axis_names(self) -> list[str]:
        """The names of the axes."""
        return [axis.name for axis in self.axes]

    @property
    def channel_names(self) -> list[str]:
        """The channels of images to be created: a copy."""
        return list(self._defaults()[1] or ())

    def refresh(self: Self) -> Self:
        """Read the metadata again, for what others changed; return self."""
        self._group.refresh()
        return self

    # -- inside --------------------------------------------------------------------------

    @property
    def _whole(self) -> Plate:
        # Nothing but plates is made of this.
        return cast("Plate", self)

    @property
    def _stored(self) -> PlateMetadata:
        return self._plate_of(self._group.metadata.attributes)

    def _plate_of(self, attributes: Mapping[str, Any]) -> PlateMetadata:
        """Return what attributes say of the plate; those of the same content are parsed once."""
        ome = ome_of(attributes)
        if self._parsed is None or self._parsed[0] != ome:
            self._parsed = ome, self._parse(attributes)
        return self._parsed[1]

    def _parse(self, attributes: Mapping[str, Any]) -> PlateMetadata:
        if "plate" not in ome_of(attributes):
            named = self.path or self._group.backend != "memory"
            title = self._group.name.removesuffix(".zarr").removesuffix(".ome") if named else ""
            return PlateMetadata(self._version, name=title or None)
        try:
            return PlateMetadata.from_attributes(attributes)
        except MetadataError as error:
            raise located(error, self.store, self.path) from error

    def _paths(self, wanted: Callable[[str], bool] | None = None) -> list[str]:
        """Return the paths of the wells, as the plate's document has them now."""
        self.refresh()
        metadata, attributes = self._stored, self._group.metadata.attributes
        stated = "wells" in ome_of(attributes).get("plate", {"wells": ()})
        paths = well_paths(self.store, self.path, metadata, stated=stated)
        return paths if wanted is None else [path for path in paths if wanted(path)]

    def _groups(self, paths: Sequence[str], by: str) -> Iterator[tuple[str, Group]]:
        found = groups_at(self.store, [join(self.path, path) for path in paths], by)
        for path, (full, metadata) in zip(paths, found, strict=True):
            yield path, Group(metadata, self.store, full, self._engine)

    def _wells(self, wanted: Callable[[str], bool] | None = None) -> Iterator[tuple[str, Well]]:
        for path, group in self._groups(self._paths(wanted), f"the plate {self.url!r}"):
            yield path, self._well(group)

    def _positions(
        self, wanted: Callable[[str], bool] | None = None
    ) -> Iterator[tuple[str, Position]]:
        paths = self._paths(wanted)
        for start in range(0, len(paths), _TOGETHER):
            wells = self._groups(paths[start : start + _TOGETHER], f"the plate {self.url!r}")
            fields = [
                join(path, name)
                for path, group in wells
                for name in fields_of(self.store, group.path, group.metadata)
            ]
            for path, group in self._groups(fields, f"its well in {self.url!r}"):
                yield path, self._position(group)

    def _well(self, group: Group) -> Well:
        return Well(group, version=self.version, engine=self._engine, plate=self._whole)

    def _position(self, group: Group) -> Position:
        relative = group.path[len(self.path) :].strip("/").split("/")
        axes, channels = self._new_axes, self._new_channels
        if "multiscales" not in ome_of(group.metadata.attributes):
            axes, channels = self._defaults()
        return Position(
            group,
            version=self.version,
            axes=axes,
            channel_names=channels,
            engine=self._engine,
            place=(relative[0], relative[1], relative[2]),
            plate=self._whole,
        )

    def _defaults(self) -> tuple[tuple[Axis, ...] | None, list[str] | None]:
        """Return axes and channels for new images: as given, else those of the first image."""
        if self._new_axes is None or self._new_channels is None:
            first = self._first_image()
            if first is not None:
                self._new_axes = self._new_axes or first.axes
                self._new_channels = self._new_channels or first.channel_names or None
        return self._new_axes, self._new_channels

    def _first_image(self) -> Position | None:
        if "plate" not in ome_of(self._group.metadata.attributes):
            return None
        for path in well_paths(self.store, self.path, self._stored, stated=True)[:1]:
            (_, well), *_ = self._groups([path], f"the plate {self.url!r}")
            for name in fields_of(self.store, well.path, well.metadata)[:1]:
                (_, group), *_ = self._groups([join(path, name)], f"its well in {self.url!r}")
                position = Position(group, engine=self._engine)
                return position if position.has_data else None
        return None
