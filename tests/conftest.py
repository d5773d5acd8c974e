"""Servers on loopback that several tests need."""

from __future__ import annotations

import functools
import http.server
import itertools
import logging
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pytest

from . import _emulators
from ._counts import pytest_runtest_makereport, pytest_terminal_summary
from ._gcs_xml import XmlWrites
from ._relay import Relay, relaying

__all__ = ["pytest_runtest_makereport", "pytest_terminal_summary"]


# How long an example takes says nothing on a machine that does other work too.
hypothesis.settings.register_profile("anyzarr", deadline=None)
hypothesis.settings.load_profile("anyzarr")


@dataclass(frozen=True)
class Service:
    """An object store on loopback.

    ``options`` is what obstore and fsspec both take to reach it; ``new_bucket()`` makes a bucket
    and returns its name. ``through`` is the relay before it, if there is one.
    """

    endpoint: str
    options: dict[str, Any]
    new_bucket: Callable[[], str]
    scheme: str = "s3"
    through: Relay | None = None

    def new_location(self) -> str:
        """Return the URL of a place in a bucket of its own."""
        return f"{self.scheme}://{self.new_bucket()}/a place"

    def behind(self, relay: Relay) -> Service:
        """Return the same service, reached through a relay."""
        options = {**self.options, "endpoint_url": self.endpoint.replace(_origin(self), relay.url)}
        return replace(self, options=options, through=relay)


def _origin(service: Service) -> str:
    return "://".join(urlsplit(service.endpoint)[:2])


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_raised() -> None:
    """A process started in the background ignores SIGINT; the tests of interrupts need it."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _zarr_is_zarr() -> Iterator[None]:
    """Some libraries set zarr-python's pipeline for the whole process, and so for later judges."""
    yield
    zarr: Any = sys.modules.get("zarr")
    if zarr is not None and hasattr(zarr, "config"):
        zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.BatchedCodecPipeline"})


