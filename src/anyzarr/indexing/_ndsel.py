"""ndsel messages: selections as JSON, checked and brought to one normal form.

A message has a ``kind``. ``point`` and ``points`` list coordinates, ``box`` and ``slice`` give
bounds, and ``transform`` is a whole index transform in TensorStore's vocabulary: a domain of
input indices, and per dimension of the array an output map from them. Every kind means a
transform, and :func:`normalize` writes it out in full. Coordinates are literal: a negative one
is not counted from the end. This module reads and writes JSON values only; what a message
selects of an array is decided in :mod:`anyzarr.indexing._transform`.

Source: the ndsel draft (zarr-developers/ndsel), and TensorStore's JSON index transforms.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anyzarr.errors import SelectionError

__all__ = ["fail", "normalize"]

MAX_RANK = 32
"""The most dimensions of a transform, as in TensorStore; a message cannot ask for more."""

_INT64 = range(-(2**63), 2**63)
_INFINITE = {"-inf": -math.inf, "+inf": math.inf}
_MAP_FIELDS = ("offset", "stride", "input_dimension", "index_array", "index_array_bounds")
_UPPER_FIELDS = ("exclusive_max", "inclusive_max", "shape")


def normalize(message: Mapping[str, Any] | str | bytes) -> dict[str, Any]:
    """Return the normal form of an ndsel message.

    Parameters
    ----------
    message
        A message of kind ``point``, ``box``, ``slice``, ``points`` or ``transform``, as JSON
        text or as the object it stands for.

    Returns
    -------
    dict
        ``input_rank``, ``input_inclusive_min``, ``input_exclusive_max``, ``input_labels`` and
        ``output``, all written out, without ``kind``. ``tensorstore.IndexTransform(json=...)``
        takes it as it is. With ``kind="transform"`` added it is a message again, and is its
        own normal form.

    Raises
    ------
    SelectionError
        With one of these ``kind``: ``bounds_out_of_order``, ``invalid_json``,
        ``multiple_upper_bounds``, ``output_map_conflict``, ``rank_mismatch``, ``step_zero``,
        ``unknown_field``, ``unknown_kind``.

    Examples
    --------
    >>> from anyzarr.indexing import normalize
    >>> body = normalize({"kind": "slice", "start": [10], "stop": [20], "step": [4]})
    >>> body["input_inclusive_min"], body["input_exclusive_max"]
    ([2], [5])
    >>> body["output"]
    [{'offset': 2, 'stride': 4, 'input_dimension': 0}]
    """
    fields = _load(message)
    kind = fields.pop("kind", None)
    if not isinstance(kind, str):
        raise fail("invalid_json", f"the message's kind is {kind!r}, and must be a string")
    if kind not in _KINDS:
        raise fail("unknown_kind", f"{kind!r} is no kind of ndsel message; use {_listed(_KINDS)}")
    body = _KINDS[kind](fields)
    _check_rank(body["input_rank"])
    return body


def fail(kind: str, message: str) -> SelectionError:
    """Return the error for a message, by its ndsel code."""
    return SelectionError(message, kind=kind)


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))


def _load(message: Mapping[str, Any] | str | bytes) -> dict[str, Any]:
    if isinstance(message, str | bytes):
        try:
            message = json.loads(message)
        except ValueError as error:
            raise fail("invalid_json", f"the ndsel message is no JSON: {error}") from error
    if not isinstance(message, Mapping):
        raise fail(
            "invalid_json",
            f"an ndsel message is a JSON object, and this is {type(message).__name__}",
        )
    return dict(message)


# Values


@dataclass(frozen=True, slots=True)
class _Bound:
    """A bound: an index or an infinity, and whether it is implicit (in brackets)."""

    index: float | int
    implicit: bool = False

    def to_json(self) -> Any:
        value: Any = self.index
        if isinstance(value, float):
            value = "+inf" if value > 0 else "-inf"
        return [value] if self.implicit else value


def _integer(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise fail("invalid_json", f"{where} is {value!r}, and must be an integer")
    return _int64(value, where)


def _int64(value: int, where: str) -> int:
    if value not in _INT64:
        raise fail("invalid_json", f"{where} is {value}, which does not fit in 64 bits")
    return value


def _index(value: Any, where: str) -> float | int:
    """Return an integer or an infinity."""
    if isinstance(value, str) and value in _INFINITE:
        return _INFINITE[value]
    return _integer(value, where)


def _bound(value: Any, where: str) -> _Bound:
    if not isinstance(value, list):
        return _Bound(_index(value, where))
    if len(value) != 1:
        raise fail("invalid_json", f"{where} is {value!r}; an implicit bound is a list of one")
    return _Bound(_index(value[0], where), implicit=True)


def _string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise fail("invalid_json", f"{where} is {value!r}, and must be a string")
    return value


def _list_of(parse: Callable[[Any, str], Any], value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise fail("invalid_json", f"{where} is {value!r}, and must be a list")
    return [parse(entry, f"{where}[{i}]") for i, entry in enumerate(value)]


def _only(fields: Mapping[str, Any], allowed: tuple[str, ...], what: str) -> None:
    unknown = sorted(set(fields) - set(allowed))
    if unknown:
        raise fail(
            "unknown_field", f"{what} has no field {unknown[0]!r}; it has {_listed(allowed)}"
        )


def _required(fields: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in fields:
        raise fail("invalid_json", f"{what} needs the field {name!r}")
    return fields[name]


def _check_rank(rank: int) -> None:
    if rank > MAX_RANK:
        raise fail("invalid_json", f"the message has rank {rank}; the most is {MAX_RANK}")


# Domains


def _domain(fields: Mapping[str, Any], prefix: str, rank: int | None) -> dict[str, Any]:
    """Return the normal form of a domain, whose fields' names begin with ``prefix``."""
    upper_names = [prefix + n for n in _UPPER_FIELDS if prefix + n in fields]
    if len(upper_names) > 1:
        raise fail(
            "multiple_upper_bounds",
            f"the message has {_listed(upper_names)}, which all give the upper bound; keep one",
        )
    columns: dict[str, list[Any]] = {}
    for name in (prefix + "inclusive_min", *upper_names):
        if name in fields:
            columns[name] = _list_of(_bound, fields[name], name)
    if prefix + "labels" in fields:
        columns[prefix + "labels"] = _list_of(_string, fields[prefix + "labels"], prefix + "labels")
    rank = _common_rank(columns, rank)
    lower = columns.get(prefix + "inclusive_min", [_Bound(0)] * rank)
    upper = [_Bound(math.inf, implicit=True)] * rank
    if upper_names:
        form = upper_names[0].removeprefix(prefix)
        given = columns[upper_names[0]]
        upper = [
            _exclusive(form, a, b, k) for k, (a, b) in enumerate(zip(lower, given, strict=True))
        ]
    for k, (a, b) in enumerate(zip(lower, upper, strict=True)):
        if a.index > b.index:
            raise fail(
                "bounds_out_of_order",
                f"dimension {k} starts at {a.index} and ends at {b.index}, before it starts",
            )
    return _body(
        [b.to_json() for b in lower],
        [b.to_json() for b in upper],
        [],
        columns.get(prefix + "labels"),
    )


