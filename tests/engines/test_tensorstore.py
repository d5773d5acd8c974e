"""What is particular to the engine tensorstore; the contract and the matrix do the rest."""

from __future__ import annotations

import gzip
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ts = pytest.importorskip("tensorstore", reason="the engine's library")

import anyzarr  # noqa: E402
from anyzarr import config  # noqa: E402
from anyzarr.abc import Box, Store  # noqa: E402
from anyzarr.engines import get_engine  # noqa: E402
from anyzarr.engines._tensorstore_kvstore import kvstore_of  # noqa: E402
from anyzarr.errors import CorruptDataError, ReadOnlyError, UnsupportedError  # noqa: E402
from anyzarr.metadata import ArrayMetadata  # noqa: E402
from anyzarr.stores import LocalStore, MemoryStore, ObstoreStore, ZipStore  # noqa: E402

from ._arrays import array, values, write  # noqa: E402

ENGINE = get_engine("tensorstore")


def read(metadata: ArrayMetadata, store: Store, path: str = "") -> np.ndarray[Any, Any]:
    out = np.empty(metadata.shape, metadata.dtype)
    ENGINE.open(metadata, store, path).read(Box.full(metadata.shape), out)
    return out


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_nothing_but_chunks_is_read_or_written(tmp_path: Path) -> None:
    (tmp_path / "zarr.json").write_text("not even JSON")
    metadata = array()
    io = ENGINE.open(metadata, LocalStore(tmp_path), "")
    assert not io.capabilities.byte_layer
    io.write(Box.full(metadata.shape), values(metadata))
    np.testing.assert_array_equal(read(metadata, LocalStore(tmp_path)), values(metadata))
    assert files(tmp_path) == {"zarr.json", "c/0/0", "c/0/1", "c/1/0", "c/1/1"}
    assert (tmp_path / "zarr.json").read_text() == "not even JSON"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_no_handle_is_stale_after_append_and_resize(tmp_path: Path, zarr_format: Any) -> None:
    store = LocalStore(tmp_path)
    small = array(zarr_format=zarr_format)
    written = write(small, store)
    old = ENGINE.open(small, store, "")
    old.read(Box.full(small.shape), np.empty(small.shape, small.dtype))
    large = small.with_document(shape=[11, 5])
    ENGINE.open(large, store, "").write(Box((7, 0), (11, 5), (1, 1)), np.full((4, 5), 9, "uint16"))
    found = read(large, store)
    np.testing.assert_array_equal(found[:7], written)
    assert (found[7:] == 9).all()
    # The old handle goes on with the old document, on data as it is now.
    again = np.empty(small.shape, small.dtype)
    old.read(Box.full(small.shape), again)
    np.testing.assert_array_equal(again, written)
    shrunk = small.with_document(shape=[3, 3])
    np.testing.assert_array_equal(read(shrunk, store), written[:3, :3])


def test_what_others_wrote_meanwhile_is_read(tmp_path: Path) -> None:
    store, metadata = LocalStore(tmp_path), array(shards=(8, 8), chunks=(2, 2))
    io = ENGINE.open(metadata, store, "")
    out = np.empty(metadata.shape, metadata.dtype)
    for factor in (1, 2, 3):
        other = get_engine("zarr").open(metadata, store, "")
        other.write(Box.full(metadata.shape), values(metadata) * factor)
        io.read(Box.full(metadata.shape), out)
        np.testing.assert_array_equal(out, values(metadata) * factor)


@pytest.mark.parametrize("store_of", [LocalStore, lambda path: MemoryStore()])
@pytest.mark.parametrize(
    ("dtype", "fill", "value", "is_kept"),
    [
        ("float32", 0.0, -0.0, True),
        ("float32", 0.0, 0.0, False),
        ("float32", -0.0, 0.0, True),
        ("float32", np.nan, np.uint32(0x7FC00001).view("float32"), True),
        ("float32", np.nan, np.nan, False),
        ("complex64", 0j, complex(-0.0, 0.0), True),
        ("complex64", complex(np.nan, 0), complex(np.nan, 0), False),
        ("int32", 5, 5, False),
    ],
)
def test_chunks_of_fill_value_are_dropped(
    tmp_path: Path, store_of: Any, dtype: str, fill: Any, value: Any, is_kept: bool
) -> None:
    store, metadata = store_of(tmp_path), array(dtype, fill_value=fill)
    io = ENGINE.open(metadata, store, "")
    io.write(Box.full(metadata.shape), np.ones(metadata.shape, dtype))
    io.write(Box.full(metadata.shape), np.full(metadata.shape, value, dtype))
    assert (store.get("c/0/0") is not None) == is_kept
    with config.scope(write_empty_chunks=True):
        io.write(Box.full(metadata.shape), np.full(metadata.shape, value, dtype))
    assert store.get("c/0/0") is not None


