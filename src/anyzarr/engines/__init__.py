"""Engines turn bytes into arrays and back: which there are, which is taken, and why.

``anyzarr.engines.choose`` takes the first of ``native``, ``zarrs`` and ``zarr`` that can do an
array on a store; ``explain`` says why the others were not taken. To write one, implement
:class:`anyzarr.abc.Engine`, prove it with :func:`anyzarr.testing.engine_contract`, and register
it with ``register_engine`` or the entry-point group ``anyzarr.engines``.
"""

from anyzarr.engines._byte_layer import ByteLayerIO
from anyzarr.engines._choose import EngineReport, cached_codec, choose, explain, open_array_io
from anyzarr.engines._codec_edge import CheckedCodec
from anyzarr.engines._registry import (
    canonical_name,
    get_engine,
    list_engines,
    register_engine,
)
from anyzarr.engines._stored import read_stored_subchunk

__all__ = [
    "ByteLayerIO",
    "CheckedCodec",
    "EngineReport",
    "cached_codec",
    "canonical_name",
    "choose",
    "explain",
    "get_engine",
    "list_engines",
    "open_array_io",
    "read_stored_subchunk",
    "register_engine",
]