def _common_rank(columns: Mapping[str, list[Any]], rank: int | None) -> int:
    for name, column in columns.items():
        if rank is None:
            rank = len(column)
        elif len(column) != rank:
            raise fail("rank_mismatch", f"{name} has {len(column)} entries, and the rank is {rank}")
    return rank or 0


def _exclusive(form: str, lower: _Bound, given: _Bound, k: int) -> _Bound:
    """Return an upper bound, given in one of three forms, as the exclusive one."""
    index: float | int = given.index
    if form == "inclusive_max":
        index = index + 1
    elif form == "shape":
        if index == -math.inf:
            raise fail("invalid_json", f"the shape of dimension {k} is -inf, and a shape counts")
        # A dimension without an end has none, wherever it starts.
        index = math.inf if math.inf in (index, lower.index) else lower.index + index
    if isinstance(index, int):
        _int64(index, f"the upper bound of dimension {k}")
    return _Bound(index, given.implicit)


def _body(
    lower: list[Any], upper: list[Any], output: list[dict[str, Any]], labels: list[str] | None
) -> dict[str, Any]:
    rank = len(lower)
    return {
        "input_rank": rank,
        "input_inclusive_min": lower,
        "input_exclusive_max": upper,
        "input_labels": [""] * rank if labels is None else labels,
        "output": output,
    }


def _identity(rank: int) -> list[dict[str, Any]]:
    return [{"offset": 0, "stride": 1, "input_dimension": k} for k in range(rank)]


# Kinds


def _point(fields: Mapping[str, Any]) -> dict[str, Any]:
    _only(fields, ("coords",), "a point")
    coords = _list_of(_integer, _required(fields, "coords", "a point"), "coords")
    return _body([], [], [{"offset": c} for c in coords], None)


def _points(fields: Mapping[str, Any]) -> dict[str, Any]:
    _only(fields, ("coords",), "points")

    def row(value: Any, where: str) -> list[int]:
        return _list_of(_integer, value, where)

    rows = _list_of(row, _required(fields, "coords", "points"), "coords")
    rank = len(rows[0]) if rows else 0
    for i, coords in enumerate(rows):
        if len(coords) != rank:
            raise fail(
                "rank_mismatch",
                f"coords[{i}] has {len(coords)} coordinates, and coords[0] has {rank}",
            )
    output = [
        {
            "offset": 0,
            "stride": 1,
            "index_array": [coords[k] for coords in rows],
            "index_array_bounds": ["-inf", "+inf"],
        }
        for k in range(rank)
    ]
    return _body([0], [len(rows)], output, None)


