"""Codec chains: parsing, the rules they obey, sharding, and the v2 names of codecs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from anyzarr.errors import MetadataError
from anyzarr.metadata._check import as_ints, as_list, as_mapping, invalid, named
from anyzarr.metadata._dtypes import has_byte_order
from anyzarr.metadata._model import CodecSpec, DataType, ShardingSpec

__all__ = [
    "chain_json",
    "codec_json",
    "encoded_dtype",
    "parse_chain",
    "role_of",
    "sharding_of",
    "spec_from_v2",
    "spec_to_v2",
    "v2_chain",
    "validate_chain",
]

Role = Literal["array to array", "array to bytes", "bytes to bytes"]

_ARRAY_TO_ARRAY: Final = frozenset({
    "transpose", "bitround", "cast_value", "scale_offset", "fixedscaleoffset", "reshape", "squeeze",
    "numcodecs.astype", "numcodecs.bitround", "numcodecs.delta", "numcodecs.fixedscaleoffset",
    "numcodecs.packbits", "numcodecs.quantize",
})  # fmt: skip
_ARRAY_TO_BYTES: Final = frozenset({
    "bytes", "sharding_indexed", "vlen-utf8", "vlen-bytes", "packbits", "pcodec", "zfp", "zfpy",
    "numcodecs.pcodec", "numcodecs.zfpy", "jpeg", "jpegxl", "n5_default", "vlen-array",
})  # fmt: skip
_BYTES_TO_BYTES: Final = frozenset({
    "blosc", "crc32c", "gzip", "zstd", "zlib", "bz2", "lz4", "adler32", "fletcher32", "shuffle",
    "numcodecs.adler32", "numcodecs.blosc", "numcodecs.bz2", "numcodecs.crc32", "numcodecs.crc32c",
    "numcodecs.fletcher32", "numcodecs.gzip", "numcodecs.jenkins_lookup3", "numcodecs.lz4",
    "numcodecs.lzma", "numcodecs.shuffle", "numcodecs.zlib", "numcodecs.zstd",
})  # fmt: skip
_COMPRESSORS: Final = _BYTES_TO_BYTES - {
    "crc32c", "adler32", "fletcher32", "shuffle", "numcodecs.adler32", "numcodecs.crc32",
    "numcodecs.crc32c", "numcodecs.fletcher32", "numcodecs.jenkins_lookup3", "numcodecs.shuffle",
}  # fmt: skip
_ALIASES: Final[Mapping[str, str]] = {"endian": "bytes"}
_RANK: Final[Mapping[Role, int]] = {"array to array": 0, "array to bytes": 1, "bytes to bytes": 2}

V2_OBJECT_CODECS: Final = frozenset(
    {"vlen-utf8", "vlen-bytes", "vlen-array", "json2", "msgpack2", "pickle", "categorize"}
)
_V2_ARRAY_FILTERS: Final = frozenset(
    {"astype", "bitround", "delta", "fixedscaleoffset", "packbits", "quantize"}
)
_BLOSC_SHUFFLE: Final = ("noshuffle", "shuffle", "bitshuffle")
_MAX_DEPTH: Final = 8


def role_of(name: str) -> Role | None:
    """Return what a codec turns into what; None if the codec is not known here."""
    if name in _ARRAY_TO_ARRAY:
        return "array to array"
    if name in _ARRAY_TO_BYTES:
        return "array to bytes"
    return "bytes to bytes" if name in _BYTES_TO_BYTES else None


def parse_chain(value: object, field: str = "codecs") -> tuple[CodecSpec, ...]:
    """Return the codec chain of a v3 document; unknown codecs are kept, engines judge them.

    An unknown codec that need not be understood (``must_understand: false``) is left out.
    """
    chain = []
    for index, entry in enumerate(as_list(value, field)):
        definition = named(entry, f"{field}[{index}]")
        name = _ALIASES.get(definition.name, definition.name)
        if definition.must_understand or role_of(name) is not None:
            chain.append(CodecSpec(name, dict(definition.configuration)))
    return tuple(chain)


def codec_json(spec: CodecSpec) -> dict[str, Any]:
    """Return a codec as a v3 document names it."""
    if not spec.configuration:
        return {"name": spec.name}
    return {"name": spec.name, "configuration": dict(spec.configuration)}


def chain_json(chain: Sequence[CodecSpec]) -> list[dict[str, Any]]:
    """Return a chain as a v3 document names it."""
    return [codec_json(spec) for spec in chain]


def sharding_of(chain: Sequence[CodecSpec], field: str = "codecs") -> ShardingSpec | None:
    """Return what ``sharding_indexed`` says, where it is the array-to-bytes codec of a chain.

    Raises
    ------
    MetadataError
        Its configuration is malformed.
    """
    for index, spec in enumerate(chain):
        if spec.name == "sharding_indexed":
            return _parse_sharding(spec.configuration, f"{field}[{index}].configuration")
    return None


def _parse_sharding(configuration: Mapping[str, Any], field: str) -> ShardingSpec:
    location = configuration.get("index_location", "end")
    if location not in ("start", "end"):
        raise invalid(f"{field}.index_location", location, 'must be "start" or "end"')
    return ShardingSpec(
        as_ints(configuration.get("chunk_shape"), f"{field}.chunk_shape", minimum=1),
        parse_chain(configuration.get("codecs"), f"{field}.codecs"),
        parse_chain(configuration.get("index_codecs"), f"{field}.index_codecs"),
        location,
    )


def validate_chain(
    chain: Sequence[CodecSpec],
    shapes: Sequence[tuple[int, ...]],
    data_type: DataType,
    field: str = "codecs",
    *,
    depth: int = 0,
) -> None:
    """Check a chain's order, and that its codecs fit the chunks and the data type.

    Parameters
    ----------
    chain
        As parsed.
    shapes
        The chunk shapes it must serve: one, or for a rectilinear grid each that occurs.
    data_type
        Of the array.

    Raises
    ------
    MetadataError
        No, or more than one, array-to-bytes codec; the wrong order; a transpose that is no
        permutation; subchunks that do not divide the shard; a missing byte order; ….
    """
    if depth > _MAX_DEPTH:
        raise invalid(field, len(chain), f"must not nest shards deeper than {_MAX_DEPTH} levels")
    _check_order(chain, field)
    known_shapes: list[tuple[int, ...]] | None = list(shapes)
    dtype_is_known = True
    for index, spec in enumerate(chain):
        where = f"{field}[{index}].configuration"
        if spec.name == "transpose" and known_shapes is not None:
            known_shapes = _transposed(spec, known_shapes, where)
        elif spec.name == "sharding_indexed":
            _check_sharding(spec, known_shapes, data_type, where, depth)
        elif spec.name == "bytes" and dtype_is_known:
            _check_bytes(spec, data_type, where)
        elif spec.name in ("vlen-utf8", "vlen-bytes") and dtype_is_known:
            _check_variable(spec, data_type, field)
        if role_of(spec.name) in ("array to array", None) and spec.name != "transpose":
            dtype_is_known = False
            known_shapes = None if role_of(spec.name) is None else known_shapes


def _check_order(chain: Sequence[CodecSpec], field: str) -> None:
    names = [spec.name for spec in chain]
    roles = [role_of(name) for name in names]
    serializers = [n for n, role in zip(names, roles, strict=True) if role == "array to bytes"]
    if len(serializers) > 1:
        raise invalid(field, names, "must have exactly one array-to-bytes codec")
    if not serializers and None not in roles:
        raise invalid(field, names, 'must have an array-to-bytes codec, such as "bytes"')
    ranks = [_RANK[role] for role in roles if role is not None]
    if ranks != sorted(ranks):
        raise invalid(
            field,
            names,
            "must hold array-to-array codecs, then one array-to-bytes codec, "
            "then bytes-to-bytes codecs",
        )


def transpose_order(spec: CodecSpec, ndim: int, field: str) -> tuple[int, ...]:
    """Return the permutation of a transpose codec ("C" and "F" are its older spellings)."""
    order = spec.configuration.get("order")
    if order in ("C", "F"):
        return tuple(range(ndim) if order == "C" else reversed(range(ndim)))
    axes = as_ints(order, f"{field}.order")
    if sorted(axes) != list(range(ndim)):
        raise invalid(f"{field}.order", order, f"must be a permutation of the {ndim} dimensions")
    return axes


def _transposed(
    spec: CodecSpec, shapes: Sequence[tuple[int, ...]], field: str
) -> list[tuple[int, ...]]:
    return [tuple(s[i] for i in transpose_order(spec, len(s), field)) for s in shapes]


def _check_sharding(
    spec: CodecSpec,
    shapes: Sequence[tuple[int, ...]] | None,
    data_type: DataType,
    field: str,
    depth: int,
) -> None:
    sharding = _parse_sharding(spec.configuration, field)
    inner = sharding.subchunk_shape
    for shape in shapes or ():
        fits = len(inner) == len(shape)
        if not fits or any(s % c for s, c in zip(shape, inner, strict=True)):
            raise invalid(
                f"{field}.chunk_shape", list(inner), f"must divide the shard shape {shape}"
            )
    validate_chain(sharding.codecs, [inner], data_type, f"{field}.codecs", depth=depth + 1)
    index_type = DataType("uint64", np.dtype("u8"))
    index_field = f"{field}.index_codecs"
    validate_chain(sharding.index_codecs, [(*inner, 2)], index_type, index_field, depth=depth + 1)
    for codec in sharding.index_codecs:
        if codec.name in _COMPRESSORS:
            raise invalid(index_field, codec.name, "must not change size with its content")


def _check_bytes(spec: CodecSpec, data_type: DataType, field: str) -> None:
    endian = spec.configuration.get("endian")
    if endian not in ("little", "big", None):
        raise invalid(f"{field}.endian", endian, 'must be "little" or "big"')
    if data_type.is_variable_length:
        rule = f"must be a codec for {data_type.name}, such as vlen-utf8 or vlen-bytes"
        raise invalid(field.removesuffix(".configuration"), "bytes", rule)
    # Structs written before the registry required it are little-endian.
    if endian is None and data_type.name != "struct" and has_byte_order(data_type.dtype):
        raise invalid(f"{field}.endian", endian, f"must be given for {data_type.name}")


def _check_variable(spec: CodecSpec, data_type: DataType, field: str) -> None:
    expected = "string" if spec.name == "vlen-utf8" else "bytes"
    if data_type.name != expected:
        raise MetadataError(
            f"{field} has {spec.name!r}, which encodes {expected}, "
            f"but data_type is {data_type.name!r}"
        )


def encoded_dtype(spec: CodecSpec, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype a numcodecs array filter turns ``dtype`` into."""
    configuration = spec.configuration
    key = {"numcodecs.astype": "encode_dtype", "numcodecs.packbits": None}.get(spec.name, "astype")
    if spec.name == "numcodecs.packbits":
        return np.dtype("u1")
    chosen = configuration.get(key or "") or configuration.get("dtype")
    if spec.name in ("transpose", "numcodecs.bitround") or chosen is None:
        return dtype
    try:
        dtype = np.dtype(chosen)
    except (TypeError, ValueError):
        raise invalid(f"filters ({spec.name})", chosen, "must name a numpy dtype") from None
    return dtype


