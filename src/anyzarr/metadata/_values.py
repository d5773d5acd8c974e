"""Values on their way into an array: what is cast, and what is refused because it would lose."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata._check import show
from anyzarr.metadata._dtypes import data_type_of, integer_range

__all__ = ["as_array_value"]

# Objects are bytes; with numpy 1.26, which has no type for strings, they may be strings too.
_OBJECTS: tuple[type, ...] = (bytes,) if hasattr(np.dtypes, "StringDType") else (bytes, str)
_INTEGERS = "integer"
_REALS = "real"
_FAMILIES = {
    "bool": ("bool",),
    _INTEGERS: ("int", "uint"),
    _REALS: ("float", "bfloat"),
    "complex": ("complex",),
}


def as_array_value(value: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return ``value`` as an array of ``dtype``, without copying where it is one already.

    What numpy casts under ``casting="same_kind"`` is cast; so are integers whose every value
    fits an integer type, and strings that are not cut off. Anything else would change the
    values, and is refused.

    Parameters
    ----------
    value
        An array, a scalar, a nested list, or anything with the buffer or array protocol.
    dtype
        The array's dtype.

    Returns
    -------
    numpy.ndarray
        Of ``dtype``; may share memory with ``value``.

    Raises
    ------
    MetadataError
        With kind ``"dtype"``: the values cannot be kept.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.metadata import as_array_value
    >>> as_array_value(np.arange(3), np.dtype("uint8"))
    array([0, 1, 2], dtype=uint8)
    """
    array = _as_array(value, dtype)
    if dtype.kind != "O" and array.dtype == dtype:
        return array
    if dtype.kind in "OT":
        return _as_variable(array, dtype)
    if array.size == 0 and isinstance(value, list | tuple):
        return np.empty(array.shape, dtype)
    source, target = _family(array.dtype), _family(dtype)
    if target in (_INTEGERS, "bool") and source in (_INTEGERS, "bool"):
        return _fit_integers(array, dtype)
    if dtype.kind in "SU" and array.dtype.kind == dtype.kind:
        return _fit_text(array, dtype)
    is_python_time = dtype.kind in "mM" and array.dtype.kind == "O" and _holds_times(array)
    if not is_python_time and not _may_cast(array.dtype, dtype, source, target):
        raise _refusal(array, dtype, f'use value.astype("{_spell(dtype)}") if that is meant')
    try:
        return array.astype(dtype)
    except (TypeError, ValueError) as error:
        raise _refusal(array, dtype, f"numpy reports: {error}") from None


def _as_array(value: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    try:
        if dtype.kind == "O" or (dtype.names is not None and not hasattr(value, "dtype")):
            # Bytes would lose trailing zeros, and tuples their fields, in numpy's own guess.
            return _objects(value) if dtype.kind == "O" else np.asarray(value, dtype)
        if isinstance(value, bytes) and dtype.type is np.void:
            return np.array(np.void(value), dtype)
        if isinstance(value, int) and not isinstance(value, bool) and dtype.kind in "fcV":
            # numpy makes objects of integers beyond 64 bits, but a float can hold them.
            return np.asarray(value, None if abs(value) < 2**63 else float)
        return np.asarray(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise MetadataError(
            f"the value {show(value)} cannot be made an array of {dtype}: {error}", kind="dtype"
        ) from None


def _objects(value: Any) -> npt.NDArray[Any]:
    if isinstance(value, str | bytes):
        result: npt.NDArray[Any] = np.empty((), object)
        result[()] = value
        return result
    return np.asarray(value, object)


def _family(dtype: np.dtype[Any]) -> str:
    """Return what a dtype's values are, ml_dtypes included, whose numpy kinds do not tell."""
    try:
        name = data_type_of(dtype).name
    except (MetadataError, UnsupportedError):
        return dtype.kind
    return next((f for f, starts in _FAMILIES.items() if name.startswith(starts)), dtype.kind)


def _may_cast(source: np.dtype[Any], target: np.dtype[Any], of: str, to: str) -> bool:
    if to == _REALS:
        return of in ("bool", _INTEGERS, _REALS)
    if to == "complex":
        return of in ("bool", _INTEGERS, _REALS, "complex")
    if to in ("bool", _INTEGERS):
        return False
    return bool(np.can_cast(source, target, "same_kind"))


def _holds_times(array: npt.NDArray[Any]) -> bool:
    return all(isinstance(v, datetime.date | datetime.timedelta) for v in array.flat)


def _fit_integers(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    # numpy takes casts to the integers of ml_dtypes for safe, whatever the values.
    is_safe = dtype.isbuiltin == 1 and np.can_cast(array.dtype, dtype, "safe")
    if array.size and not is_safe:
        bounds = integer_range(data_type_of(dtype).name) or (0, 1)  # (0, 1): bool
        low, high = int(array.min()), int(array.max())
        if low < bounds[0] or high > bounds[1]:
            span = f"its values span [{low}, {high}], the array holds [{bounds[0]}, {bounds[1]}]"
            raise _refusal(array, dtype, span)
    return array.astype(dtype)


def _fit_text(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if array.dtype.itemsize > dtype.itemsize:
        longest = int(np.char.str_len(array).max()) if array.size else 0
        limit = dtype.itemsize // (4 if dtype.kind == "U" else 1)
        if longest > limit:
            raise _refusal(
                array, dtype, f"its longest text has {longest} characters, the array holds {limit}"
            )
    return array.astype(dtype)


def _as_variable(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return text as variable-length strings, or bytes as objects; each element is checked."""
    held: tuple[type, ...] = (str,) if dtype.kind == "T" else _OBJECTS
    kinds = "UTS" if len(held) > 1 else "UT" if str in held else "S"
    is_held = array.dtype.kind == "O" and all(isinstance(v, held) for v in array.flat)
    if array.dtype.kind in kinds or is_held or array.size == 0:
        try:
            return array.astype(dtype, copy=False)
        except (TypeError, ValueError) as error:  # a string type with missing values
            raise _refusal(array, dtype, f"numpy reports: {error}") from None
    names = " or ".join(kind.__name__ for kind in held)
    raise _refusal(array, dtype, f"its elements must be {names}")


def _spell(dtype: np.dtype[Any]) -> str:
    return dtype.name if dtype.isbuiltin != 1 else str(dtype)


def _refusal(array: npt.NDArray[Any], dtype: np.dtype[Any], remedy: str) -> MetadataError:
    return MetadataError(
        f"values of dtype {array.dtype} cannot be written to an array of dtype {dtype} "
        f"without loss; {remedy}",
        kind="dtype",
    )
