"""The channels of an image: names, colours, contrast, and the arrays kept in step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array
from anyzarr.crud._regions import require_writable
from anyzarr.errors import MetadataError
from anyzarr.ome._channels import Channel, Omero, Window, channels_of_length
from anyzarr.ome._contrast import window_of
from anyzarr.ome._image_levels import ImageLevels
from anyzarr.ome._model import ImageMetadata

__all__ = ["ImageChannels"]

_PERCENTILES = (0.1, 99.9)


class ImageChannels(ImageLevels):
    """An image node that knows and changes its channels."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels as the metadata describes them; empty where it does not."""
        omero = self.metadata.omero if self.has_data else None
        return () if omero is None else omero.channels

    @property
    def channel_names(self) -> list[str]:
        """The labels of the channels; empty where the metadata names none."""
        if not self.has_data:
            return list(self._new_channels or [])
        return [channel.label or "" for channel in self.channels]

    def get_channel_index(self, name: str | int) -> int:
        """Return the number of a channel, by its name.

        Raises
        ------
        MetadataError
            There is none of this name, or several.
        """
        return self._index_in(self.channel_names, name)

    def append_channel(self, name: str, resize_arrays: bool = True) -> int:
        """Add a channel after the last one; return its number.

        Parameters
        ----------
        name
            Its label; the colour follows from it where one is usual for it.
        resize_arrays
            Whether the arrays of all levels grow by it (its elements are the fill value);
            False: only the metadata.

        Raises
        ------
        MetadataError
            There is a channel of this name, or the image has no channel axis.

        Examples
        --------
        >>> import anyzarr, numpy as np
        >>> with anyzarr.open_ome_zarr({}, mode="w", axes="cyx", channel_names=["DAPI"]) as image:
        ...     array = image.create_image("0", np.ones((1, 8, 8), "uint8"))
        ...     _ = image.append_channel("GFP")
        ...     image.update_channel("GFP", 0, np.full((8, 8), 2, "uint8"))
        >>> image.channel_names, image.data.shape, [c.color for c in image.channels]
        (['DAPI', 'GFP'], (2, 8, 8), ['0000FF', '00FF00'])
        """
        axis, dtype = self._channel_axis, self.data.dtype
        while True:
            self._group.refresh()
            before = self.channels
            if self.metadata.omero is None:
                before = channels_of_length((), self.data.refresh().shape[axis], dtype)
            self._require_new(name)
            if resize_arrays:
                self._grow(axis, len(before) + 1)
            try:
                self._update(lambda metadata: _with_channel(metadata, before, name, dtype))  # noqa: B023
            except _OthersWereFasterError:
                continue
            return len(self.channels) - 1

    def _grow(self, axis: int, n: int) -> None:
        """Give the arrays of all levels this many channels; of those cut short, some have them."""
        require_writable(self.store, self.path)
        self.metadata.to_attributes()  # refuses a version that is not written
        for array in self.levels:
            shape = array.refresh().shape
            if shape[axis] < n:
                Array.resize(array, (*shape[:axis], n, *shape[axis + 1 :]))

    def rename_channel(self, old: str | int, new: str) -> None:
        """Give a channel another label. Colour and contrast stay.

        Raises
        ------
        MetadataError
            There is no such channel, or one of the new name already.
        """
        self.get_channel_index(old)
        self._change_channel(old, label=new)

    def set_channel(
        self,
        channel: str | int,
        *,
        label: str | None = None,
        color: str | None = None,
        active: bool | None = None,
    ) -> None:
        """Change what viewers make of a channel; None leaves it as it is.

        Parameters
        ----------
        channel
            Its label or number.
        label
            Its new label.
        color
            Six hexadecimal digits, red first.
        active
            Whether viewers show it at first.
        """
        self.get_channel_index(channel)
        given = {"label": label, "color": color, "active": active}
        self._change_channel(channel, **{k: v for k, v in given.items() if v is not None})

    def update_channel(self, name: str | int, target: int | str, data: npt.ArrayLike) -> None:
        """Replace the elements of one channel in a level.

        Parameters
        ----------
        name
            The channel.
        target
            The level, by number or path. Other levels are not computed again.
        data
            Of the level's shape without the channel axis.
        """
        axis, index = self._channel_axis, self.get_channel_index(name)
        self[target][(slice(None),) * axis + (index,)] = data

    def set_contrast_limits(
        self,
        channel: str | int,
        window: Window | Mapping[str, float] | Sequence[float] | None = None,
        *,
        percentiles: tuple[float, float] | None = None,
    ) -> Window:
        """Set the values of a channel that are shown darkest and brightest.

        Parameters
        ----------
        channel
            Its label or number.
        window
            ``(start, end)``; a :class:`~anyzarr.ome.Window`; or any of ``start``, ``end``,
            ``min``, ``max`` by name, the others staying as they are. None: from the pixels.
        percentiles
            Of the pixels of the lowest level, where ``window`` is None: ``(0.1, 99.9)`` unless
            given.

        Returns
        -------
        Window
            What was set.

        Raises
        ------
        MetadataError
            Both are given, the channel is not there, or its pixels are all equal.
        """
        if window is not None and percentiles is not None:
            raise MetadataError("give either a window or percentiles of the pixels, not both")
        index = self.get_channel_index(channel)
        known = self.channels[index].window or Window.of_dtype(self.data.dtype)
        if window is None:
            found = window_of(self.levels[-1], self.axes, index, percentiles or _PERCENTILES, known)
            if found is None:
                raise MetadataError(
                    f"the pixels of channel {channel!r} do not tell a contrast: all are equal or "
                    "none is a number; give a window such as (0, 255)"
                )
        else:
            found = _window(window, known)
        self._change_channel(channel, window=found)
        return found

    # -- inside --------------------------------------------------------------------------

    @property
    def _channel_axis(self) -> int:
        for index, axis in enumerate(self.axes):
            if axis.type == "channel":
                return index
        raise MetadataError(
            f"the image at {self.url!r} has no channel axis; its axes are "
            f"{', '.join(map(repr, self.axis_names))}"
        )

    def _index_in(self, names: Sequence[str], name: str | int) -> int:
        if isinstance(name, int):
            if 0 <= name < len(names):
                return name
        elif list(names).count(name) == 1:
            return names.index(name)
        problem = "several channels called" if name in names else "no channel"
        raise MetadataError(
            f"the image at {self.url!r} has {problem} {name!r}; its channels are "
            f"{', '.join(map(repr, names)) or 'not named'}",
            kind="channel",
            path=self.path,
        )

    def _require_new(self, name: str, names: Sequence[str] | None = None) -> None:
        if name in (self.channel_names if names is None else names):
            raise MetadataError(
                f"the image at {self.url!r} has a channel {name!r} already; give another name",
                kind="channel",
                path=self.path,
            )

    def _change_channel(self, channel: str | int, **changes: Any) -> None:
        def change(metadata: ImageMetadata) -> ImageMetadata:
            omero = metadata.omero or Omero(())
            channels = list(omero.channels)
            names = [c.label or "" for c in channels]
            index = self._index_in(names, channel)
            label = changes.get("label", names[index])
            if label != names[index]:
                self._require_new(label, names)
            channels[index] = replace(channels[index], **changes)
            channels[index].check()
            return replace(metadata, omero=replace(omero, channels=tuple(channels)))

        self._update(change)


