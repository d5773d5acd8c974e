"""A series of images in bioformats2raw's layout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from anyzarr import crud
from anyzarr._nodes import Array, Group
from anyzarr._url import redact
from anyzarr.crud._batch import create_new_nodes, read_documents
from anyzarr.crud._nodes import node_lock_key, normalize_path
from anyzarr.crud._process_locks import exclusive
from anyzarr.crud._regions import require_writable
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError
from anyzarr.metadata import group_document, is_array_document, parse_group
from anyzarr.ome._axes import Axis
from anyzarr.ome._documents import ome_of
from anyzarr.ome._node import OmeNode
from anyzarr.ome._plate_read import groups_at, located, natural
from anyzarr.ome._position import Position
from anyzarr.ome._versions import zarr_format_of
from anyzarr.ome._well_model import SeriesMetadata
from anyzarr.stores import join

__all__ = ["Bioformats2RawSeries"]

_SIDECAR = "OME"
_OME_XML = "OME/METADATA.ome.xml"


class Bioformats2RawSeries(OmeNode):
    """Several images in one hierarchy, as bioformats2raw writes them.

    All of them are reached, in the order of ``OME``'s ``series``; where there is no such list,
    the groups whose names are numbers, in their order. Made by :func:`anyzarr.open_ome_zarr`.

    Parameters
    ----------
    group
        The root of the layout.
    version
        The OME-Zarr version to write where the group states none.
    axes, channel_names
        Of the images to be created.
    engine
        What decodes and encodes the chunks.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> store = {}
    >>> with anyzarr.open_ome_zarr(store, layout="bf2raw", mode="w", axes="yx") as series:
    ...     for size in (64, 96):
    ...         position = series.create_image(np.ones((size, size), "uint8"))
    >>> series = anyzarr.open_ome_zarr(store)
    >>> [(name, position.data.shape) for name, position in series.positions()]
    [('0', (64, 64)), ('1', (96, 96))]
    """

    @property
    def version(self) -> str:
        """The OME-Zarr version of the metadata."""
        return self.metadata.version

    @property
    def metadata(self) -> SeriesMetadata:
        """What the metadata of the root and of ``OME`` say now.

        Raises
        ------
        MetadataError
            It is of the wrong kind.
        """
        listed = read_documents(self.store, [join(self.path, _SIDECAR)])[0]
        try:
            return SeriesMetadata.from_attributes(
                self._group.metadata.attributes,
                None if listed is None else listed.get("attributes", {}),
            )
        except MetadataError as error:
            raise located(error, self.store, self.path) from error

    @property
    def names(self) -> list[str]:
        """Paths of the images below the group, in order."""
        series = self.metadata.series
        if series is not None:
            return [normalize_path(path) for path in series]
        children = crud.list_children(self.store, self.path)
        numbers = [name for name, doc in children if name.isdigit() and not is_array_document(doc)]
        return sorted(numbers, key=natural)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of images to be created; by default those of the first image."""
        if self._new_axes is None:
            first = next((position for _, position in self.positions()), None)
            return first.axes if first is not None and first.has_data else ()
        return self._new_axes

    @property
    def axis_names(self) -> list[str]:
        """The names of the axes."""
        return [axis.name for axis in self.axes]

    @property
    def channel_names(self) -> list[str]:
        """The channels of images to be created; by default those of the first image."""
        if self._new_channels is None:
            first = next((position for _, position in self.positions()), None)
            return first.channel_names if first is not None else []
        return list(self._new_channels)

    @property
    def ome_xml(self) -> str | None:
        """The OME-XML that describes the images, or None where there is none.

        Raises
        ------
        MetadataError
            It is not UTF-8.
        """
        data = self.store.get(join(self.path, _OME_XML))
        try:
            return None if data is None else data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise MetadataError(
                f"{_OME_XML!r} in {self.url!r} is not UTF-8: {error.reason} at byte {error.start}"
            ) from error

    def write_ome_xml(self, text: str) -> None:
        """Replace the OME-XML that describes the images; it is stored as given."""
        require_writable(self.store, self.path)
        self.store.put(join(self.path, _OME_XML), text.encode())

    # -- its images ----------------------------------------------------------------------

    def positions(self) -> Iterator[tuple[str, Position]]:
        """Iterate over name and position of each image.

        Raises
        ------
        NodeNotFoundError
            The list names an image that is not there.
        MetadataError
            One cannot be read; the message names it.
        """
        names = self.names
        paths = [join(self.path, name) for name in names]
        found = groups_at(self.store, paths, f"the series {self.url!r}")
        for name, (path, metadata) in zip(names, found, strict=True):
            yield name, self._position(Group(metadata, self.store, path, self._engine))

    def __getitem__(self, name: int | str) -> Position:
        """Return an image by its path, or by its number in the order.

        Raises
        ------
        NodeNotFoundError
            There is none (also a ``KeyError``).
        """
        node: Array | Group | None = None
        if isinstance(name, str):
            node = self._group[name]
        elif -len(self.names) <= name < len(self.names):
            node = self._group[self.names[name]]
        if not isinstance(node, Group):
            raise NodeNotFoundError(
                f"the series {self.url!r} has no image {name!r}; it has {len(self)}: "
                f"{', '.join(map(repr, self.names[:10]))}",
                path=self.path,
            )
        return self._position(node)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def create_position(self, name: str | None = None) -> Position:
        """Create the group of an image, to be filled with :meth:`Position.create_image`.

        Parameters
        ----------
        name
            Its path; by default the next number.

        Raises
        ------
        NodeExistsError
            There is a node of that name.
        """
        require_writable(self.store, self.path)
        document = group_document(zarr_format=zarr_format_of(self.version))
        with exclusive(self.store, [node_lock_key(join(self.path, _SIDECAR))]):
            chosen = normalize_path(self._next_name() if name is None else name)
            if not chosen or chosen.partition("/")[0] == _SIDECAR:
                raise MetadataError(f"{name!r} is no name for an image of a series")
            if read_documents(self.store, [join(self.path, chosen)])[0] is not None:
                raise NodeExistsError(
                    f"the series {self.url!r} has a node {chosen!r} already; choose another name",
                    path=join(self.path, chosen),
                )
            parts = chosen.split("/")
            for depth in range(1, len(parts)):
                self._group.require_group("/".join(parts[:depth]))
            create_new_nodes([(join(self.path, chosen), document)], self.store)
            self._list(chosen)
        path = join(self.path, chosen)
        return self._position(Group(parse_group(document), self.store, path, self._engine))

    def create_image(self, data: Any = None, name: str | None = None, **options: Any) -> Position:
        """Create an image with its data, and list it.

        Parameters
        ----------
        data, **options
            As for :meth:`Image.create_image <anyzarr.ome.Image.create_image>`, the array of
            level 0 being called ``"0"``.
        name
            Path of the image; by default the next number.
        """
        position = self.create_position(name)
        position.create_image("0", data, **options)
        return position

    def __repr__(self) -> str:
        return f"<Bioformats2RawSeries {redact(self.url)} images={len(self)}>"

    # -- inside --------------------------------------------------------------------------

    def _next_name(self) -> str:
        numbers = [int(name) for name in self.names if name.isascii() and name.isdigit()]
        return str(max(numbers, default=-1) + 1)

    def _list(self, name: str) -> None:
        """Add an image to the list in ``OME``, which is made where there is none."""
        sidecar = join(self.path, _SIDECAR)
        names = self.names
        version = self.version

        def change(stored: dict[str, Any]) -> dict[str, Any]:
            before = ome_of(stored).get("series")
            after = [*(names if before is None else map(str, before))]
            series = tuple(after if name in after else [*after, name])
            return SeriesMetadata(version, series=series).to_list_attributes(stored)

        if read_documents(self.store, [sidecar])[0] is None:
            document = group_document(zarr_format=zarr_format_of(version))
            create_new_nodes([(sidecar, document)], self.store)
        crud.update_attributes(self.store, sidecar, change)

    def _position(self, group: Group) -> Position:
        return Position(
            group,
            version=self._group_version,
            axes=self._new_axes,
            channel_names=self._new_channels,
            engine=self._engine,
        )

    @property
    def _group_version(self) -> str:
        attributes = self._group.metadata.attributes
        return SeriesMetadata.from_attributes(attributes).version
