"""Channels of an image: names, colours and contrast (the ``omero`` metadata)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from anyzarr.errors import MetadataError
from anyzarr.ome._colors import color_of, default_colors

__all__ = ["Channel", "Omero", "Window", "channels_of_length", "default_channels"]

_SIX_HEX = re.compile(r"[0-9A-Fa-f]{6}")


@dataclass(frozen=True, slots=True)
class Window:
    """The contrast window of a channel.

    Attributes
    ----------
    min, max
        The values there can be.
    start, end
        The values shown as darkest and brightest.
    extra
        Further keys of the document, kept on rewriting.
    """

    min: float
    max: float
    start: float
    end: float
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return the window as it stands in the metadata."""
        return {
            "min": self.min, "max": self.max, "start": self.start, "end": self.end, **self.extra
        }  # fmt: skip

    @classmethod
    def of_dtype(cls, dtype: np.dtype[Any]) -> Window:
        """Return the window that shows all of a dtype: its range, or [0, 1] for floats."""
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            return cls(int(info.min), int(info.max), int(info.min), int(info.max))
        return cls(0, 1, 0, 1)


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of an image.

    Attributes
    ----------
    label
        Its name, or None where it has none.
    color
        Six hexadecimal digits, red first, or None.
    window
        Its contrast, or None.
    active
        Whether viewers show it at first, or None where the metadata does not say.
    extra
        Further keys of the document, kept on rewriting.

    Raises
    ------
    MetadataError
        The colour is not six hexadecimal digits.
    """

    label: str | None = None
    color: str | None = None
    window: Window | None = None
    active: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def check(self) -> None:
        """Raise :class:`MetadataError` unless the colour is six hexadecimal digits."""
        if self.color is not None and not _SIX_HEX.fullmatch(self.color):
            raise MetadataError(
                f"the colour {self.color!r} of channel {self.label!r} is not six hexadecimal "
                "digits; write it as in 'FF0000'"
            )

    def to_document(self) -> dict[str, Any]:
        """Return the channel as it stands in the metadata."""
        stated = {
            "label": self.label,
            "color": self.color,
            "window": None if self.window is None else self.window.to_document(),
            "active": self.active,
        }
        return {**{k: v for k, v in stated.items() if v is not None}, **self.extra}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Channel:
        """Return the channel a document describes; what is odd about it is kept as it is."""
        known = {"label", "color", "active"}
        window = _window_of(document.get("window"))
        if window is not None:
            known.add("window")
        label, color, active = (document.get(k) for k in ("label", "color", "active"))
        return cls(
            None if label is None else str(label),
            None if color is None else str(color),
            window,
            None if active is None else bool(active),
            {k: v for k, v in document.items() if k not in known},
        )


def _window_of(document: Any) -> Window | None:
    names = ("min", "max", "start", "end")
    if not isinstance(document, Mapping) or not all(n in document for n in names):
        return None
    rest = {k: v for k, v in document.items() if k not in names}
    low, high, start, end = (document[n] for n in names)
    return Window(low, high, start, end, rest)


@dataclass(frozen=True, slots=True)
class Omero:
    """The ``omero`` metadata of an image.

    Attributes
    ----------
    channels
        In the order of the channel axis.
    extra
        Further keys of the document (``rdefs``, ``id``, …), kept on rewriting.
    """

    channels: tuple[Channel, ...]
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        return {"channels": [c.to_document() for c in self.channels], **self.extra}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Omero:
        """Return what a document describes.

        Raises
        ------
        MetadataError
            ``channels`` is no list of documents.
        """
        channels = document.get("channels", [])
        if not isinstance(channels, list) or not all(isinstance(c, Mapping) for c in channels):
            raise MetadataError("'omero.channels' must be a list of documents, one per channel")
        rest = {k: v for k, v in document.items() if k != "channels"}
        return cls(tuple(Channel.from_document(c) for c in channels), rest)


def default_channels(
    n: int,
    dtype: np.dtype[Any],
    *,
    names: Sequence[str] | None = None,
    given: Sequence[Channel] | None = None,
) -> tuple[Channel, ...]:
    """Return complete channels: what is given, and defaults for what is not.

    Parameters
    ----------
    n
        How many there are.
    dtype
        Of the image; its range is the default window.
    names
        Their labels.
    given
        What is known of each.

    Raises
    ------
    MetadataError
        ``names`` or ``given`` do not have ``n`` entries, or a colour is not valid.
    """
    for what, known in (("channel names", names), ("channels", given)):
        if known is not None and len(known) != n:
            raise MetadataError(f"the image has {n} channels, and {len(known)} {what} are given")
    channels = tuple(given) if given is not None else (Channel(),) * n
    labels = names or [c.label or f"Channel {i}" for i, c in enumerate(channels)]
    complete = tuple(
        _complete(replace(channel, label=str(label)), color, dtype)
        for channel, label, color in zip(channels, labels, default_colors(n), strict=True)
    )
    for channel in complete:
        channel.check()
    return complete


def _complete(channel: Channel, color: str, dtype: np.dtype[Any]) -> Channel:
    """Return a channel with all it needs; ``color`` is for names that tell none."""
    return replace(
        channel,
        color=channel.color or color_of(channel.label or "") or color,
        window=channel.window or Window.of_dtype(dtype),
        active=True if channel.active is None else channel.active,
    )


def channels_of_length(
    channels: Sequence[Channel], n: int, dtype: np.dtype[Any], names: Sequence[str] = ()
) -> tuple[Channel, ...]:
    """Return the first ``n`` channels, and new ones where there are fewer.

    Parameters
    ----------
    channels
        Those there are; they stay as they are.
    n
        How many there are to be.
    dtype
        Of the image; its range is the window of new channels.
    names
        Of the new channels; ``Channel 3`` where it is too short.
    """
    result = list(channels[:n])
    taken = {channel.color for channel in channels}
    for index in range(len(result), n):
        new = index - len(channels)
        label = names[new] if new < len(names) else f"Channel {index}"
        free = [color for color in default_colors(6) if color not in taken]
        color = free[0] if free else default_colors(n)[index]
        result.append(_complete(Channel(label), color, dtype))
        taken.add(result[-1].color)
    return tuple(result)
