"""Data types as documents of Zarr v2 name them: numpy's typestrs, and lists of fields."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from anyzarr.metadata._check import invalid, unsupported
from anyzarr.metadata._dtypes import (
    MAX_DEPTH,
    ML_DTYPES,
    data_type_of,
    ml_dtype,
    parse_data_type,
    struct_type,
)
from anyzarr.metadata._model import DataType

__all__ = ["v2_data_type", "v2_dtype_json"]

_TYPESTR = re.compile(r"[<>|][biufcmMSUV][0-9]{0,10}(\[[0-9]{0,10}[a-zA-Zμµ]+\])?")


def v2_data_type(value: object, object_codec: str | None = None, field: str = "dtype") -> DataType:
    """Return the data type that a v2 document's ``dtype`` means, byte order as declared.

    Parameters
    ----------
    value
        A typestr (``<u2``), or the list of fields of a structured type.
    object_codec
        Id of the filter that serialises objects, which tells what ``|O`` holds.
    field
        What the errors call it.
    """
    if isinstance(value, list):
        return _v2_struct(value, field, 0)
    if not isinstance(value, str):
        raise invalid(field, value, "must be a typestr or a list of fields")
    if value == "|O":
        return _v2_object(object_codec, field)
    if value in ML_DTYPES:
        return DataType(value, ml_dtype(value))
    if not _TYPESTR.fullmatch(value):
        raise invalid(field, value, "must be a numpy typestr, such as <u2 or |b1")
    try:
        dtype = np.dtype(value)
    except (TypeError, ValueError):
        raise invalid(field, value, "must be a numpy typestr, such as <u2 or |b1") from None
    return data_type_of(dtype, field)


def _v2_object(object_codec: str | None, field: str) -> DataType:
    if object_codec == "vlen-utf8":
        return parse_data_type("string")
    if object_codec == "vlen-bytes":
        return parse_data_type("bytes")
    if object_codec is None:
        raise invalid(field, "|O", "must come with a filter that serialises objects (vlen-utf8)")
    raise unsupported(
        field,
        "|O",
        f"objects serialised by {object_codec!r} cannot be read; vlen-utf8 and vlen-bytes can",
    )


def _v2_struct(value: list[Any], field: str, depth: int) -> DataType:
    if depth >= MAX_DEPTH:
        raise invalid(field, value, f"must not be nested deeper than {MAX_DEPTH} levels")
    members: dict[str, DataType] = {}
    for index, entry in enumerate(value):
        where = f"{field}[{index}]"
        if not isinstance(entry, list) or len(entry) not in (2, 3) or not isinstance(entry[0], str):
            raise invalid(where, entry, "must be a pair of name and type")
        if len(entry) == 3:
            raise unsupported(
                where, entry, "fields that are arrays themselves are read by no engine"
            )
        if not entry[0] or entry[0] in members:
            raise invalid(f"{where}[0]", entry[0], "must be a name, unique in its struct")
        is_struct = isinstance(entry[1], list)
        member = (_v2_struct(entry[1], f"{where}[1]", depth + 1) if is_struct
                  else v2_data_type(entry[1], None, f"{where}[1]"))  # fmt: skip
        members[entry[0]] = member
    return struct_type(members, field)


def v2_dtype_json(data_type: DataType) -> Any:
    """Return what a v2 document says for a data type: a typestr or a list of fields.

    Raises
    ------
    UnsupportedError
        v2 has no name for it.
    """
    dtype = data_type.dtype
    if data_type.is_variable_length:
        return "|O"
    if data_type.name in ML_DTYPES:
        raise unsupported("dtype", data_type.name, "Zarr v2 has no name for it; use zarr_format=3")
    if dtype.names is not None:
        return [[n, v2_dtype_json(data_type_of(dtype[n]))] for n in dtype.names]
    return dtype.str
