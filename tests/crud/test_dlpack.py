"""DLPack: reading into memory that speaks nothing else, and whole arrays handed over."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr import _dlpack, crud
from anyzarr.errors import MetadataError
from anyzarr.metadata import array_document
from anyzarr.stores import MemoryStore

ml_dtypes = pytest.importorskip("ml_dtypes")


class Tensor:
    """Memory that speaks DLPack and nothing else, as torch's does."""

    def __init__(self, array: np.ndarray[Any, Any], device: tuple[int, int] = (1, 0)) -> None:
        self.array = array
        self.device = device
        self.asked: list[dict[str, Any]] = []

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device

    def __dlpack__(self, **options: Any) -> Any:
        self.asked.append(options)
        return _dlpack.export(self.array, **options)


class OldTensor(Tensor):
    """The same in the first version of the protocol."""

    def __dlpack__(self, stream: Any = None) -> Any:
        return _dlpack.export(self.array, stream=stream)


KINDS = [Tensor, OldTensor]
DTYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip
ML_DTYPES = [
    "bfloat16", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fnuz",
    "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
]  # fmt: skip


def stored(values: np.ndarray[Any, Any], **layout: Any) -> anyzarr.Array:
    return anyzarr.create_array({}, data=values, **layout)


def some(dtype: Any, shape: tuple[int, ...] = (9, 11)) -> np.ndarray[Any, Any]:
    numbers = np.random.default_rng(1).integers(0, 100, shape)
    return numbers.astype(dtype)


# ------------------------------------------------------------------ out=


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_are_read_into(kind: type[Tensor], dtype: str) -> None:
    values = some(dtype)
    tensor = kind(np.zeros_like(values))
    result = stored(values, chunks=(4, 4)).read(out=tensor)
    np.testing.assert_array_equal(tensor.array, values, strict=True)
    assert np.shares_memory(result, tensor.array), "written straight into, not through a copy"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_tensors_of_short_floats_are_read_into(kind: type[Tensor], name: str) -> None:
    values = some(getattr(ml_dtypes, name))
    tensor = kind(np.zeros_like(values))
    stored(values, chunks=(4, 4)).read(np.s_[2:, ::3], out=Tensor(tensor.array[2:, ::3]))
    expected = np.zeros_like(values)
    expected[2:, ::3] = values[2:, ::3]
    assert tensor.array.tobytes() == expected.tobytes()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_tensors_of_any_strides(data: st.DataObject) -> None:
    expected = np.arange(99, dtype="i4").reshape(9, 11)
    array = stored(expected, chunks=(4, 4))
    rows, columns = data.draw(st.slices(9)), data.draw(st.slices(11))
    wanted = expected[rows, columns]
    buffer = np.zeros((wanted.shape[1] * 2, wanted.shape[0] * 3), "i4")
    out = buffer[::-2, 1::3].T
    array.read((rows, columns), out=data.draw(st.sampled_from(KINDS))(out))
    np.testing.assert_array_equal(out, wanted)
    assert buffer.sum() == wanted.sum()  # nothing outside was touched


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 0)])
def test_tensors_of_odd_shapes(shape: tuple[int, ...]) -> None:
    values = some("u2", shape)
    tensor = Tensor(np.zeros(shape, "u2"))
    assert stored(values).read(out=tensor).shape == shape
    np.testing.assert_array_equal(tensor.array, values)


def test_no_copy_is_asked_for() -> None:
    tensor = Tensor(np.zeros((9, 11), "u2"))
    stored(some("u2")).read(out=tensor)
    assert [options["copy"] for options in tensor.asked] == [False]


def test_the_result_keeps_the_memory_and_nothing_else_does() -> None:
    values = some("u2")
    tensor = Tensor(np.zeros_like(values))
    gone = weakref.ref(tensor)
    result = stored(values).read(out=tensor)
    del tensor
    gc.collect()
    assert gone() is not None
    np.testing.assert_array_equal(result, values)
    del result
    gc.collect()
    assert gone() is None


def read_only() -> np.ndarray[Any, Any]:
    array = np.zeros((9, 11), "i4")
    array.flags.writeable = False
    return array


