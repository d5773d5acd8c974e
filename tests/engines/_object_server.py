"""A small HTTP server of objects that counts requests and misbehaves when told to."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

Fault = Callable[["Handler", bytes], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from ``server.objects``, unless a fault is waiting for the key."""

    server: ObjectServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        key = unquote(self.path).lstrip("/")
        asked = self.headers.get("Range")
        self.server.requests.append((self.command, key, asked))
        self.server.connections.add(self.client_address)
        self.server.last_headers = dict(self.headers)
        data = self.server.objects.get(key)
        if data is None:
            self.answer(404, b"")
        elif self.command == "GET" and (fault := self.server.next_fault(key)) is not None:
            fault(self, data)
        else:
            self.answer_range(data, asked)

    def answer_range(self, data: bytes, asked: str | None) -> None:
        """Answer as a server should."""
        known = re.fullmatch(r"bytes=(\d*)-(\d*)", asked or "")
        if known is None or not (known[1] or self.server.has_suffixes):
            self.answer(200, data, self.tag(data))
            return
        first, last = known.groups()
        start = int(first) if first else max(0, len(data) - int(last))
        stop = min(len(data), int(last) + 1) if first and last else len(data)
        if start >= len(data):
            self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            return
        span = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
        self.answer(206, data[start:stop], {**span, **self.tag(data)})

    def tag(self, data: bytes) -> dict[str, str]:
        """Return the object's ETag as a header, if the server gives any."""
        digest = hashlib.sha256(data).hexdigest()
        return {"ETag": f'"{digest}"'} if self.server.has_etags else {}

    def answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, size: int = -1
    ) -> None:
        """Send an answer that announces ``size`` bytes, by default those of the body."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(len(body) if size < 0 else size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if size > len(body):
            self.close_connection = True


def unavailable(handler: Handler, data: bytes) -> None:
    """The service is busy."""
    handler.answer(503, b"")


def cut_off(handler: Handler, data: bytes) -> None:
    """The connection ends in the middle of the body."""
    handler.answer(200, data[: len(data) // 2], handler.tag(data), size=len(data))


def reset(handler: Handler, data: bytes) -> None:
    """The connection is reset before there is an answer."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()
    handler.close_connection = True


def another_range(handler: Handler, data: bytes) -> None:
    """The answer is a range, and not the one that was asked for."""
    span = {"Content-Range": f"bytes 0-{len(data) // 2 - 1}/{len(data)}"}
    handler.answer(206, data[: len(data) // 2], {**span, **handler.tag(data)})


class ObjectServer(http.server.ThreadingHTTPServer):
    """See the module."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.connections: set[Any] = set()
        self.last_headers: dict[str, str] = {}
        self.scheme = "http"
        self.faults: dict[str, list[Fault]] = {}
        self.has_etags = True
        self.has_suffixes = True

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def use_tls(self, certificate: Path, key: Path) -> None:
        """Speak TLS from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"

    def publish(self, folder: Path) -> None:
        """Take over the files of a folder."""
        files = (path for path in folder.rglob("*") if path.is_file())
        self.objects = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    def next_fault(self, key: str) -> Fault | None:
        """Return how to misbehave now, if at all."""
        waiting = self.faults.get(key)
        return waiting.pop(0) if waiting else None

    def counted(self) -> list[tuple[str, str, str | None]]:
        """Return the requests since the last call."""
        requests, self.requests = self.requests, []
        return requests

    def handle_error(self, *args: Any) -> None:
        """A client that hangs up is no news."""


@contextlib.contextmanager
def serving() -> Iterator[ObjectServer]:
    """Serve on loopback."""
    server = ObjectServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