def test_a_null_fill_value_drops_zeros(tmp_path: Path) -> None:
    metadata = array("<i4", zarr_format=2).with_document(fill_value=None)
    ENGINE.open(metadata, LocalStore(tmp_path), "").write(
        Box.full(metadata.shape), np.zeros(metadata.shape, "int32")
    )
    assert files(tmp_path) == set()


@pytest.mark.parametrize(
    ("metadata", "word"),
    [
        (array("str", fill_value=""), "string"),
        (array("S3", fill_value=b"", zarr_format=2), "null_terminated_bytes"),
        (array([("a", "i2"), ("b", "f4")], fill_value=None, zarr_format=2), "struct"),
        (
            array(filters=[{"id": "delta", "dtype": "<u2"}], dtype="<u2", zarr_format=2),
            "filters",
        ),
    ],
)
def test_what_tensorstore_cannot_do_is_declined_with_a_reason(
    metadata: ArrayMetadata, word: str
) -> None:
    reason = ENGINE.decline(metadata, MemoryStore())
    assert reason is not None
    assert word in reason
    assert "tensorstore" in reason
    with pytest.raises(UnsupportedError):
        ENGINE.codec(metadata)


@pytest.mark.parametrize("dtype", [">u2", "M8[ms]", "m8[s]", ">M8[us]", "bool", "float16"])
def test_out_of_any_memory_is_filled_in_place(tmp_path: Path, dtype: str) -> None:
    options = {"fill_value": None} if dtype[-1] == "]" else {}
    metadata = array(dtype, zarr_format=2, **options)
    store = LocalStore(tmp_path)
    written = write(metadata, store)
    io = ENGINE.open(metadata, store, "")
    packed = np.empty((7, 5), [("pad", "u1"), ("x", metadata.dtype)])["x"]
    for out in (
        np.empty((7, 5), metadata.dtype, order="F"),
        np.empty((14, 15), metadata.dtype)[::-2, 1::3],
        packed,
    ):
        io.read(Box.full((7, 5)), out)
        np.testing.assert_array_equal(out, written)
        part = out[1:6:2, ::3]
        io.read(Box((1, 0), (6, 5), (2, 3)), part)
        np.testing.assert_array_equal(part, written[1:6:2, ::3])
    io.write(Box((0, 1), (2, 3), (1, 1)), packed[5:7, 2:4])
    np.testing.assert_array_equal(read(metadata, store)[:2, 1:3], written[5:7, 2:4])


def test_a_limit_on_concurrency_is_passed_on_only_if_set(tmp_path: Path) -> None:
    metadata, store = array(), LocalStore(tmp_path)
    written = write(metadata, store)

    def limit(io: Any) -> Any:
        context = io.native_handle.spec(retain_context=True).to_json()["context"]
        return context["data_copy_concurrency"].get("limit")

    io = ENGINE.open(metadata, store, "")
    assert limit(io) is None
    with config.scope(concurrency=1):
        assert limit(io) == 1
        np.testing.assert_array_equal(read(metadata, store), written)


def test_a_damaged_chunk_is_named(tmp_path: Path) -> None:
    metadata, store = array(compressors="gzip"), LocalStore(tmp_path)
    write(metadata, store, "p")
    path = tmp_path / "p/c/1/0"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CorruptDataError) as caught:
        read(metadata, store, "p")
    assert (caught.value.key, caught.value.chunk_coords) == ("p/c/1/0", (1, 0))
    assert caught.value.engine == "tensorstore"
    io = ENGINE.open(metadata, store, "p")
    before = path.read_bytes()
    with pytest.raises(CorruptDataError):
        io.write(Box((4, 0), (5, 1), (1, 1)), np.ones((1, 1), "uint16"))
    assert path.read_bytes() == before


# ------------------------------------------------------------------- which stores it reads itself


def test_which_stores_are_tensorstores_own(tmp_path: Path) -> None:
    import obstore.store

    local = ObstoreStore(obstore.store.LocalStore(tmp_path))
    assert kvstore_of(LocalStore(tmp_path), "a/b") == {"driver": "file", "path": f"{tmp_path}/a/b/"}
    assert kvstore_of(LocalStore(tmp_path), "") == {"driver": "file", "path": f"{tmp_path}/"}
    assert kvstore_of(local, "a") == {"driver": "file", "path": f"{tmp_path}/a/"}
    assert kvstore_of(MemoryStore(), "a") is None
    assert kvstore_of(ObstoreStore(obstore.store.MemoryStore()), "a") is None