def _v2_config(value: object, field: str) -> tuple[str, dict[str, Any]]:
    configuration = dict(as_mapping(value, field))
    codec_id = configuration.pop("id", None)
    if not isinstance(codec_id, str) or not codec_id:
        raise invalid(f"{field}.id", codec_id, "must be the name of a codec")
    return codec_id, configuration


def spec_from_v2(value: object, field: str, itemsize: int = 1) -> CodecSpec:
    """Return a v2 codec (``{"id": …}``) by its v3 name and configuration.

    Codecs whose stored form v3 defines get its names; the rest are ``numcodecs.<id>``.
    """
    codec_id, configuration = _v2_config(value, field)
    if codec_id in ("zstd", "gzip"):
        settings = {"level": configuration.get("level", 0 if codec_id == "zstd" else 1)}
        if codec_id == "zstd":
            settings["checksum"] = bool(configuration.get("checksum", False))
        return CodecSpec(codec_id, settings)
    if codec_id == "blosc":
        return CodecSpec("blosc", _blosc_from_v2(configuration, itemsize, field))
    if codec_id == "crc32c" and configuration.get("location", "end") == "end":
        return CodecSpec("crc32c", {})
    if codec_id in ("vlen-utf8", "vlen-bytes"):
        return CodecSpec(codec_id, {})
    return CodecSpec(f"numcodecs.{codec_id}", configuration)


