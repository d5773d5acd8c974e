"""DLPack, as far as numpy does not go: writable views on any exporter's memory, and bfloat16.

Follows the DLPack specification 1.1 (``dlpack.h``) and the array API's rules for
``__dlpack__``. numpy's own ``from_dlpack`` gives a read-only view where the exporter knows
only the first version of the protocol, and knows no bfloat16.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr._optional import is_installed

__all__ = ["CPU", "Exporter", "export", "view"]

CPU: Final = (1, 0)
"""What ``__dlpack_device__`` gives for memory of the processor."""

_HOST: Final = {1, 3, 11}
_DEVICES: Final = {
    2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 9: "VPI", 10: "ROCm", 13: "CUDA managed",
    14: "oneAPI", 15: "WebGPU", 16: "Hexagon", 17: "MAIA",
}  # fmt: skip
_READ_ONLY = 1
_VERSION: Final = (1, 1)

_KINDS: Final = {0: "i", 1: "u", 2: "f", 5: "c", 6: "b"}
_NUMPY: Final = {
    "b1", "c16", "c8", "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8",
}  # fmt: skip
_ML_DTYPES: Final = {
    "bfloat16": 4, "float8_e3m4": 7, "float8_e4m3": 8, "float8_e4m3b11fnuz": 9,
    "float8_e4m3fn": 10, "float8_e4m3fnuz": 11, "float8_e5m2": 12, "float8_e5m2fnuz": 13,
    "float8_e8m0fnu": 14,
}  # fmt: skip
_ML_NAMES: Final = {code: name for name, code in _ML_DTYPES.items()}

Capsule: TypeAlias = Any
Memory: TypeAlias = npt.NDArray[Any]


class Exporter(Protocol):
    """Memory that is handed over by DLPack."""

    def __dlpack__(self, **options: Any) -> Capsule: ...
    def __dlpack_device__(self) -> tuple[Any, int]: ...


class _DataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("dtype", _DataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class _Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("manager", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    ]


_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.argtypes, _is_valid.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_int
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.argtypes, _pointer.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p


def _opened(capsule: Capsule) -> tuple[_Tensor, bool]:
    """Return what is in a capsule, which stays the owner, and whether it is read-only."""
    if _is_valid(capsule, b"dltensor_versioned"):
        held = _Versioned.from_address(_pointer(capsule, b"dltensor_versioned"))
        if held.major != _VERSION[0]:
            raise BufferError(f"it speaks version {held.major} of DLPack, and 1 is known here")
        return held.tensor, bool(held.flags & _READ_ONLY)
    if _is_valid(capsule, b"dltensor"):
        # In this version nobody can export what is read-only.
        return _Tensor.from_address(_pointer(capsule, b"dltensor")), False
    raise BufferError("its __dlpack__ gives no DLPack capsule")


# ------------------------------------------------------------------ in


def view(exporter: Exporter) -> Memory:
    """Return an array over an exporter's memory: nothing is copied, any strides.

    Parameters
    ----------
    exporter
        It must stay unchanged in place and size as long as the array is used; the array keeps it.

    Raises
    ------
    BufferError
        The memory is that of a device, or of a type that numpy (with ml_dtypes, where that is
        installed) has not; the message is the end of a sentence about the exporter.
    """
    kind, number = exporter.__dlpack_device__()
    if int(kind) not in _HOST:
        name = _DEVICES.get(int(kind), f"of DLPack's type {int(kind)}")
        raise BufferError(f"its memory is on the device {name}, number {int(number)}")
    try:
        capsule = exporter.__dlpack__(max_version=_VERSION, copy=False)
    except TypeError:  # an exporter of the first version of the protocol
        capsule = exporter.__dlpack__()
    tensor, is_read_only = _opened(capsule)
    array = _over(tensor, (exporter, capsule))
    array.flags.writeable = not is_read_only
    return array


def _over(tensor: _Tensor, owner: object) -> Memory:
    dtype = _dtype_of(tensor.dtype)
    shape = tuple(tensor.shape[: tensor.ndim])
    if 0 in shape:
        return np.empty(shape, dtype)
    if tensor.strides:
        strides = tuple(n * dtype.itemsize for n in tensor.strides[: tensor.ndim])
    else:  # in C order
        counts = [math.prod(shape[d + 1 :]) for d in range(len(shape))]
        strides = tuple(n * dtype.itemsize for n in counts)
    ends = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    before, after = -sum(min(end, 0) for end in ends), sum(max(end, 0) for end in ends)
    start = tensor.data + tensor.byte_offset - before
    memory = (ctypes.c_char * (before + after + dtype.itemsize)).from_address(start)
    memory._owner = owner  # kept alive with the array
    return np.ndarray(shape, dtype, memory, offset=before, strides=strides)


def _dtype_of(found: _DataType) -> np.dtype[Any]:
    code, bits, lanes = found.code, found.bits, found.lanes
    if lanes == 1 and bits % 8 == 0:
        if code in _KINDS and f"{_KINDS[code]}{bits // 8}" in _NUMPY:
            return np.dtype(f"{_KINDS[code]}{bits // 8}")
        if code in _ML_NAMES and is_installed("ml_dtypes"):
            import ml_dtypes

            dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, _ML_NAMES[code]))
            return dtype
    name = _ML_NAMES.get(code, f"of DLPack's code {code}")
    raise BufferError(f"its elements are {name}, {bits} bits in {lanes} lanes, which numpy has not")


# ------------------------------------------------------------------ out


def export(array: Memory, **options: Any) -> Capsule:
    """Return a capsule over an array's memory, which lives as long as the capsule's consumer.

    Parameters
    ----------
    array
        Of native byte order, else it is copied into it.
    **options
        As for ``__dlpack__`` in the array API; those that numpy's version does not know are
        left out.

    Raises
    ------
    BufferError
        DLPack has no such type.
    """
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    code = _ML_DTYPES.get(native.dtype.name)
    if code is None:
        return _exported(native, options)
    # numpy refuses the type, so it exports numbers of the same size, and they are renamed.
    capsule = _exported(native.view(f"u{native.dtype.itemsize}"), options)
    tensor, _ = _opened(capsule)
    tensor.dtype.code = code
    return capsule


def _exported(array: Memory, options: dict[str, Any]) -> Capsule:
    try:
        return array.__dlpack__(**options)
    except TypeError:  # numpy before 2.1
        return array.__dlpack__(stream=options.get("stream"))
