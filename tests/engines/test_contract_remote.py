"""Every engine keeps the engine contract on services, caches and URL pipelines."""

from __future__ import annotations

import gzip
import io
import itertools
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import anyzarr
from anyzarr.abc import Store
from anyzarr.engines import get_engine
from anyzarr.errors import NodeNotFoundError
from anyzarr.stores import LocalStore, MemoryStore, open_store
from anyzarr.testing import engine_contract

from .._object_server import Answer, Exchange, Fault, ObjectServer  # noqa: TID252 (tests are no installed package)
from ._engines import ENGINES
from .test_contract import run, run_case

_numbers = itertools.count()


class Places:
    """Where the stores of one test lie."""

    def __init__(self, folder: Path, web: str, s3: Any, bucket: str, ftp: str) -> None:
        self.folder, self.web, self.s3, self.bucket, self.ftp = folder, web, s3, bucket, ftp

    def new(self) -> str:
        return f"a place {next(_numbers)}"

    def save(self, store: Store, ending: str, wrap: Callable[[bytes], bytes] = bytes) -> str:
        """Save a store as an archive in the folder; return its name."""
        name = f"{self.new()}.{ending}"
        (self.folder / name).write_bytes(wrap(archive(store)))
        return name

    def upload(self, store: Store, **options: Any) -> str:
        """Put a store's archive into the bucket; return its URL."""
        url = f"s3://{self.bucket}/{self.new()}"
        open_store(url, mode="a", **self.s3.options).put("a.zip", archive(store))
        return f"{url}/a.zip"


def archive(store: Store) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for info in store.list():
            packed.writestr(info.key, store.get(info.key) or b"")
    return buffer.getvalue()


def copied(source: Store, target: Store) -> None:
    for info in source.list():
        target.put(info.key, source.get(info.key) or b"")


@pytest.fixture
def places(tmp_path: Path, web: str, s3: Any, ftp: str, request: pytest.FixtureRequest) -> Places:
    if not hasattr(request.config, "engines_bucket"):
        request.config.engines_bucket = s3.new_bucket()
    return Places(tmp_path, web, s3, request.config.engines_bucket, ftp)


# ------------------------------------------------------------------------------- what can be read


def _zip(places: Places, store: Store) -> Store:
    return open_store(f"{places.folder}/{places.save(store, 'zip')}|zip:|zarr:")


def _ozx(places: Places, store: Store) -> Store:
    return open_store(f"{places.folder}/{places.save(store, 'ozx')}")


def _gzip_zip(places: Places, store: Store) -> Store:
    name = places.save(store, "zip.gz", gzip.compress)
    return open_store(f"{places.folder}/{name}|gzip:|zip:|zarr:")


def _byte_range_zip(places: Places, store: Store) -> Store:
    name = places.save(store, "bin", lambda data: b"before" + data + b"after")
    size = (places.folder / name).stat().st_size - len(b"after")
    return open_store(f"{places.folder}/{name}|byte-range:6-{size}|zip:")


def _zip_in_zip(places: Places, store: Store) -> Store:
    outer = MemoryStore({"in ner.zip": archive(store)})
    return open_store(f"{places.folder}/{places.save(outer, 'zip')}|zip:in ner.zip|zip:|zarr:")


def _s3_zip(places: Places, store: Store) -> Store:
    return open_store(f"{places.upload(store)}|zip:|zarr:", **places.s3.options)


def _s3_zip_by_fsspec(places: Places, store: Store) -> Store:
    options = {"backend": "fsspec", **places.s3.options}
    return open_store(f"{places.upload(store)}|zip:|zarr:", **options)


def _s3_zip_cached(places: Places, store: Store) -> Store:
    url = f"{places.upload(store)}|zip:|zarr:"
    return open_store(url, cache=places.folder / "kept", **places.s3.options)


def _s3_cached(places: Places, store: Store) -> Store:
    url = f"s3://{places.bucket}/{places.new()}"
    copied(store, open_store(url, mode="a", **places.s3.options))
    return open_store(url, cache=10_000_000, **places.s3.options)


def _http(places: Places, store: Store) -> Store:
    name = places.new()
    copied(store, LocalStore(places.folder / name))
    return open_store(f"{places.web}/{name.replace(' ', '%20')}")


def _http_by_fsspec(places: Places, store: Store) -> Store:
    name = places.new()
    copied(store, LocalStore(places.folder / name))
    return open_store(f"{places.web}/{name.replace(' ', '%20')}", backend="fsspec")


def _http_zip(places: Places, store: Store) -> Store:
    name = places.save(store, "zip").replace(" ", "%20")
    return open_store(f"{places.web}/{name}|zip:|zarr:")


def _ftp_zip(places: Places, store: Store) -> Store:
    url = f"{places.ftp}/{places.new()}"
    open_store(url, mode="a").put("a.zip", archive(store))
    return open_store(f"{url}/a.zip|zip:|zarr:")


