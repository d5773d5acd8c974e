"""Codecs as a caller gives them: short names, v3 and v2 objects, other libraries' codecs."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any

from anyzarr.metadata._check import invalid, named
from anyzarr.metadata._codecs import role_of, spec_from_v2
from anyzarr.metadata._model import CodecSpec

__all__ = ["as_chain", "as_codec"]

_SHORT = re.compile(r"([a-z0-9_.-]+?)(?:-(blosclz|lz4|lz4hc|snappy|zlib|zstd))?(?::(-?[0-9]+))?")
_LEVEL_NAME: Mapping[str, str] = {
    "zstd": "level",
    "gzip": "level",
    "blosc": "clevel",
    "numcodecs.zlib": "level",
    "numcodecs.bz2": "level",
    "numcodecs.lz4": "acceleration",
    "numcodecs.lzma": "preset",
}
# What zarr-python 3 takes where its codecs are not told.
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "zstd": {"level": 0, "checksum": False},
    "gzip": {"level": 5},
    "blosc": {"cname": "zstd", "clevel": 5, "blocksize": 0},
    "numcodecs.zlib": {"level": 1},
    "numcodecs.bz2": {"level": 1},
    "numcodecs.lz4": {"acceleration": 1},
}
_FORMS = (
    'must be a codec: a short name such as "zstd:3", {"name": …}, {"id": …}, '
    "or a codec of zarr-python or numcodecs"
)


def as_chain(value: Any, field: str, itemsize: int) -> tuple[CodecSpec, ...]:
    """Return the codecs of a parameter that takes none, one or several.

    Parameters
    ----------
    value
        None, a codec, or an iterable of codecs.
    field
        Name of the parameter, for the errors.
    itemsize
        Of the array's dtype in bytes; blosc shuffles by it.
    """
    if value is None:
        return ()
    if isinstance(value, str | Mapping) or _is_live(value):
        return (as_codec(value, field, itemsize),)
    try:
        entries = list(value)
    except TypeError:
        raise invalid(field, value, _FORMS) from None
    return tuple(as_codec(entry, f"{field}[{i}]", itemsize) for i, entry in enumerate(entries))


def as_codec(value: Any, field: str, itemsize: int) -> CodecSpec:
    """Return one codec by its v3 name, its configuration complete."""
    if isinstance(value, CodecSpec):
        return _complete(value.name, value.configuration, itemsize)
    if isinstance(value, str):
        return _from_short_name(value, field, itemsize)
    if _is_live(value):
        value = _describe(value)
    if not isinstance(value, Mapping):
        raise invalid(field, value, _FORMS)
    if "id" in value and "name" not in value:
        return spec_from_v2(_plain(value), field, itemsize)
    definition = named(_plain(value), field)
    return _complete(definition.name, definition.configuration, itemsize)


def _is_live(value: Any) -> bool:
    return hasattr(value, "get_config") or hasattr(value, "to_dict")


def _describe(codec: Any) -> Any:
    """Return the document form of a codec object of numcodecs or zarr-python."""
    if not hasattr(codec, "to_dict"):
        return codec.get_config()
    described = dict(codec.to_dict())
    # zarr-python's blosc takes these from the array, unless they were given.
    open_settings = getattr(codec, "_tunable_attrs", ())
    if open_settings and isinstance(described.get("configuration"), Mapping):
        described["configuration"] = {
            k: v for k, v in described["configuration"].items() if k not in open_settings
        }
    return described


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _from_short_name(text: str, field: str, itemsize: int) -> CodecSpec:
    match = _SHORT.fullmatch(text)
    name, compressor, level = match.groups() if match else (text, None, None)
    if role_of(text) is not None:
        name, compressor, level = text, None, None
    prefixed = f"numcodecs.{name}"
    if prefixed in _LEVEL_NAME:
        name = prefixed
    if role_of(name) is None or (compressor and name != "blosc"):
        raise invalid(field, text, _FORMS)
    configuration: dict[str, Any] = {} if compressor is None else {"cname": compressor}
    if level is not None:
        if name not in _LEVEL_NAME:
            raise invalid(field, text, f"must not have a level: {name} has none")
        configuration[_LEVEL_NAME[name]] = int(level)
    return _complete(name, configuration, itemsize)


def _complete(name: str, configuration: Mapping[str, Any], itemsize: int) -> CodecSpec:
    settings = {**_DEFAULTS.get(name, {}), **configuration}
    if name == "blosc":
        if settings.get("typesize") is None:
            settings["typesize"] = itemsize if 0 < itemsize < 256 else 1
        if settings.get("shuffle") is None:
            settings["shuffle"] = "bitshuffle" if settings["typesize"] == 1 else "shuffle"
    return CodecSpec(name, settings)
