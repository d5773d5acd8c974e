"""Zarr data types and the numpy dtypes that hold them.

Sources: the Zarr v3 core specification (data types), the zarr-extensions registry, the v2
specification (typestrs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata._check import as_int, as_list, as_mapping, invalid, named, unsupported
from anyzarr.metadata._model import DataType

__all__ = [
    "MAX_DEPTH",
    "ML_DTYPES",
    "Dialect",
    "data_type_json",
    "data_type_of",
    "dtype_of",
    "has_byte_order",
    "integer_range",
    "is_data_type_name",
    "ml_dtype",
    "native",
    "parse_data_type",
    "struct_type",
]

Dialect = Literal["core", "zarr-python"]

_NUMPY: Mapping[str, str] = {
    "bool": "?",
    **{f"{u}int{8 * n}": f"{u[:1] or 'i'}{n}" for u in ("", "u") for n in (1, 2, 4, 8)},
    **{f"float{8 * n}": f"f{n}" for n in (2, 4, 8)},
    "complex64": "c8",
    "complex128": "c16",
}
_NAMES: Mapping[str, str] = {code: name for name, code in _NUMPY.items()}

ML_DTYPES: Mapping[str, str] = {
    **{
        name: name
        for name in (
            "bfloat16", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn",
            "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
            "float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn", "int2", "int4", "uint2", "uint4",
        )
    },
    "complex_float16": "complex32",
    "complex_bfloat16": "bcomplex32",
}  # fmt: skip
"""Data types of the registry, and the name of the ml_dtypes type that holds each."""

_ALIASES: Mapping[str, str] = {
    "complex_float32": "complex64",
    "complex_float64": "complex128",
    "variable_length_bytes": "bytes",
    "structured": "struct",
}

_TEXT_UNITS = "Y, M, W, D, h, m, s, ms, us, μs, ns, ps, fs, as, generic"
# The registry's μ is Greek; keyboards give the micro sign, another code point.
_UNITS = frozenset([*_TEXT_UNITS.split(", "), "µs"])
_INTEGER = re.compile(r"(u?)int([0-9]+)")
_RAW = re.compile(r"r([0-9]{1,11})")
_MAX_BYTES = 2**31 - 1
MAX_DEPTH = 16
_REGISTRY = "known are the types of the Zarr core specification and the zarr-extensions registry"


def _string_dtype() -> np.dtype[Any]:
    # numpy 1.26, the oldest supported, has no variable-length string type.
    return np.dtypes.StringDType() if hasattr(np.dtypes, "StringDType") else np.dtype(object)


def ml_dtype(name: str) -> np.dtype[Any]:
    module = require("ml_dtypes", extra="ml-dtypes", purpose=f"The data type {name!r}")
    scalar_type = getattr(module, ML_DTYPES[name], None)
    if scalar_type is None:
        raise UnsupportedError(
            f"The data type {name!r} needs a newer ml_dtypes than {module.__version__}; "
            "upgrade it with: pip install --upgrade ml_dtypes"
        )
    dtype: np.dtype[Any] = np.dtype(scalar_type)
    return dtype


def parse_data_type(value: object, field: str = "data_type", *, depth: int = 0) -> DataType:
    """Return the data type that a v3 document names.

    Parameters
    ----------
    value
        The name, or ``{"name": …, "configuration": {…}}``.
    field
        What the errors call it.

    Raises
    ------
    UnsupportedError
        Neither numpy nor ml_dtypes holds it, or it is unknown.
    MetadataError
        It is malformed.
    MissingDependencyError
        It needs ml_dtypes.

    Examples
    --------
    >>> from anyzarr.metadata import parse_data_type
    >>> parse_data_type("uint16").dtype
    dtype('uint16')
    """
    definition = named(value, field)
    name = _ALIASES.get(definition.name, definition.name)
    configuration = definition.configuration
    field = f"{field}.configuration"
    if name in ("numpy.datetime64", "numpy.timedelta64"):
        return _parse_time(name, configuration, field)
    if name in ("fixed_length_utf32", "null_terminated_bytes", "raw_bytes"):
        return _parse_fixed_length(name, configuration, field)
    if name == "struct":
        return _parse_struct(configuration, field, depth)
    if configuration:
        raise invalid(field, configuration, f"must be absent: {name} has none")
    if name in _NUMPY:
        return DataType(name, np.dtype(_NUMPY[name]))
    if name in ML_DTYPES:
        return DataType(name, ml_dtype(name))
    if name == "string":
        return DataType("string", _string_dtype())
    if name == "bytes":
        return DataType("bytes", np.dtype(object))
    if raw := _RAW.fullmatch(name):
        return _raw(int(raw[1]), field)
    raise unsupported("data_type", name, _REGISTRY)


def _raw(bits: int, field: str) -> DataType:
    if bits == 0 or bits % 8 or bits // 8 > _MAX_BYTES:
        raise invalid(
            field.removesuffix(".configuration"), f"r{bits}", "must be a number of whole bytes"
        )
    return DataType(f"r{bits}", np.dtype(f"V{bits // 8}"))


def _parse_time(name: str, configuration: Mapping[str, Any], field: str) -> DataType:
    unit = configuration.get("unit")
    if not isinstance(unit, str) or unit not in _UNITS:
        raise invalid(f"{field}.unit", unit, f"must be one of {_TEXT_UNITS}")
    scale = as_int(
        configuration.get("scale_factor"), f"{field}.scale_factor", minimum=1, maximum=2**31 - 1
    )
    kind = name.removeprefix("numpy.")
    unit_in_numpy = "us" if unit in ("μs", "µs") else unit
    code = kind if unit == "generic" else f"{kind}[{scale}{unit_in_numpy}]"
    return DataType(name, np.dtype(code), {"unit": unit, "scale_factor": scale})


def _parse_fixed_length(name: str, configuration: Mapping[str, Any], field: str) -> DataType:
    length = as_int(
        configuration.get("length_bytes"), f"{field}.length_bytes", minimum=1, maximum=_MAX_BYTES
    )
    if name == "raw_bytes":
        return _raw(8 * length, field)
    if name == "null_terminated_bytes":
        return DataType(name, np.dtype(f"S{length}"), {"length_bytes": length})
    if length % 4:
        raise invalid(f"{field}.length_bytes", length, "must be a multiple of 4")
    return DataType(name, np.dtype(f"U{length // 4}"), {"length_bytes": length})


def _parse_struct(configuration: Mapping[str, Any], field: str, depth: int) -> DataType:
    if depth >= MAX_DEPTH:
        raise invalid(field, configuration, f"must not be nested deeper than {MAX_DEPTH} levels")
    field = f"{field}.fields"
    members: dict[str, DataType] = {}
    for index, entry in enumerate(as_list(configuration.get("fields"), field)):
        label, spec = _struct_field(entry, f"{field}[{index}]")
        if label in members:
            raise invalid(f"{field}[{index}].name", label, "must be unique in its struct")
        member = parse_data_type(spec, f"{field}[{index}].data_type", depth=depth + 1)
        if member.is_variable_length:
            raise invalid(f"{field}[{index}].data_type", spec, "must have a fixed size")
        members[label] = member
    return struct_type(members, field)


def _struct_field(entry: object, field: str) -> tuple[str, object]:
    """Return name and data type of ``{"name": …, "data_type": …}`` or the older pair."""
    if isinstance(entry, list) and len(entry) == 2:
        label, spec = entry
    else:
        mapping = as_mapping(entry, field)
        label, spec = mapping.get("name"), mapping.get("data_type")
    if not isinstance(label, str) or not label:
        raise invalid(f"{field}.name", label, "must be a non-empty string")
    return label, spec


def struct_type(members: Mapping[str, DataType], field: str) -> DataType:
    if not members:
        raise invalid(field, [], "must have at least one field")
    dtype = np.dtype([(label, member.dtype) for label, member in members.items()])
    if dtype.itemsize > _MAX_BYTES:
        raise invalid(field, list(members), "must be smaller than 2 GiB")
    fields = [{"name": n, "data_type": data_type_json(m)} for n, m in members.items()]
    return DataType("struct", dtype, {"fields": fields})


def is_data_type_name(name: str) -> bool:
    """Return whether a string is the v3 name of a data type that needs no configuration."""
    name = _ALIASES.get(name, name)
    return (
        name in _NUMPY
        or name in ML_DTYPES
        or name in ("string", "bytes")
        or (_RAW.fullmatch(name) is not None)
    )


def data_type_json(data_type: DataType, *, dialect: Dialect = "core") -> Any:
    """Return what a v3 document says for a data type.

    Parameters
    ----------
    data_type
        Of the array.
    dialect
        ``"core"`` for the names of the specifications. ``"zarr-python"`` for the two names that
        zarr-python gives otherwise: ``raw_bytes`` for ``r<bits>``, ``variable_length_bytes``
        for ``bytes``.
    """
    if not data_type.configuration:
        return _spelled(data_type.name, dialect)
    configuration = dict(data_type.configuration)
    if data_type.name == "struct":
        configuration["fields"] = [
            {
                **entry,
                "data_type": data_type_json(parse_data_type(entry["data_type"]), dialect=dialect),
            }
            for entry in configuration["fields"]
        ]
    return {"name": data_type.name, "configuration": configuration}


def _spelled(name: str, dialect: Dialect) -> Any:
    if dialect == "zarr-python":
        if name == "bytes":
            return "variable_length_bytes"
        if raw := _RAW.fullmatch(name):
            return {"name": "raw_bytes", "configuration": {"length_bytes": int(raw[1]) // 8}}
    return name


def data_type_of(dtype: npt.DTypeLike, field: str = "dtype") -> DataType:
    """Return the Zarr data type of a numpy dtype.

    Raises
    ------
    UnsupportedError
        Zarr has none for it (``object``, ``longdouble``, fields that are arrays, …).
    MetadataError
        It is not a dtype, or a string type without a length.

    Examples
    --------
    >>> from anyzarr.metadata import data_type_of
    >>> data_type_of(">u2").name
    'uint16'
    """
    try:
        dtype = np.dtype(dtype)
    except (TypeError, ValueError) as error:
        raise invalid(field, dtype, f"must be a dtype ({error})") from None
    kind, size = dtype.kind, dtype.itemsize
    if kind == "T":
        return DataType("string", dtype)
    if dtype.names is not None:
        return _struct_of(dtype, field)
    if kind in "mM":
        unit, scale = np.datetime_data(dtype.str)
        name = "numpy.datetime64" if kind == "M" else "numpy.timedelta64"
        return DataType(name, dtype, {"unit": unit, "scale_factor": scale})
    if dtype.type in (np.bytes_, np.str_, np.void):
        if size == 0:
            raise invalid(field, str(dtype), "must have a length of at least 1")
        if kind == "V" and dtype.subdtype is None:
            return DataType(f"r{8 * size}", dtype)
        if kind in "SU":
            name = "null_terminated_bytes" if kind == "S" else "fixed_length_utf32"
            return DataType(name, dtype, {"length_bytes": size})
    code = "?" if kind == "b" else f"{kind}{size}"
    if code in _NAMES and dtype.isbuiltin != 2:
        return DataType(_NAMES[code], dtype)
    for name, scalar_type in ML_DTYPES.items():
        if dtype.name == scalar_type:
            return DataType(name, dtype)
    remedy = 'name it "string" or "bytes" instead' if kind == "O" else _REGISTRY
    raise unsupported(field, str(dtype), remedy)


def _struct_of(dtype: np.dtype[Any], field: str) -> DataType:
    members: dict[str, DataType] = {}
    for label in dtype.names or ():
        if dtype[label].subdtype is not None:
            raise unsupported(field, str(dtype), f"the field {label!r} is an array itself")
        members[label] = data_type_of(dtype[label], f"{field}[{label!r}]")
        if members[label].is_variable_length:
            raise unsupported(field, str(dtype), f"the field {label!r} has no fixed size")
    packed = struct_type(members, field)
    if packed.dtype.itemsize != dtype.itemsize:
        raise unsupported(field, str(dtype), "Zarr packs fields without padding; use align=False")
    return packed


def dtype_of(value: object) -> np.dtype[Any]:
    """Return the numpy dtype for a v3 data type name or object, or anything numpy takes.

    Examples
    --------
    >>> from anyzarr.metadata import dtype_of
    >>> dtype_of("r24"), dtype_of("float32")
    (dtype('V3'), dtype('float32'))
    """
    if isinstance(value, np.dtype):
        return value
    try:
        return parse_data_type(value).dtype
    except (MetadataError, UnsupportedError):
        return data_type_of(value).dtype  # type: ignore[arg-type]  # checked there


def native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in the machine's byte order."""
    return dtype.newbyteorder("=") if dtype.kind not in "OT" else dtype


def has_byte_order(dtype: np.dtype[Any]) -> bool:
    """Return whether elements have units of several bytes, so that the order matters."""
    if dtype.names is not None:
        return any(has_byte_order(dtype[n]) for n in dtype.names)
    if dtype.kind == "U" or dtype.name in ("complex32", "bcomplex32"):
        return True
    return dtype.type not in (np.bytes_, np.void) and dtype.kind not in "OT" and dtype.itemsize > 1


def integer_range(name: str) -> tuple[int, int] | None:
    """Return the smallest and largest value of an integer data type; None for any other."""
    match = _INTEGER.fullmatch(name)
    if match is None:
        return None
    bits = int(match[2])
    return (0, 2**bits - 1) if match[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
