"""Fill values: from JSON, to JSON, and telling whether a chunk holds nothing else."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.metadata._check import as_list, as_mapping, invalid
from anyzarr.metadata._dtypes import Dialect, data_type_of, integer_range, native
from anyzarr.metadata._model import DataType
from anyzarr.metadata._values import as_array_value

__all__ = ["default_fill", "fill_json", "is_fill", "parse_fill"]

_FLOAT = re.compile(r"b?float[0-9]+(_.*)?")
_UNSIGNED: Mapping[int, str] = {1: "u1", 2: "u2", 4: "u4", 8: "u8"}
_TOKENS: Mapping[str, float] = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
}
_NAT = -(2**63)
_BLOCK_ELEMENTS = 1 << 16


def parse_fill(
    value: Any, data_type: DataType, zarr_format: int = 3, field: str = "fill_value"
) -> Any:
    """Return the scalar a document's fill value means, bit for bit.

    Parameters
    ----------
    value
        The fill value in the document.
    data_type
        Of the array.
    zarr_format
        2 allows what v2 documents hold: base64 for structs, numbers for complex and bool.
    field
        What the errors call it.

    Raises
    ------
    MetadataError
        It is no value of the data type.
    """
    dtype = native(data_type.dtype)
    name = data_type.name
    if name == "bool":
        return _parse_bool(value, zarr_format, field)
    if (bounds := integer_range(name)) is not None:
        return np.array(_parse_int(value, bounds, field), dtype)[()]
    if _FLOAT.fullmatch(name):
        return _parse_float(value, dtype, zarr_format, field)
    if name.startswith("complex"):
        return _parse_complex(value, dtype, zarr_format, field)
    if dtype.kind in "mM":
        number = _NAT if value == "NaT" else _parse_int(value, (_NAT, 2**63 - 1), field)
        return np.array(number, "i8").view(dtype)[()]
    if name == "struct":
        return _parse_struct(value, data_type, zarr_format, field)
    if name in ("string", "fixed_length_utf32"):
        return _parse_text(value, dtype, zarr_format, field)
    return _parse_bytes(value, dtype, name, field)


def _parse_bool(value: Any, zarr_format: int, field: str) -> np.bool_:
    if isinstance(value, bool) or (zarr_format == 2 and value in (0, 1)):
        return np.bool_(value)
    raise invalid(field, value, "must be true or false")


def _parse_int(value: Any, bounds: tuple[int, int], field: str) -> int:
    # Some writers put 0.0 for an integer; the value is the same, and zarr-python reads it.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(field, value, "must be an integer")
    if not bounds[0] <= value <= bounds[1]:
        raise invalid(field, value, f"must lie in [{bounds[0]}, {bounds[1]}]")
    return value


def _parse_float(value: Any, dtype: np.dtype[Any], zarr_format: int, field: str) -> Any:
    if isinstance(value, str) and value.startswith("0x") and zarr_format == 3:
        return _parse_hex(value, dtype, field)
    number = _TOKENS.get(value) if isinstance(value, str) else value
    if not isinstance(number, int | float) or isinstance(number, bool):
        raise invalid(field, value, 'must be a number, "NaN", "Infinity" or "-Infinity"')
    try:
        with np.errstate(all="ignore"):
            scalar = np.array(float(number), dtype)[()]
    except OverflowError:
        raise invalid(field, value, f"must be a number that {dtype} can hold") from None
    lost_nan = math.isnan(number) and not math.isnan(scalar)
    lost_infinity = math.isinf(number) and float(scalar) != number
    if lost_nan or lost_infinity:
        raise invalid(field, value, f"must be a value of {dtype}, which has no such value")
    return scalar


def _parse_hex(value: str, dtype: np.dtype[Any], field: str) -> Any:
    digits = value[2:]
    if len(digits) != 2 * dtype.itemsize or not re.fullmatch("[0-9a-fA-F]*", digits):
        raise invalid(field, value, f"must be 0x and {2 * dtype.itemsize} hexadecimal digits")
    return np.array(int(digits, 16), _UNSIGNED[dtype.itemsize]).view(dtype)[()]


def _parse_complex(value: Any, dtype: np.dtype[Any], zarr_format: int, field: str) -> Any:
    if zarr_format == 2 and isinstance(value, int | float) and not isinstance(value, bool):
        value = [value, 0.0]
    parts = as_list(value, field)
    if len(parts) != 2:
        raise invalid(field, value, "must be a pair of real and imaginary part")
    part = _part_dtype(dtype)
    scalars = [
        _parse_float(entry, part, zarr_format, f"{field}[{i}]") for i, entry in enumerate(parts)
    ]
    return np.array(scalars, part).view(dtype)[0]


def _part_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of the real part of a complex dtype."""
    if dtype.name == "bcomplex32":
        import ml_dtypes  # it made the dtype, so it is there

        part: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return part
    return np.dtype(f"f{dtype.itemsize // 2}")