class _OthersWereFasterError(Exception):
    """Another handle changed the number of channels meanwhile."""


def _with_channel(
    metadata: ImageMetadata, before: Sequence[Channel], name: str, dtype: np.dtype[Any]
) -> ImageMetadata:
    """Return metadata with one more channel, where there are still as many as before."""
    stored = metadata.omero.channels if metadata.omero is not None else tuple(before)
    if len(stored) != len(before):
        raise _OthersWereFasterError
    channels = channels_of_length(stored, len(stored) + 1, dtype, [name])
    omero = metadata.omero or Omero(())
    return replace(metadata, omero=replace(omero, channels=channels))


def _window(given: Window | Mapping[str, float] | Sequence[float], known: Window) -> Window:
    if isinstance(given, Window):
        window = given
    elif isinstance(given, Mapping):
        odd = set(given) - {"min", "max", "start", "end"}
        if odd:
            raise MetadataError(f"a window has min, max, start and end, not {sorted(odd)}")
        changes: dict[str, Any] = dict(given)
        window = replace(known, **changes)
    elif len(given) == 2:
        window = replace(known, start=given[0], end=given[1])
    else:
        raise MetadataError(f"{given!r} is no window: give (start, end)")
    if not window.start < window.end:
        raise MetadataError(
            f"the window from {window.start} to {window.end} shows nothing; start must be below end"
        )
    low, high = min(window.min, window.start), max(window.max, window.end)
    return replace(window, min=low, max=high)