def _blosc_from_v2(configuration: Mapping[str, Any], itemsize: int, field: str) -> dict[str, Any]:
    shuffle = configuration.get("shuffle", 1)
    if shuffle == -1:
        shuffle = 2 if itemsize == 1 else 1
    if not isinstance(shuffle, int) or shuffle not in (0, 1, 2):
        raise invalid(f"{field}.shuffle", shuffle, "must be -1, 0, 1 or 2")
    return {
        "typesize": itemsize if 0 < itemsize < 256 else 1,
        "cname": configuration.get("cname", "lz4"),
        "clevel": configuration.get("clevel", 5),
        "shuffle": _BLOSC_SHUFFLE[shuffle],
        "blocksize": configuration.get("blocksize", 0),
    }


def spec_to_v2(spec: CodecSpec) -> dict[str, Any]:
    """Return a codec as a v2 document names it (``{"id": …}``).

    Raises
    ------
    MetadataError
        v2 has no such codec.
    """
    configuration = dict(spec.configuration)
    if spec.name.startswith("numcodecs."):
        return {"id": spec.name.removeprefix("numcodecs."), **configuration}
    if spec.name == "zstd":
        checksum = {"checksum": True} if configuration.get("checksum") else {}
        return {"id": "zstd", "level": configuration.get("level", 0), **checksum}
    if spec.name == "blosc":
        configuration.pop("typesize", None)
        shuffle = configuration.get("shuffle", "shuffle")
        if shuffle not in _BLOSC_SHUFFLE:
            raise invalid("blosc.shuffle", shuffle, f"must be one of {', '.join(_BLOSC_SHUFFLE)}")
        configuration["shuffle"] = _BLOSC_SHUFFLE.index(shuffle)
        return {"id": "blosc", **configuration}
    if spec.name in ("gzip", "crc32c", "vlen-utf8", "vlen-bytes"):
        return {"id": spec.name, **configuration}
    raise MetadataError(
        f"the codec {spec.name!r} does not exist in Zarr v2; use zarr_format=3 or another codec"
    )