def _parse_struct(value: Any, data_type: DataType, zarr_format: int, field: str) -> Any:
    dtype = data_type.dtype
    if isinstance(value, str):
        # v2, and v3 as written before the registry settled on an object.
        data = _from_base64(value, field)
        if len(data) != dtype.itemsize:
            raise invalid(field, value, f"must be {dtype.itemsize} bytes in base64")
        return np.frombuffer(data, dtype).copy()[0]
    entries = as_mapping(value, field)
    if set(entries) != set(dtype.names or ()):
        raise invalid(field, value, f"must have the fields {', '.join(dtype.names or ())}")
    scalar = np.zeros((), dtype)
    for label, entry in entries.items():
        member = data_type_of(dtype[label])
        scalar[label] = parse_fill(entry, member, zarr_format, f"{field}.{label}")
    return scalar[()]


def _parse_text(value: Any, dtype: np.dtype[Any], zarr_format: int, field: str) -> str:
    if zarr_format == 2 and dtype.kind in "OT" and isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise invalid(field, value, "must be a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise invalid(field, value, "must be valid Unicode, without lone surrogates") from None
    if dtype.kind in "OT":
        return value
    if len(value) > dtype.itemsize // 4:
        raise invalid(field, value, f"must have at most {dtype.itemsize // 4} characters")
    return np.str_(value)


def _parse_bytes(value: Any, dtype: np.dtype[Any], name: str, field: str) -> Any:
    if isinstance(value, list):
        if not all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 256 for v in value):
            raise invalid(field, value, "must be base64, or an array of integers in [0, 255]")
        data = bytes(value)
    else:
        data = _from_base64(value, field)
    if name == "bytes":
        return data
    if name == "null_terminated_bytes":
        if len(data) > dtype.itemsize:
            raise invalid(field, value, f"must be at most {dtype.itemsize} bytes")
        return np.bytes_(data)
    if len(data) != dtype.itemsize:
        raise invalid(field, value, f"must be {dtype.itemsize} bytes")
    return np.void(data)


