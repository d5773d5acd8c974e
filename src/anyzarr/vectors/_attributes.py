"""Attributes as they are stored: numbers as they are, text as codes into a list of categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError

__all__ = ["StoredColumn", "code_type", "decode_column", "encode_column", "row_layout"]

_DICTIONARY = "dictionary"
_MISSING = -1


@dataclass(frozen=True, eq=False)
class StoredColumn:
    """An attribute in the form in which it is stored.

    Attributes
    ----------
    values
        Numbers, shape ``(N, …)``, little-endian.
    attributes
        What the array of the attribute must say of them.
    """

    values: npt.NDArray[Any]
    attributes: Mapping[str, Any]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of a row."""
        return self.values.shape[1:]

    @property
    def row_bytes(self) -> int:
        """Number of bytes of a row."""
        return int(np.prod(self.row_shape, dtype=np.int64)) * self.values.dtype.itemsize


def encode_column(
    name: str,
    column: npt.NDArray[Any],
    stored: Mapping[str, Any] | None = None,
    codes: np.dtype[Any] | None = None,
) -> StoredColumn:
    """Return an attribute as it is to be stored.

    Parameters
    ----------
    name
        Its name.
    column
        Shape ``(N, …)``: booleans, numbers, times, or, of one dimension, text (None: missing).
    stored
        The attributes of the array that it is to be appended to, which decide its type.
    codes
        Of text for a new array: the type of its codes; by default one for what is in the column.

    Raises
    ------
    MetadataError
        It does not fit what is stored.
    UnsupportedError
        It is of a type that has no stored form.
    """
    if column.dtype.kind in "UTO":
        return _encode_text(name, column, stored, codes)
    if column.dtype.kind not in "biufcmM":
        raise UnsupportedError(
            f"the attribute {name!r} is of the type {column.dtype}, which cannot be stored: give "
            "numbers, booleans, times or text",
            kind="attribute_dtype",
        )
    if stored is not None:
        column = _as_stored(name, column, stored)
    values = column.astype(column.dtype.newbyteorder("<"), copy=False)
    return StoredColumn(values, _describe(name, values))


def _describe(name: str, values: npt.NDArray[Any]) -> dict[str, Any]:
    # Readers of the format take "float32", not "<f4", for the type.
    about: dict[str, Any] = {"name": name, "dtype": values.dtype.newbyteorder("=").name}
    if values.ndim == 2:
        about["channel_names"] = [f"ch{i}" for i in range(values.shape[1])]
    about["row_shape"] = list(values.shape[1:])
    return about


def _as_stored(name: str, column: npt.NDArray[Any], stored: Mapping[str, Any]) -> npt.NDArray[Any]:
    dtype, row_shape = row_layout(name, stored)
    if stored.get("encoding") == _DICTIONARY:
        raise MetadataError(
            f"the attribute {name!r} holds text in this store, and {column.dtype} was given; give "
            "text, or choose another name",
            kind="attribute_dtype",
        )
    if column.shape[1:] != row_shape or not np.can_cast(column.dtype, dtype, "same_kind"):
        raise MetadataError(
            f"rows of the attribute {name!r} are {dtype} of the shape {row_shape} in this store, "
            f"and {column.dtype} of the shape {column.shape[1:]} were given; convert them, or "
            "choose another name",
            kind="attribute_dtype",
        )
    return column.astype(dtype, copy=False)


def _encode_text(
    name: str,
    column: npt.NDArray[Any],
    stored: Mapping[str, Any] | None,
    asked: np.dtype[Any] | None,
) -> StoredColumn:
    if column.ndim != 1:
        raise UnsupportedError(
            f"the attribute {name!r} is text of the shape {column.shape}; text has one value per "
            "row",
            kind="attribute_dtype",
        )
    missing = np.zeros(len(column), bool)
    if column.dtype.kind == "O":
        missing |= column == np.array(None)
    present = column[~missing]
    if present.dtype.kind == "O" and not all(isinstance(value, str) for value in present):
        raise UnsupportedError(
            f"the attribute {name!r} holds objects that are no text; give text, or numbers of a "
            "numpy type",
            kind="attribute_dtype",
        )
    before = [] if stored is None else _categories(name, stored)
    distinct, inverse = np.unique(present.astype(str), return_inverse=True)
    number = {text: code for code, text in enumerate(before)}
    codes = [number.setdefault(text, len(number)) for text in distinct.tolist()]
    values = np.full(len(column), _MISSING, np.int64)
    values[~missing] = np.asarray(codes, np.int64)[inverse.reshape(-1)]
    if stored is not None:
        asked = None
    elif asked is None:
        asked = code_type(len(number), has_missing=bool(missing.any()))
    return _coded(name, values, list(number), asked, stored)