@pytest.mark.parametrize(
    ("url", "options", "expected"),
    [
        (
            "s3://bucket/a b/ü",
            {"region": "eu-west-1"},
            {
                "driver": "s3",
                "bucket": "bucket",
                "path": "a b/ü/p/",
                "aws_region": "eu-west-1",
                "aws_credentials": {"type": "default"},
            },
        ),
        (
            "s3://bucket",
            {"endpoint_url": "http://127.0.0.1:9", "anon": True},
            {
                "driver": "s3",
                "bucket": "bucket",
                "path": "p/",
                "endpoint": "http://127.0.0.1:9",
                "aws_region": "us-east-1",
                "aws_credentials": {"type": "anonymous"},
            },
        ),
        ("s3://bucket", {"access_key_id": "a", "secret_access_key": "b"}, None),
        ("s3://bucket", {"virtual_hosted_style_request": "true"}, None),
        ("s3://bucket", {"client_options": {"proxy_url": "http://x"}}, None),
        ("gs://bucket/x", {}, {"driver": "gcs", "bucket": "bucket", "path": "x/p/"}),
        ("gs://bucket/x", {"anon": True}, None),
        ("az://container/x", {"account_name": "a", "anon": True}, None),
        (
            "https://host.example/a%20b",
            {},
            {"driver": "http", "base_url": "https://host.example/a%20b/p/"},
        ),
        ("http://h/x", {"client_options": {"default_headers": {"a": "b"}}}, None),
    ],
)
def test_which_object_stores_are_tensorstores_own(
    url: str, options: Any, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    found = kvstore_of(ObstoreStore(url, **options), "p")
    assert found == expected
    if expected is not None:
        assert ts.KvStore.Spec(found)


def test_archives_are_read_by_bytes_so_that_damage_is_seen(tmp_path: Path) -> None:
    metadata, source = array(compressors=None), MemoryStore()
    written = write(metadata, source)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for info in source.list():
            archive.writestr(info.key, source.get(info.key) or b"")
    store = ZipStore(str(path))
    assert ENGINE.open(metadata, store, "").capabilities.byte_layer
    np.testing.assert_array_equal(read(metadata, store), written)
    store.close()


def test_it_reads_the_web_itself(tmp_path: Path, web: str) -> None:
    metadata = array()
    written = write(metadata, LocalStore(tmp_path), "a b/ü.zarr/x y")
    store = ObstoreStore(f"{web}/a%20b/%C3%BC.zarr")
    assert not ENGINE.open(metadata, store, "x y").capabilities.byte_layer
    np.testing.assert_array_equal(read(metadata, store, "x y"), written)
    assert (read(metadata, store, "not there") == 0).all()


def test_it_reads_s3_itself_and_writes_by_bytes(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Keys cannot be handed to tensorstore; it finds them in the environment, as obstore does.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.options["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.options["secret_access_key"])
    store = ObstoreStore(
        f"s3://{s3.new_bucket()}/a b", endpoint_url=s3.endpoint, region="us-east-1"
    )
    metadata = array(shards=(4, 4), chunks=(2, 2))
    io = ENGINE.open(metadata, store, "x")
    assert io.native_handle.kvstore.spec().to_json()["driver"] == "s3"
    io.write(Box.full(metadata.shape), values(metadata))
    np.testing.assert_array_equal(read(metadata, store, "x"), values(metadata))
    part = np.empty((2, 3), "uint16")
    io.read(Box((1, 1), (5, 4), (2, 1)), part)
    np.testing.assert_array_equal(part, values(metadata)[1:5:2, 1:4])
    assert (read(metadata, store, "absent") == 0).all()


def test_a_read_only_folder_stays_as_it_is(tmp_path: Path) -> None:
    metadata, store = array(), LocalStore(tmp_path, read_only=True)
    with pytest.raises(ReadOnlyError):
        ENGINE.open(metadata, store, "").write(Box.full(metadata.shape), values(metadata))
    assert files(tmp_path) == set()


# ------------------------------------------------------------------------------------ after a fork


def test_a_forked_child_gets_a_reason_and_lives(tmp_path: Path, run_in_forked_child: Any) -> None:
    metadata, store = array(), LocalStore(tmp_path)
    written = write(metadata, store)
    io = ENGINE.open(metadata, store, "")
    io.read(Box.full(metadata.shape), np.empty(metadata.shape, "uint16"))
    codec = ENGINE.codec(metadata)

    def child() -> Any:
        kinds = []
        for attempt in (
            lambda: io.read(Box.full(metadata.shape), np.empty(metadata.shape, "uint16")),
            lambda: codec.encode(np.ones((4, 4), "uint16")),
            lambda: ENGINE.codec(metadata),
        ):
            try:
                attempt()
            except UnsupportedError as error:
                kinds.append(error.kind)
        other = np.empty(metadata.shape, "uint16")
        get_engine("zarr").open(metadata, store, "").read(Box.full(metadata.shape), other)
        return ENGINE.decline(metadata, store), kinds, other.tolist()

    outcome, (reason, kinds, other) = run_in_forked_child(child)
    assert outcome == "returned"
    assert "forked" in reason
    assert kinds == ["forked"] * 3
    assert other == written.tolist()


def test_a_child_of_a_process_that_only_asked_may_use_it(tmp_path: Path) -> None:
    script = """
        import os, signal, sys, warnings
        import numpy as np
        from anyzarr.abc import Box
        from anyzarr.engines import get_engine
        from anyzarr.metadata import array_document, parse_array
        from anyzarr.stores import LocalStore

        metadata = parse_array(array_document(shape=(3,), dtype="uint8", chunks=(2,)))
        store, engine = LocalStore(sys.argv[1]), get_engine("tensorstore")
        assert engine.decline(metadata, store) is None
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            io = engine.open(metadata, store, "")
            io.write(Box((0,), (3,), (1,)), np.array([1, 2, 3], "uint8"))
            os._exit(0)
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    assert files(tmp_path) == {"c/0", "c/1"}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_pipelines_that_it_has_itself_are_given_to_it(tmp_path: Path, zarr_format: Any) -> None:
    """Of a folder and the format, its own spec is what its own parser makes of the URL."""
    location = f"{tmp_path.as_uri()}/a%20b|zarr{zarr_format}:x"
    anyzarr.create_array(location, data=np.arange(6), chunks=(4,))
    array = anyzarr.open_array(location, engine="tensorstore")
    report = next(each for each in array.explain_engines() if each.name == "tensorstore")
    assert report.io == "own"
    kvstore = ts.Spec(array.url).to_json()["kvstore"]
    assert array.native_handle.spec().to_json()["kvstore"] == kvstore
    assert array[1:].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "steps", ["a.zip|zip:", "a.zip.gz|gzip:|zip:", "a.bin|byte-range:0-SIZE|zip:"]
)
def test_other_pipelines_are_read_by_bytes(tmp_path: Path, steps: str) -> None:
    anyzarr.create_array(tmp_path / "a.zarr", data=np.arange(6), chunks=(4,))
    anyzarr.convert(tmp_path / "a.zarr", tmp_path / "a.zip")
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.bin").write_bytes(data)
    (tmp_path / "a.zip.gz").write_bytes(gzip.compress(data))
    location = f"{tmp_path}/{steps}|zarr3:".replace("SIZE", str(len(data)))
    array = anyzarr.open_array(location, engine="tensorstore")
    report = next(each for each in array.explain_engines() if each.name == "tensorstore")
    assert report.io == "byte layer"
    assert array[1:].tolist() == [1, 2, 3, 4, 5]
    if not steps.startswith("a.zip|"):
        with pytest.raises(ValueError, match="unsupported URL scheme"):
            ts.Spec(array.url)  # it could not be given them


@pytest.mark.oracle
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("steps", ["a b.zarr|", "o.zip|zip:a b.zarr|", "o.zip|zip:a b.zarr/x|"])
def test_tensorstore_opens_the_urls_that_are_given_back(
    tmp_path: Path, steps: str, zarr_format: Any
) -> None:
    name = "a b.zarr/x" if steps.endswith("x|") else "a b.zarr"
    anyzarr.create_array(
        tmp_path, name=name, data=np.arange(6), chunks=(4,), zarr_format=zarr_format
    )
    with zipfile.ZipFile(tmp_path / "o.zip", "w") as archive:
        for file in files(tmp_path / "a b.zarr"):
            archive.write(tmp_path / "a b.zarr" / file, f"a b.zarr/{file}")
        archive.writestr("other/x", b"")
    array = anyzarr.open_array(f"{tmp_path}/{steps}zarr{zarr_format}:")
    found = ts.open(array.url).result().read().result()
    assert found.tolist() == array[:].tolist() == [0, 1, 2, 3, 4, 5]