class Grudging(Tensor):
    def __dlpack__(self, **options: Any) -> Any:
        raise BufferError("its gradient is wanted")


class Lying(Tensor):
    def __dlpack__(self, **options: Any) -> Any:
        return object()


@pytest.mark.parametrize(
    ("out", "kind", "said"),
    [
        (Tensor(np.zeros((9, 10), "i4")), "out_shape", "(9, 10)"),
        (Tensor(np.zeros((9, 11), "i8")), "out_dtype", "int64"),
        (Tensor(np.zeros((9, 11), ml_dtypes.bfloat16)), "out_dtype", "bfloat16"),
        (Tensor(read_only()), "out_read_only", "read-only"),
        (Tensor(np.zeros((9, 11), "i4"), (2, 1)), "out_memory", "CUDA, number 1"),
        (Tensor(np.zeros((9, 11), "i4"), (99, 0)), "out_memory", "99"),
        (Grudging(np.zeros((9, 11), "i4")), "out_memory", "gradient"),
        (Lying(np.zeros((9, 11), "i4")), "out_memory", "capsule"),
    ],
)
def test_tensors_that_cannot_take_the_result_are_refused(out: Tensor, kind: str, said: str) -> None:
    document = array_document(shape=(9, 11), dtype="int32", chunks=(4, 4))
    with pytest.raises(MetadataError) as caught:
        crud.read_region(document, MemoryStore(), "a", out=out)
    assert caught.value.kind == kind
    assert said in caught.value.message
    assert not out.array.any()


@pytest.mark.parametrize(("code", "bits", "lanes"), [(0, 4, 1), (2, 32, 4), (3, 64, 1), (2, 24, 1)])
def test_types_that_numpy_has_not_are_refused(code: int, bits: int, lanes: int) -> None:
    class Odd(Tensor):
        def __dlpack__(self, **options: Any) -> Any:
            capsule = super().__dlpack__(**options)
            found = _dlpack._opened(capsule)[0].dtype
            found.code, found.bits, found.lanes = code, bits, lanes
            return capsule

    with pytest.raises(BufferError, match=str(bits)):
        _dlpack.view(Odd(np.zeros(4, "i4")))


# ------------------------------------------------------------------ from_dlpack


@pytest.mark.parametrize("dtype", [*DTYPES, ">i4", ">f8"])
def test_numpy_takes_whole_arrays(dtype: str) -> None:
    values = some(dtype)
    array = stored(values, chunks=(4, 4), zarr_format=2)
    taken = np.from_dlpack(array)
    np.testing.assert_array_equal(taken, values)
    assert taken.dtype.isnative
    assert taken.flags.writeable
    assert array.__dlpack_device__() == (1, 0)


@pytest.mark.parametrize("name", ML_DTYPES)
def test_short_floats_come_and_go(name: str) -> None:
    values = some(getattr(ml_dtypes, name))
    array = stored(values, chunks=(4, 4))

    class Taken(Tensor):
        def __dlpack__(self, *, copy: bool, **options: Any) -> Any:
            return array.__dlpack__(**options)

    taken = _dlpack.view(Taken(values))
    assert not np.shares_memory(taken, values)
    assert taken.dtype == values.dtype
    assert taken.tobytes() == values.tobytes()


def test_consumers_of_the_first_version_are_served() -> None:
    array = stored(some("u2"))
    assert "versioned" not in repr(array.__dlpack__())
    assert "versioned" in repr(array.__dlpack__(max_version=(1, 0)))


def test_what_cannot_be_handed_over_is_a_buffer_error() -> None:
    array = stored(some("u2"))
    for options in ({"copy": False}, {"dl_device": (2, 0)}):
        with pytest.raises(BufferError):
            array.__dlpack__(**options)
    with pytest.raises(BufferError):
        stored(np.zeros(3, "datetime64[s]")).__dlpack__()
    # What is read is not where the array is stored, so it is no place to write to.
    with pytest.raises(MetadataError) as caught:
        array.read(out=array)
    assert caught.value.kind == "out_memory"