def _box(fields: Mapping[str, Any]) -> dict[str, Any]:
    _only(fields, ("inclusive_min", *_UPPER_FIELDS, "labels"), "a box")
    body = _domain(fields, "", None)
    # Refused before anything is made in proportion to the rank.
    _check_rank(body["input_rank"])
    return {**body, "output": _identity(body["input_rank"])}


def _slice(fields: Mapping[str, Any]) -> dict[str, Any]:
    _only(fields, ("start", "stop", "step", "labels"), "a slice")
    columns = {
        name: _list_of(_integer, _required(fields, name, "a slice"), name)
        for name in ("start", "stop")
    }
    if "step" in fields:
        columns["step"] = _list_of(_integer, fields["step"], "step")
    labels = None
    if "labels" in fields:
        labels = _list_of(_string, fields["labels"], "labels")
    rank = _common_rank({**columns, **({} if labels is None else {"labels": labels})}, None)
    steps = columns.get("step", [1] * rank)
    lower, upper, output = [], [], []
    for k, (start, stop, step) in enumerate(
        zip(columns["start"], columns["stop"], steps, strict=True)
    ):
        origin, count = _lattice(start, stop, step, k)
        lower.append(_int64(origin, f"the lower bound of dimension {k}"))
        upper.append(_int64(origin + count, f"the upper bound of dimension {k}"))
        output.append({"offset": start - step * origin, "stride": step, "input_dimension": k})
    return _body(lower, upper, output, labels)


def _lattice(start: int, stop: int, step: int, k: int) -> tuple[int, int]:
    """Return the first input index of a slice and how many there are.

    The first is ``start / step`` rounded towards zero, so that the offset of the output map
    is smaller than the step, and zero for a start that the step divides.
    """
    if step == 0:
        raise fail("step_zero", f"the step of dimension {k} is 0, and a step moves on")
    distance = stop - start if step > 0 else start - stop
    if distance < 0:
        raise fail(
            "bounds_out_of_order",
            f"the slice of dimension {k} starts at {start} and cannot reach {stop} in steps of "
            f"{step}; an empty one stops where it starts",
        )
    origin = abs(start) // abs(step)
    if (start < 0) != (step < 0):
        origin = -origin
    return origin, -(-distance // abs(step))


def _transform(fields: Mapping[str, Any]) -> dict[str, Any]:
    names = ("inclusive_min", *_UPPER_FIELDS, "labels", "rank")
    _only(fields, (*(f"input_{n}" for n in names), "output"), "a transform")
    rank = None
    if "input_rank" in fields:
        rank = _integer(fields["input_rank"], "input_rank")
        if rank < 0:
            raise fail("invalid_json", f"input_rank is {rank}, and a rank is at least 0")
        _check_rank(rank)
    body = _domain(fields, "input_", rank)
    rank = body["input_rank"]
    _check_rank(rank)
    if "output" not in fields:
        return {**body, "output": _identity(rank)}
    output = _list_of(_output_map, fields["output"], "output")
    for d, output_map in enumerate(output):
        if output_map.get("input_dimension", -1) >= rank:
            raise fail(
                "rank_mismatch",
                f"output[{d}] refers to input dimension {output_map['input_dimension']}, and "
                f"the rank is {rank}",
            )
    return {**body, "output": output}


def _output_map(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise fail("invalid_json", f"{where} is {value!r}, and must be an object")
    _only(value, _MAP_FIELDS, where)
    if "index_array" in value and "input_dimension" in value:
        raise fail(
            "output_map_conflict",
            f"{where} has both input_dimension and index_array; keep one",
        )
    offset = _integer(value.get("offset", 0), f"{where}.offset")
    if "index_array" not in value and "input_dimension" not in value:
        return {"offset": offset}
    stride = _integer(value.get("stride", 1), f"{where}.stride")
    result: dict[str, Any] = {"offset": offset, "stride": stride}
    if "input_dimension" in value:
        dim = _integer(value["input_dimension"], f"{where}.input_dimension")
        if dim < 0:
            raise fail("invalid_json", f"{where}.input_dimension is {dim}, and counts from 0")
        return {**result, "input_dimension": dim}
    bounds = _array_bounds(value.get("index_array_bounds", ["-inf", "+inf"]), where)
    return {**result, "index_array": value["index_array"], "index_array_bounds": bounds}


def _array_bounds(value: Any, where: str) -> list[Any]:
    bounds = _list_of(_index, value, f"{where}.index_array_bounds")
    if len(bounds) != 2:
        raise fail("invalid_json", f"{where}.index_array_bounds has two entries, not {len(bounds)}")
    if bounds[0] > bounds[1]:
        raise fail(
            "bounds_out_of_order",
            f"{where}.index_array_bounds ends at {bounds[1]}, before it starts at {bounds[0]}",
        )
    return [_Bound(b).to_json() for b in bounds]


_KINDS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "point": _point,
    "points": _points,
    "box": _box,
    "slice": _slice,
    "transform": _transform,
}
