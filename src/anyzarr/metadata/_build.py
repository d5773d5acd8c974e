"""Making metadata documents, with the parameters of zarr-python 3's ``create_array``."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from anyzarr.errors import MetadataError
from anyzarr.metadata._check import invalid
from anyzarr.metadata._codecs import chain_json, spec_to_v2
from anyzarr.metadata._dtypes import (
    Dialect,
    data_type_json,
    data_type_of,
    has_byte_order,
    is_data_type_name,
    parse_data_type,
)
from anyzarr.metadata._dtypes_v2 import v2_dtype_json
from anyzarr.metadata._fill import default_fill, fill_json, parse_fill
from anyzarr.metadata._grid import parse_key_encoding
from anyzarr.metadata._layout import Layout, make_layout
from anyzarr.metadata._model import CodecSpec, DataType
from anyzarr.metadata._parse import parse, to_document
from anyzarr.metadata._specs import as_chain, as_codec

__all__ = ["array_document", "group_document"]


def group_document(
    zarr_format: Literal[2, 3] = 3, attributes: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the document of a new group, in merged form.

    Examples
    --------
    >>> from anyzarr.metadata import group_document
    >>> group_document()
    {'zarr_format': 3, 'node_type': 'group', 'attributes': {}}
    """
    node = {"node_type": "group"} if zarr_format == 3 else {}
    document = {"zarr_format": zarr_format, **node, "attributes": dict(attributes or {})}
    return to_document(parse(document))


def array_document(
    *,
    shape: int | Iterable[int],
    dtype: Any,
    chunks: Any = "auto",
    shards: Any = None,
    filters: Any = "auto",
    compressors: Any = "auto",
    serializer: Any = "auto",
    fill_value: Any = ...,
    order: Literal["C", "F"] | None = None,
    zarr_format: Literal[2, 3] = 3,
    attributes: Mapping[str, Any] | None = None,
    chunk_key_encoding: Any = None,
    dimension_names: Iterable[str | None] | None = None,
) -> dict[str, Any]:
    """Return the document of a new array, in merged form and checked.

    Parameters
    ----------
    shape
        Elements per dimension.
    dtype
        A numpy dtype or what numpy makes one of, the name of a Zarr data type (``"bfloat16"``,
        ``"string"``), its v3 object, or a zarr-python data type. v3 has no byte order: it is
        stored little-endian and native in memory.
    chunks
        Chunk shape; ``"auto"`` for :func:`guess_chunks`; one integer for every dimension; -1
        for a whole dimension; a list of lengths for a dimension of a rectilinear grid.
    shards
        Shard shape, a multiple of the chunks; ``"auto"`` for about 64 MiB; a list of lengths
        for a dimension of a rectilinear grid; ``{"shape": …, "index_location": …}``; None for
        none. v3 only.
    filters, serializer, compressors
        Codecs: v3 or v2 objects (``{"name": …}``, ``{"id": …}``), codecs of zarr-python or
        numcodecs, short names (``"zstd"``, ``"gzip:5"``, ``"blosc"``, ``"blosc-zstd:1"``), a
        list of them, None for none. ``"auto"``: zstd at its default level, and the codec the
        data type needs. v2 takes one compressor and no serializer.
    fill_value
        By default the zero of the data type (NaT for times). None is null in v2, and the
        default in v3.
    order
        ``"F"`` stores chunks in Fortran order; v2 only (in v3 use a ``transpose`` filter).
    zarr_format
        2 or 3.
    attributes
        User attributes.
    chunk_key_encoding
        ``"/"`` or ``"."``, or ``{"name": "default" | "v2", "separator": …}``. Default: ``/``
        below ``c`` in v3, ``.`` in v2.
    dimension_names
        One per dimension, None for an unnamed one. v3 only.

    Raises
    ------
    MetadataError
        A parameter is wrong, or does not go with another.
    UnsupportedError
        Zarr has no such data type.

    Examples
    --------
    >>> from anyzarr.metadata import array_document
    >>> document = array_document(shape=(8, 8), dtype="uint8", chunks=(4, 4), compressors=None)
    >>> document["chunk_grid"], document["codecs"]
    ({'name': 'regular', 'configuration': {'chunk_shape': [4, 4]}}, [{'name': 'bytes'}])
    """
    if zarr_format not in (2, 3):
        raise invalid("zarr_format", zarr_format, "must be 2 or 3")
    data_type, type_json = _data_type(dtype)
    lengths = _shape(shape)
    layout = make_layout(lengths, chunks, shards, max(1, data_type.dtype.itemsize))
    codecs = _Codecs.make(filters, serializer, compressors, data_type)
    encoding = _key_encoding(chunk_key_encoding, zarr_format)
    document: dict[str, Any] = {
        "zarr_format": zarr_format,
        "shape": list(lengths),
        "fill_value": _fill(fill_value, data_type, zarr_format, type_json),
    }
    if zarr_format == 2:
        _refuse_v3_only(layout, serializer, dimension_names)
        document |= {
            "chunks": layout.chunks,
            "dtype": v2_dtype_json(data_type),
            "order": order or "C",
            "dimension_separator": encoding["configuration"]["separator"],
            **codecs.v2(data_type, is_filter_auto=_is_auto(filters)),
        }
    else:
        _refuse_v2_only(order)
        document |= {
            "node_type": "array",
            "data_type": type_json,
            "chunk_grid": layout.grid(),
            "chunk_key_encoding": encoding,
            "codecs": layout.codecs(codecs.v3()),
        }
        if dimension_names is not None:
            document["dimension_names"] = _names(dimension_names)
    document["attributes"] = dict(attributes or {})
    return to_document(parse(document))