@pytest.fixture(scope="session")
def s3() -> Iterator[Service]:
    """An S3 service, made by moto; one for the whole session."""
    boto3 = pytest.importorskip("boto3", reason="makes buckets")
    server_module = pytest.importorskip("moto.server", reason="the S3 service")
    serving = pytest.importorskip("werkzeug.serving", reason="the S3 service")
    app = server_module.DomainDispatcherApplication(server_module.create_backend_app)
    server = serving.make_server("127.0.0.1", 0, _without_server_header(app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    keys = {"access_key_id": "an-id", "secret_access_key": "hush-hush"}
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
        region_name="us-east-1",
    )
    made: list[str] = []

    def new_bucket() -> str:
        made.append(f"bucket-{len(made)}")
        client.create_bucket(Bucket=made[-1])
        return made[-1]

    yield Service(endpoint, {**keys, "region": "us-east-1", "endpoint_url": endpoint}, new_bucket)
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def azure() -> Iterator[Service]:
    """Azure Blob Storage, by Azurite; one for the whole session."""
    program = _emulators.find("node_modules/.bin/azurite-blob")
    if program is None:
        pytest.skip("Azurite is not installed: make emulators (it needs npm)")
    blob = pytest.importorskip("azure.storage.blob", reason="makes containers")
    account, key = _emulators.AZURE_ACCOUNT, _emulators.AZURE_KEY
    numbers = itertools.count()
    with _emulators.azurite(program) as address:
        endpoint = f"{address}/{account}"
        options = {"account_name": account, "account_key": key, "endpoint_url": endpoint}
        with blob.BlobServiceClient(endpoint, credential=key) as client:

            def new_container() -> str:
                name = f"container-{next(numbers)}"
                client.create_container(name).close()
                return name

            yield Service(endpoint, options, new_container, "az")


@pytest.fixture(scope="session")
def gcs() -> Iterator[Service]:
    """Google Cloud Storage, by fake-gcs-server and what it lacks; one for the whole session."""
    program = _emulators.find("bin/fake-gcs-server")
    if program is None:
        pytest.skip("fake-gcs-server is not installed: make emulators (it needs go)")
    # gcsfs asks the service for kinds of buckets, by a protocol that the server does not speak.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    port, numbers = _emulators.free_port(), itertools.count()

    def new_bucket() -> str:
        name = f"bucket-{next(numbers)}"
        _emulators.make_gcs_bucket(port, name)
        return name

    with relaying(f"http://127.0.0.1:{port}") as relay:
        relay.host = f"127.0.0.1:{port}"
        relay.translate = XmlWrites(relay)
        with _emulators.fake_gcs_server(program, port=port, external_url=relay.url):
            options = {"endpoint_url": relay.url, "anon": True}
            yield Service(relay.url, options, new_bucket, "gs", relay)
            _close_gcsfs()


def _close_gcsfs() -> None:
    """Close what gcsfs would, with much noise, when its event loop has ended."""
    gcsfs: Any = sys.modules.get("gcsfs")
    asyn: Any = sys.modules.get("fsspec.asyn")
    for fs in () if gcsfs is None else tuple(gcsfs.GCSFileSystem._cache.values()):
        if fs._session is not None:
            asyn.sync(fs.loop, fs._session.close)


@pytest.fixture(params=["s3", "azure", "gcs"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """Each object store, through a relay that counts and misbehaves."""
    found: Service = request.getfixturevalue(request.param)
    if found.through is None:
        with relaying(found.endpoint) as relay:
            yield found.behind(relay)
        return
    yield found
    found.through.faults = []
    found.through.delay_seconds = 0.0


def _without_server_header(app: Any) -> Any:
    """Serve moto as S3 is: one header of each kind, and conditions that are checked atomically.

    The server sends ``Server`` itself, and aiohttp in development mode refuses a second. moto
    checks a condition and then stores, and another thread may come between.
    """
    storing = threading.Lock()

    def wrapped(environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] in {"PUT", "DELETE"}:
            with storing:
                return answered(environ, start_response)
        return answered(environ, start_response)

    def answered(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Any, *error: Any) -> Any:
            kept = [(name, value) for name, value in headers if name.lower() != "server"]
            return start_response(status, kept, *error)

        return app(environ, start)

    return wrapped


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves files, with ranges unless ``knows_ranges`` is off."""

    knows_ranges = True
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        pass

    def log_request(self, *args: Any) -> None:
        requests = getattr(self.server, "requests", None)
        if requests is not None:
            requests.append((self.command, self.headers.get("Range")))

    def send_head(self) -> Any:
        # Folders are no objects: no listing, and no redirection to one.
        if Path(self.translate_path(self.path)).is_dir():
            self.send_error(404)
            return None
        return super().send_head()

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not (self.knows_ranges and asked and path.is_file()):
            super().do_GET()
            return
        data = path.read_bytes()
        first, last = asked.groups()
        start = int(first) if first else max(0, len(data) - int(last))
        stop = min(len(data), int(last) + 1) if first and last else len(data)
        if start >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Last-Modified", self.date_time_string(int(path.stat().st_mtime)))
        self.end_headers()
        self.wfile.write(data[start:stop])


class _FilesWithoutRanges(_Files):
    knows_ranges = False


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    requests: list[tuple[str, str | None]] | None = None

    def handle_error(self, *args: Any) -> None:
        """A client that hangs up is no news."""


def _serve(
    handler: type[_Files], folder: Path, requests: list[tuple[str, str | None]] | None = None
) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    server.requests = requests
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def ftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an FTP server on loopback that anyone may write to."""
    with warnings.catch_warnings():
        # Python 3.11 has the modules that it is built on, and says that they will go.
        warnings.simplefilter("ignore", DeprecationWarning)
        authorizers = pytest.importorskip("pyftpdlib.authorizers", reason="the FTP service")
        handlers = pytest.importorskip("pyftpdlib.handlers", reason="the FTP service")
        servers = pytest.importorskip("pyftpdlib.servers", reason="the FTP service")
    logging.getLogger("pyftpdlib").setLevel(logging.ERROR)
    users = authorizers.DummyAuthorizer()
    users.add_user("user", "hush", str(tmp_path_factory.mktemp("ftp")), perm="elradfmwMT")
    handler = type("Handler", (handlers.FTPHandler,), {"authorizer": users})
    server = servers.FTPServer(("127.0.0.1", 0), handler)
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            server.serve_forever(timeout=0.01, blocking=False, handle_exit=False)
        server.close_all()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"ftp://user:hush@127.0.0.1:{server.address[1]}"
    stopping.set()
    thread.join()


@pytest.fixture
def web_requests() -> list[tuple[str, str | None]]:
    """Verb and range of each request that ``web`` has answered."""
    return []


@pytest.fixture
def web(tmp_path: Path, web_requests: list[tuple[str, str | None]]) -> Iterator[str]:
    """Address of an HTTP server with ranges that serves ``tmp_path``."""
    yield from _serve(_Files, tmp_path, web_requests)


@pytest.fixture
def web_without_ranges(tmp_path: Path) -> Iterator[str]:
    """Address of an HTTP server that ignores ranges and serves ``tmp_path``."""
    yield from _serve(_FilesWithoutRanges, tmp_path)
