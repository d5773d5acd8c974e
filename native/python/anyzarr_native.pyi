"""The native engine of anyzarr; use it through anyzarr, engine "native"."""

from collections.abc import Buffer, Callable, Mapping, Sequence

__version__: str

class NativeError(Exception):
    kind: str
    key: str | None
    chunk_coords: tuple[int, ...] | None
    errno: int | None

_Span = tuple[int, int | None]
_Get = Callable[[list[tuple[str, _Span | None]]], list[bytes | None]]
_Put = Callable[[list[tuple[str, bytes | None]]], None]

# Per table of points: dimensions, an array of int64 for each, shape of the table.
_Points = Sequence[tuple[Sequence[int], Sequence[Buffer], Sequence[int]]] | None

class Archive:
    def __init__(
        self,
        descriptor: int,
        path: str,
        keys: list[str],
        numbers: Buffer,
        names: Mapping[str, bytes],
    ) -> None: ...

class ObjectStore:
    def __init__(
        self,
        service: str,
        url: str,
        settings: Mapping[str, str],
        client: Mapping[str, str] | None,
        headers: Mapping[str, bytes],
        certificates: bytes,
        retry: tuple[int, float, float, float, float] | None,
    ) -> None: ...
    def read(
        self,
        width: int,
        plan: Plan,
        prefix: str,
        start: Sequence[int],
        stop: Sequence[int],
        step: Sequence[int],
        out: Buffer,
        threads: int,
        points: _Points = None,
    ) -> None: ...
    def write(
        self,
        width: int,
        plan: Plan,
        prefix: str,
        start: Sequence[int],
        stop: Sequence[int],
        step: Sequence[int],
        value: Buffer,
        threads: int,
        keep_empty: bool,
        points: _Points = None,
    ) -> None: ...

class Plan:
    def __init__(self, document: str, fill: bytes, big_endian: bool = False) -> None: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def is_variable(self) -> bool: ...
    def bind(self, value: Buffer | None = None) -> Plan: ...
    def bind_list(self, values: list[str] | list[bytes], text: bool, refs: Buffer) -> Plan: ...
    def to_list(self, refs: Buffer, text: bool) -> list[str] | list[bytes]: ...
    def measure(self, refs: Buffer, offsets: Buffer) -> None: ...
    def gather(self, refs: Buffer, out: Buffer, threads: int) -> None: ...
    @property
    def chunk_shape(self) -> tuple[int, ...]: ...
    def read_local(
        self,
        root: str,
        path: str,
        start: Sequence[int],
        stop: Sequence[int],
        step: Sequence[int],
        out: Buffer,
        threads: int,
        points: _Points = None,
    ) -> None: ...
    def read_archive(
        self,
        archive: Archive,
        path: str,
        start: Sequence[int],
        stop: Sequence[int],
        step: Sequence[int],
        out: Buffer,
        threads: int,
        points: _Points = None,
    ) -> None: ...
    def write_local(
        self,
        root: str,
        path: str,
        start: Sequence[int],
        stop: Sequence[int],
        step: Sequence[int],
        value: Buffer,
        threads: int,
        keep_empty: bool = False,
        points: _Points = None,
    ) -> None: ...
    def read_many(
        self,
        get: _Get,
        prefix: str,
        start: Sequence[int],
        stop: Sequence[int],
        step: Sequence[int],
        out: Buffer,
        threads: int,
        points: _Points = None,
    ) -> None: ...
    def write_many(
        self,
        get: _Get,
        put: _Put,
        prefix: str,
        start: Sequence[int],
        stop: Sequence[int],
        step: Sequence[int],
        value: Buffer,
        threads: int,
        keep_empty: bool = False,
        points: _Points = None,
    ) -> None: ...
    def decode_chunk(self, data: Buffer, out: Buffer) -> None: ...
    def encode_chunk(self, value: Buffer) -> bytes: ...

def write_alike(
    plan: Plan,
    root: str,
    paths: Sequence[str],
    bounds: Sequence[int],
    coords: Sequence[Buffer],
    value: Buffer,
    threads: int,
    keep_empty: bool = False,
) -> None: ...
def downsample(
    source: Buffer,
    target: Buffer,
    factors: Sequence[int],
    method: str,
    dtype: str,
    threads: int = 1,
) -> None: ...
def take_runs(
    source: Buffer,
    row_bytes: int,
    starts: Buffer,
    counts: Buffer,
    out: Buffer,
    threads: int = 1,
) -> None: ...