def _from_base64(value: Any, field: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise invalid(field, value, "must be a string in base64") from None


def default_fill(data_type: DataType) -> Any:
    """Return the fill value where none is chosen, as zarr-python does: zero, empty, NaT."""
    if data_type.is_variable_length:
        return b"" if data_type.name == "bytes" else ""
    dtype = native(data_type.dtype)
    if dtype.names is not None:
        scalar = np.zeros((), dtype)
        for label in dtype.names:
            scalar[label] = default_fill(data_type_of(dtype[label]))
        return scalar.astype(data_type.dtype)[()]
    if dtype.kind in "mM":
        return np.array(_NAT, "i8").view(dtype)[()]
    return np.zeros((), dtype)[()]


def fill_json(
    value: Any, data_type: DataType, zarr_format: int = 3, *, dialect: Dialect = "core"
) -> Any:
    """Return how a document writes a fill value; :func:`parse_fill` gives the same bits back.

    Parameters
    ----------
    value
        A scalar of the data type, or what numpy turns into one.
    data_type
        Of the array.
    zarr_format
        2 or 3.
    dialect
        In v3, raw bits are an array of integers in the ``"core"`` specification and base64 for
        ``"zarr-python"``.

    Raises
    ------
    MetadataError
        The value is not one of the data type.
    """
    name, dtype = data_type.name, native(data_type.dtype)
    if data_type.is_variable_length:
        return _variable_json(value, name)
    scalar = _as_scalar(value, data_type)
    if name == "bool":
        return bool(scalar)
    if integer_range(name) is not None:
        return int(scalar)
    if _FLOAT.fullmatch(name):
        return _float_json(scalar, dtype, zarr_format)
    if name.startswith("complex"):
        part = _part_dtype(dtype)
        parts = np.array(scalar, dtype).reshape(1).view(part)
        return [_float_json(p, part, zarr_format) for p in parts]
    if dtype.kind in "mM":
        number = int(np.array(scalar, dtype).view("i8"))
        return "NaT" if number == _NAT and zarr_format == 3 else number
    if name == "struct" and zarr_format == 3:
        members = {n: data_type_of(dtype[n]) for n in dtype.names or ()}
        return {n: fill_json(scalar[n], m, 3, dialect=dialect) for n, m in members.items()}
    if dtype.kind == "U":
        return str(scalar)
    if dtype.kind == "V" and zarr_format == 3 and dialect == "core":
        return list(scalar.tobytes())
    return base64.b64encode(scalar.tobytes() if dtype.kind == "V" else bytes(scalar)).decode()


def _variable_json(value: Any, name: str) -> str:
    if name == "string":
        if not isinstance(value, str):
            raise invalid("fill_value", value, "must be a string")
        return str(value)
    if not isinstance(value, bytes):
        raise invalid("fill_value", value, "must be bytes")
    return base64.b64encode(value).decode()


def _as_scalar(value: Any, data_type: DataType) -> Any:
    dtype = data_type.dtype
    if dtype.kind in "mM" and isinstance(value, int | str) and not isinstance(value, bool):
        return _as_time(value, native(dtype))
    if dtype.type is np.void:
        return _as_void(value, dtype)
    if (
        integer_range(data_type.name) is not None
        and isinstance(value, float)
        and value.is_integer()
    ):
        value = int(value)
    array = as_array_value(value, dtype)
    if array.shape != ():
        raise invalid("fill_value", value, "must be a scalar")
    return array[()]


def _as_time(value: int | str, dtype: np.dtype[Any]) -> Any:
    try:
        if isinstance(value, int):
            return np.array(value, "i8").view(dtype)[()]
        return np.array(value, dtype)[()]
    except (ValueError, OverflowError) as error:
        raise invalid("fill_value", value, f"must be a value of {dtype} ({error})") from None


def _as_void(value: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(value, Mapping):
        value = tuple(value.get(n) for n in dtype.names or ())
    if isinstance(value, int) and value == 0:
        return np.zeros((), dtype)[()]
    if isinstance(value, bytes):
        if len(value) != dtype.itemsize:
            raise invalid("fill_value", value, f"must be {dtype.itemsize} bytes")
        return np.frombuffer(value, dtype).copy()[0]
    try:
        return np.array(value, dtype)[()]
    except (TypeError, ValueError) as error:
        raise invalid("fill_value", value, f"must be a value of {dtype} ({error})") from None


def _float_json(scalar: Any, dtype: np.dtype[Any], zarr_format: int) -> float | str:
    number = float(scalar)
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if not math.isnan(number):
        return number
    bits = np.array(scalar, dtype).view(_UNSIGNED[dtype.itemsize])
    with np.errstate(all="ignore"):
        usual = np.array(math.nan, dtype).view(_UNSIGNED[dtype.itemsize])
    if bits == usual or zarr_format == 2:
        return "NaN"
    return f"0x{int(bits):0{2 * dtype.itemsize}x}"


def is_fill(chunk: npt.NDArray[Any], fill: Any) -> bool:
    """Return whether every element has exactly the bits of the fill value.

    So NaN equals a NaN of the same bits, and 0.0 does not equal -0.0: dropping such a chunk
    and reading the fill value instead gives back the same bytes.

    Parameters
    ----------
    chunk
        Any shape and strides; not copied as a whole. An empty one is all fill.
    fill
        A scalar of its dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.metadata import is_fill
    >>> is_fill(np.full((2, 3), np.nan), np.nan), is_fill(np.array([-0.0]), 0.0)
    (True, False)
    """
    if chunk.size == 0:
        return True
    if chunk.dtype.kind in "OT":
        return bool(np.all(chunk == np.asarray(fill, chunk.dtype)))
    if chunk.dtype.itemsize in _UNSIGNED:
        unit = _UNSIGNED[chunk.dtype.itemsize]
        bits = np.asarray(fill, chunk.dtype).view(unit)[()]
        view = chunk.view(unit)
        return bool(view[(0,) * view.ndim] == bits) and _all_equal(view, bits)
    expected = np.asarray(fill, chunk.dtype).tobytes()
    # Not the element itself: a scalar of bytes has lost its trailing zeros.
    first: tuple[Any, ...] = (..., *(slice(1),) * chunk.ndim)
    if chunk[first].tobytes() != expected:
        return False
    rows = np.ascontiguousarray(chunk).reshape(-1).view("u1").reshape(-1, len(expected))
    return _all_equal(rows, np.frombuffer(expected, "u1"))


def _all_equal(view: npt.NDArray[Any], bits: Any) -> bool:
    """Compare block by block, so that the first difference ends it and no large mask is made."""
    if view.ndim == 0 or view.size <= _BLOCK_ELEMENTS:
        return bool((view == bits).all())
    if view.flags.c_contiguous and np.ndim(bits) == 0:
        flat = view.reshape(-1)
        blocks = (flat[i : i + _BLOCK_ELEMENTS] for i in range(0, flat.size, _BLOCK_ELEMENTS))
        return all(bool((block == bits).all()) for block in blocks)
    per_row = max(1, view[0].size)
    rows = max(1, _BLOCK_ELEMENTS // per_row)
    return all(
        _all_equal(view[i], bits) if rows == 1 else bool((view[i : i + rows] == bits).all())
        for i in range(0, len(view), rows)
    )