AS_READ: dict[str, Callable[[Places, Store], Store]] = {
    "zip": _zip,
    "ozx": _ozx,
    "gzip, zip": _gzip_zip,
    "byte-range, zip": _byte_range_zip,
    "zip in zip": _zip_in_zip,
    "obstore, S3: zip": _s3_zip,
    "fsspec, S3: zip": _s3_zip_by_fsspec,
    "cache of S3: zip": _s3_zip_cached,
    "cache of S3": _s3_cached,
    "obstore, HTTP": _http,
    "fsspec, HTTP": _http_by_fsspec,
    "obstore, HTTP: zip": _http_zip,
    "fsspec, FTP: zip": _ftp_zip,
}


def combined(kinds: Iterable[str], plain: str, others: Iterable[str]) -> list[Any]:
    """Return the native engine on every kind, and other engines; slow is what tells least."""
    return [
        pytest.param(
            *(engine, kind, array),
            id=f"{engine}-{kind}-{array}",
            marks=() if engine == "native" or kind in others else (pytest.mark.slow,),
        )
        for engine in ENGINES
        for kind in kinds
        for array in ("v3-sharded", plain)
        if engine == "native" or array == "v3-sharded"
    ]


@pytest.mark.parametrize(
    ("engine", "kind", "array"),
    combined(AS_READ, "v2-blosc", ("obstore, S3: zip", "gzip, zip")),
)
def test_reading(engine: str, kind: str, array: str, places: Places) -> None:
    for case in engine_contract(
        get_engine(engine), arrays=[array], as_read=lambda store: AS_READ[kind](places, store)
    ):
        run_case(case)


# ------------------------------------------------------------------------------ what can be written


def _new_s3(places: Places) -> Store:
    return open_store(f"s3://{places.bucket}/{places.new()}", mode="a", **places.s3.options)


def _new_s3_by_fsspec(places: Places) -> Store:
    url = f"s3://{places.bucket}/{places.new()}"
    return open_store(url, backend="fsspec", mode="a", **places.s3.options)


def _new_ftp(places: Places) -> Store:
    return open_store(f"{places.ftp}/{places.new()}", mode="a")


def _new_cached(places: Places) -> Store:
    url = f"s3://{places.bucket}/{places.new()}"
    return open_store(url, mode="a", cache=places.folder / "kept", **places.s3.options)


def _new_by_pipeline(places: Places) -> Store:
    return open_store(f"{places.folder}/{places.new()}|zarr:below", mode="a")


NEW: dict[str, Callable[[Places], Store]] = {
    "obstore, S3": _new_s3,
    "fsspec, S3": _new_s3_by_fsspec,
    "fsspec, FTP": _new_ftp,
    "cache of S3": _new_cached,
    "pipeline to a folder": _new_by_pipeline,
}


@pytest.mark.parametrize(
    ("engine", "kind", "array"), combined(NEW, "v3-no-dimensions", ("obstore, S3",))
)
def test_reading_and_writing(engine: str, kind: str, array: str, places: Places) -> None:
    run(engine, array, lambda: NEW[kind](places))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_told_format_costs_one_round_trip(
    server: ObjectServer, tmp_path: Path, zarr_format: Any
) -> None:
    anyzarr.create_array(tmp_path / "a.zarr", shape=(4,), dtype="u1", zarr_format=zarr_format)
    server.objects.update(
        {f"a.zarr/{path.name}": path.read_bytes() for path in (tmp_path / "a.zarr").iterdir()}
    )
    anyzarr.open_array(f"{server.url}/a.zarr|zarr{zarr_format}:")
    expected = {3: {"zarr.json"}, 2: {".zarray", ".zgroup", ".zattrs"}}[zarr_format]
    assert {key.removeprefix("a.zarr/") for _, key, _ in server.requests} == expected
    assert len(server.requests) == len(expected), "at once, and nothing twice"


@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_signed_urls(server: ObjectServer, backend: str) -> None:
    """What follows the question mark belongs to every request, and to the URL given back."""

    def refused(x: Exchange) -> None:
        x.send(Answer(403))

    def choose(x: Exchange) -> Fault | None:
        return None if x.query == {"signature": "abc"} else refused

    server.choose = choose
    source = MemoryStore()
    anyzarr.create_array(source, name="x/y", data=[1, 2, 3])
    server.objects["data/a b.zip"] = archive(source)
    base = f"{server.url}/data/a%20b.zip?signature=abc"
    array: Any = anyzarr.open(f"{base}|zip:x/y|zarr3:", backend=backend)
    assert array[:].tolist() == [1, 2, 3]
    assert array.url == f"{base}|zip:x/y|zarr3:"
    again: Any = anyzarr.open(array.url, backend=backend)
    assert again[1] == 2
    shown = (array, array.store, array.store.spec)
    assert "abc" not in "".join([*map(repr, shown), *map(str, shown)])
    with pytest.raises(NodeNotFoundError) as caught:
        anyzarr.open(f"{base}|zip:nothing", backend=backend)
    assert "abc" not in str(caught.value) + str(caught.value.store)
    for info in source.list("x/y/"):
        server.objects[f"folder/{info.key}"] = source.get(info.key) or b""
    array = anyzarr.open(f"{server.url}/folder?signature=abc", path="x/y", backend=backend)
    assert array.url == f"{server.url}/folder/x/y?signature=abc"
    again = anyzarr.open(array.url, backend=backend)
    assert array[2] == again[2] == 3