def _names(names: Iterable[str | None]) -> list[str | None]:
    if isinstance(names, str):
        raise invalid("dimension_names", names, "must be a list of names")
    return list(names)


def _refuse_v3_only(layout: Layout, serializer: Any, dimension_names: Any) -> None:
    if layout.shards is not None:
        raise MetadataError("shards need Zarr v3; use zarr_format=3, or shards=None")
    if not layout.is_regular:
        raise MetadataError("a rectilinear chunk grid needs Zarr v3; use zarr_format=3")
    if not (isinstance(serializer, str) and serializer == "auto"):
        raise MetadataError('a serializer needs Zarr v3; use zarr_format=3, or serializer="auto"')
    if dimension_names is not None:
        raise MetadataError("dimension_names need Zarr v3; use zarr_format=3, or attributes")


def _refuse_v2_only(order: str | None) -> None:
    if order not in ("C", None):
        raise invalid(
            "order",
            order,
            'must be "C" in Zarr v3, where filters=[{"name": "transpose", '
            '"configuration": {"order": […]}}] stores another order',
        )


def _data_type(dtype: Any) -> tuple[DataType, Any]:
    """Return the data type of whatever names one, and its spelling in a v3 document."""
    if isinstance(dtype, DataType):
        return dtype, data_type_json(dtype, dialect="zarr-python")
    if hasattr(dtype, "to_native_dtype") and hasattr(dtype, "to_json"):
        spelled = dtype.to_json(zarr_format=3)
        return parse_data_type(spelled, "dtype"), spelled
    if dtype is str or (isinstance(dtype, str) and dtype == "str"):
        dtype = "string"
    if isinstance(dtype, Mapping):
        dtype = dict(dtype)
    if isinstance(dtype, dict) or (isinstance(dtype, str) and is_data_type_name(dtype)):
        return parse_data_type(dtype, "dtype"), dtype
    data_type = data_type_of(dtype)
    return data_type, data_type_json(data_type, dialect="zarr-python")


def _shape(shape: Any) -> tuple[int, ...]:
    entries = [shape] if isinstance(shape, int | np.integer) else shape
    try:
        return tuple(operator.index(n) for n in entries)
    except TypeError:
        raise invalid("shape", shape, "must be an integer or a sequence of integers") from None


def _fill(value: Any, data_type: DataType, zarr_format: int, type_json: Any) -> Any:
    dialect: Dialect = "core" if data_type.name == type_json else "zarr-python"
    if value is None and zarr_format == 2:
        return None
    if value is None or value is ...:
        value = default_fill(data_type)
    elif isinstance(value, str) and data_type.name.lstrip("b").startswith(("float", "complex")):
        value = parse_fill(value, data_type, 3)
    return fill_json(value, data_type, zarr_format, dialect=dialect)


def _key_encoding(value: Any, zarr_format: int) -> dict[str, Any]:
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    name, separator = ("default", "/") if zarr_format == 3 else ("v2", ".")
    if isinstance(value, str) and value in ("/", "."):
        separator = value
    elif isinstance(value, Mapping):
        configuration = value.get("configuration") or {}
        name = value.get("name", name)
        default = "/" if name == "default" else "."
        separator = value.get("separator", configuration.get("separator", default))
    elif value is not None:
        raise invalid(
            "chunk_key_encoding", value, 'must be "/", "." or {"name": …, "separator": …}'
        )
    encoding = {"name": name, "configuration": {"separator": separator}}
    parse_key_encoding(encoding)
    if zarr_format == 2 and name != "v2":
        raise invalid("chunk_key_encoding", name, 'must be "v2" in Zarr v2')
    return encoding


@dataclass(frozen=True)
class _Codecs:
    filters: tuple[CodecSpec, ...]
    serializer: CodecSpec
    compressors: tuple[CodecSpec, ...]

    @classmethod
    def make(cls, filters: Any, serializer: Any, compressors: Any, data_type: DataType) -> _Codecs:
        itemsize = data_type.dtype.itemsize
        return cls(
            () if _is_auto(filters) else as_chain(filters, "filters", itemsize),
            _default_serializer(data_type)
            if _is_auto(serializer)
            else as_codec(serializer, "serializer", itemsize),
            (CodecSpec("zstd", {"level": 0, "checksum": False}),)
            if _is_auto(compressors)
            else as_chain(compressors, "compressors", itemsize),
        )

    def v3(self) -> list[dict[str, Any]]:
        return chain_json((*self.filters, self.serializer, *self.compressors))

    def v2(self, data_type: DataType, *, is_filter_auto: bool) -> dict[str, Any]:
        if len(self.compressors) > 1:
            names = [spec.name for spec in self.compressors]
            raise invalid("compressors", names, "must be one codec at most in Zarr v2")
        filters = [spec_to_v2(spec) for spec in self.filters]
        if is_filter_auto and data_type.is_variable_length:
            filters = [{"id": self.serializer.name}]
        compressor = spec_to_v2(self.compressors[0]) if self.compressors else None
        return {"filters": filters or None, "compressor": compressor}


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _default_serializer(data_type: DataType) -> CodecSpec:
    if data_type.is_variable_length:
        return CodecSpec("vlen-bytes" if data_type.name == "bytes" else "vlen-utf8", {})
    return CodecSpec("bytes", {"endian": "little"} if has_byte_order(data_type.dtype) else {})