def v2_chain(document: Mapping[str, Any], ndim: int, dtype: np.dtype[Any]) -> tuple[CodecSpec, ...]:
    """Return the chain of a v2 document in v3 terms, its order of application kept."""
    chain: list[CodecSpec] = []
    if document["order"] == "F" and ndim > 1:
        chain.append(CodecSpec("transpose", {"order": list(reversed(range(ndim)))}))
    encoded, is_bytes = dtype, False
    filters = document.get("filters")
    for index, entry in enumerate([] if filters is None else as_list(filters, "filters")):
        field = f"filters[{index}]"
        codec_id, _ = _v2_config(entry, field)
        spec = spec_from_v2(entry, field, encoded.itemsize)
        if codec_id in _V2_ARRAY_FILTERS:
            encoded = encoded_dtype(spec, encoded)
        elif codec_id in V2_OBJECT_CODECS:
            is_bytes = True
        elif not is_bytes:
            chain.append(_v2_bytes(encoded))
            is_bytes = True
        chain.append(spec)
    if not is_bytes:
        chain.append(_v2_bytes(encoded))
    if document.get("compressor") is not None:
        chain.append(spec_from_v2(document["compressor"], "compressor", encoded.itemsize))
    return tuple(chain)


def _v2_bytes(dtype: np.dtype[Any]) -> CodecSpec:
    orders = byte_orders(dtype)
    return CodecSpec("bytes", {"endian": orders.pop()} if len(orders) == 1 else {})


def byte_orders(dtype: np.dtype[Any]) -> set[str]:
    """Return the byte orders that occur in a dtype; empty where the order does not matter."""
    if dtype.names is not None:
        return set().union(*(byte_orders(dtype[n]) for n in dtype.names))
    if not has_byte_order(dtype):
        return set()
    return {{"<": "little", ">": "big"}.get(dtype.byteorder, sys.byteorder)}
