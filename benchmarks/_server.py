"""A folder over HTTP, and as the buckets of an S3 service, to read.

    python _server.py FOLDER SECONDS

Ranges, ETags, connections that stay open, a delay per request, and a count. Prints its port.
``GET /:count`` returns the number of requests since it was asked last.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, root: Path, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.delay = root, delay
        self.count = 0
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path == "/:count":
            with self.server.lock:
                count, self.server.count = self.server.count, 0
            self._answer(HTTPStatus.OK, str(count).encode(), {})
            return
        with self.server.lock:
            self.server.count += 1
        time.sleep(self.server.delay)
        path = self.server.root / self.path.partition("?")[0].lstrip("/")
        try:
            data = path.read_bytes()
            changed = path.stat().st_mtime_ns
        except OSError:
            self._answer(HTTPStatus.NOT_FOUND, b"", {})
            return
        self._send(data, {"ETag": f'"{changed:x}-{len(data):x}"'})

    def _send(self, data: bytes, tag: dict[str, str]) -> None:
        match = _RANGE.match(self.headers.get("Range", ""))
        if match is None:
            self._answer(HTTPStatus.OK, data, tag)
            return
        first, last = match.groups()
        start = int(first) if first else max(0, len(data) - int(last))
        stop = min(int(last) + 1, len(data)) if first and last else len(data)
        span = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
        self._answer(HTTPStatus.PARTIAL_CONTENT, data[start:stop], {**tag, **span})

    def _answer(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in http.server
        """Say nothing."""


if __name__ == "__main__":
    server = Server(Path(sys.argv[1]), float(sys.argv[2]))
    print(server.server_address[1], flush=True)
    server.serve_forever()