def code_type(n_categories: int, *, has_missing: bool) -> np.dtype[Any]:
    """Return a type of codes; signed where one of them says that a value is missing.

    Examples
    --------
    >>> from anyzarr.vectors._attributes import code_type
    >>> code_type(200, has_missing=False), code_type(200, has_missing=True)
    (dtype('uint8'), dtype('int16'))
    """
    kinds = ("int8", "int16", "int32") if has_missing else ("uint8", "uint16", "uint32")
    return next(np.dtype(kind) for kind in kinds if n_categories <= np.iinfo(kind).max)


def _coded(
    name: str,
    values: npt.NDArray[np.int64],
    categories: list[str],
    dtype: np.dtype[Any] | None,
    stored: Mapping[str, Any] | None,
) -> StoredColumn:
    about: dict[str, Any] = {"encoding": _DICTIONARY, "categories": categories, "ordered": False}
    if stored is not None:
        dtype = row_layout(name, stored)[0]
        about["ordered"] = stored.get("ordered", False)
    assert dtype is not None
    has_missing = bool((values == _MISSING).any())
    if len(categories) > np.iinfo(dtype).max or (has_missing and dtype.kind == "u"):
        raise UnsupportedError(
            f"the attribute {name!r} is stored as {dtype} codes of categories, which cannot tell "
            f"{len(categories)} of them{' and missing values' if has_missing else ''}; write the "
            "store again with all values",
            kind="attribute_dtype",
        )
    if dtype.kind == "i":
        about["_FillValue"] = _MISSING
    coded = values.astype(dtype)
    return StoredColumn(coded, {**_describe(name, coded), **about})


def row_layout(name: str, stored: Mapping[str, Any]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return type and shape of the rows of a stored attribute.

    Raises
    ------
    CorruptDataError
        The attributes of its array do not tell them.
    """
    channels = stored.get("channel_names") or ()
    shape = stored.get("row_shape")
    if shape is None:
        shape = [len(channels)] if len(channels) > 1 else []
    try:
        dtype, row_shape = np.dtype(stored.get("dtype", "float32")), tuple(int(n) for n in shape)
    except (TypeError, ValueError) as error:
        raise CorruptDataError(
            f"the attribute {name!r} says that its rows are {stored.get('dtype')!r} of the shape "
            f"{shape!r}, which is no type and shape ({error})"
        ) from error
    if dtype.kind not in "biufcmM" or any(n < 0 for n in row_shape):
        raise CorruptDataError(
            f"the attribute {name!r} says that its rows are {dtype} of the shape {row_shape}, "
            "which cannot be stored"
        )
    return dtype, row_shape


def _categories(name: str, stored: Mapping[str, Any]) -> list[Any]:
    categories = stored.get("categories")
    if stored.get("encoding") != _DICTIONARY or not isinstance(categories, list):
        raise MetadataError(
            f"the attribute {name!r} holds numbers in this store, and text was given; give "
            "numbers, or choose another name",
            kind="attribute_dtype",
        )
    return categories


def decode_column(
    name: str, values: npt.NDArray[Any], stored: Mapping[str, Any]
) -> npt.NDArray[Any]:
    """Return an attribute as it was given, from its stored form.

    Raises
    ------
    CorruptDataError
        A code stands for no category.
    """
    if stored.get("encoding") != _DICTIONARY:
        return values
    categories = stored.get("categories")
    missing = np.zeros(len(values), bool)
    if stored.get("_FillValue") is not None:
        missing = values == stored["_FillValue"]
    codes = values[~missing]
    n = len(categories) if isinstance(categories, list) else 0
    if codes.size and (codes.min() < 0 or codes.max() >= n):
        raise CorruptDataError(
            f"the attribute {name!r} holds a code that stands for none of its {n} categories"
        )
    texts = np.asarray(categories if n else [], dtype=None if n else str)
    if not missing.any():
        return texts[codes] if n else texts[:0]
    decoded = np.full(len(values), None, dtype=object)
    decoded[~missing] = texts[codes]
    return decoded
