"""An object server on loopback, HTTP and S3 in one, that fails and lies when told to."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

__all__ = ["Answer", "Exchange", "Fault", "ObjectServer", "range_of", "serving"]

_PAGE = 1000
_WHEN = "Thu, 01 Jan 2026 00:00:00 GMT"
_CHUNK = re.compile(rb"([0-9a-fA-F]+)[^\r]*\r\n")


@dataclass(frozen=True)
class Answer:
    """What a server answers."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Exchange:
    """One request, and the means to answer it well or badly."""

    def __init__(self, handler: Handler, body: bytes) -> None:
        self.handler = handler
        self.server = handler.server
        self.method = str(handler.command)
        parts = urlsplit(handler.path)
        self.key = unquote(parts.path).lstrip("/")
        self.query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        self.headers = handler.headers
        self.body = body

    @property
    def asked(self) -> tuple[int, int] | None:
        """The range that was asked for, ``[start, stop)``, if any."""
        known = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        data = self.server.objects.get(self.key)
        if known is None or data is None:
            return None
        first, last = known.groups()
        if not (first or self.server.has_suffixes):
            return None
        start = int(first) if first else max(0, len(data) - int(last))
        stop = min(len(data), int(last) + 1) if first and last else len(data)
        return start, stop

    def process(self) -> Answer:
        """Do what was asked for, and return the answer that is due."""
        with self.server.lock:
            return _process(self)

    def send(self, answer: Answer, *, announced: int | None = None) -> None:
        """Send an answer that announces so many bytes, by default as many as there are."""
        handler = self.handler
        length = len(answer.body) if announced is None else announced
        handler.send_response(answer.status)
        for name, value in {"Last-Modified": _WHEN, **answer.headers}.items():
            handler.send_header(name, value)
        if "Content-Length" not in answer.headers:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        if self.method != "HEAD":
            handler.wfile.write(answer.body)
            if length != len(answer.body):
                handler.close_connection = True

    def reset(self) -> None:
        """Reset the connection."""
        self.handler.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.handler.connection.close()
        self.handler.close_connection = True


Fault = Callable[[Exchange], None]
Choose = Callable[[Exchange], "Fault | None"]


def _process(x: Exchange) -> Answer:
    if x.method in ("GET", "HEAD"):
        return _list(x) if "list-type" in x.query else _get(x)
    if x.method == "PUT":
        return _put_part(x) if "partNumber" in x.query else _put(x, x.body)
    if x.method == "DELETE" and "uploadId" in x.query:
        x.server.uploads.pop(x.query["uploadId"], None)
        return Answer(204)
    if x.method == "DELETE":
        x.server.objects.pop(x.key, None)
        return Answer(204)
    if "delete" in x.query:
        return _delete_many(x)
    return _multipart(x)


def _get(x: Exchange) -> Answer:
    data = x.server.objects.get(x.key)
    if data is None:
        return Answer(404)
    tag = {**x.server.marks.get((x.key, data), {}), **x.server.tag(data)}
    if tag and x.headers.get("If-Match", tag.get("ETag")) not in (tag.get("ETag"), "*"):
        return Answer(412)
    if "ETag" in tag and x.headers.get("If-None-Match") == tag["ETag"]:
        return Answer(304, b"", tag)
    asked = x.asked
    if asked is None:
        return Answer(200, data, tag)
    start, stop = asked
    if start >= len(data):
        return Answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
    return range_of(x, start, stop)


def range_of(x: Exchange, start: int, stop: int) -> Answer:
    """Return the answer with a range of the object, asked for or not."""
    data = x.server.objects[x.key]
    span = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
    return Answer(206, data[start:stop], {**span, **x.server.tag(data)})


def _put(x: Exchange, data: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    before = x.server.objects.get(x.key)
    if x.headers.get("If-None-Match") == "*" and before is not None:
        return _error(412, "PreconditionFailed")
    wanted = x.headers.get("If-Match")
    if wanted is not None and before is None:
        return _error(404, "NoSuchKey")
    if wanted is not None and before is not None and wanted != x.server.tag(before)["ETag"]:
        return _error(412, "PreconditionFailed")
    x.server.objects[x.key] = data
    x.server.remember(x.key, data, headers or x.headers)
    return Answer(200, b"", x.server.tag(data))


def _put_part(x: Exchange) -> Answer:
    parts = x.server.uploads.get(x.query["uploadId"])
    if parts is None:
        return _error(404, "NoSuchUpload")
    parts[int(x.query["partNumber"])] = x.body
    return Answer(200, b"", x.server.tag(x.body))


def _multipart(x: Exchange) -> Answer:
    if "uploads" in x.query:
        name = f"upload-{len(x.server.uploads)}"
        x.server.uploads[name] = {}
        x.server.begun[name] = dict(x.headers)
        body = (
            "<InitiateMultipartUploadResult>"
            f"<Bucket>b</Bucket><Key>{escape(x.key)}</Key><UploadId>{name}</UploadId>"
            "</InitiateMultipartUploadResult>"
        )
        return _xml(body)
    name = x.query["uploadId"]
    parts = x.server.uploads.get(name)
    if parts is None:
        return _error(404, "NoSuchUpload")
    done = _put(x, b"".join(parts[number] for number in sorted(parts)), x.server.begun[name])
    tag = done.headers.get("ETag", "")
    body = f"<ETag>{escape(tag)}</ETag><Key>{escape(x.key)}</Key>"
    return _xml(f"<CompleteMultipartUploadResult>{body}</CompleteMultipartUploadResult>")


def _delete_many(x: Exchange) -> Answer:
    bucket = x.key.strip("/")
    keys = re.findall(r"<Key>(.*?)</Key>", x.body.decode())
    for key in keys:
        x.server.objects.pop(f"{bucket}/{key}", None)
    deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
    return _xml(f"<DeleteResult>{deleted}</DeleteResult>")


def _list(x: Exchange) -> Answer:
    bucket, query = x.key.strip("/"), x.query
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = query.get("continuation-token", query.get("start-after", ""))
    keys = sorted(k.removeprefix(f"{bucket}/") for k in x.server.objects if k.startswith(bucket))
    entries: dict[str, str] = {}
    for key in keys:
        if not key.startswith(prefix):
            continue
        rest, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        if found:
            name = prefix + rest + delimiter
            what = f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
        else:
            name, data = key, x.server.objects[f"{bucket}/{key}"]
            what = (
                f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size>"
                f"<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>{escape(x.server.tag(data).get('ETag', ''))}</ETag>"
                "<StorageClass>STANDARD</StorageClass></Contents>"
            )
        if name > after:
            entries[name] = what
    page = sorted(entries)[: x.server.page]
    more = len(entries) > len(page)
    token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
    return _xml(
        f"<ListBucketResult><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>"
        f"<KeyCount>{len(page)}</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}"
        f"{''.join(entries[name] for name in page)}</ListBucketResult>"
    )


def _xml(body: str) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return Answer(200, text.encode(), {"Content-Type": "application/xml"})


def _error(status: int, code: str) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml"})


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each request as the server's ``choose`` says."""

    server: ObjectServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        exchange = Exchange(self, self._body())
        self.server.note(exchange)
        fault = self.server.fault_of(exchange)
        if fault is None:
            exchange.send(exchange.process())
        else:
            fault(exchange)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return _unchunked(body) if "aws-chunked" in str(self.headers) else body


def _unchunked(body: bytes) -> bytes:
    data, at = b"", 0
    while (head := _CHUNK.match(body, at)) and (size := int(head[1], 16)):
        data += body[head.end() : head.end() + size]
        at = head.end() + size + 2
    return data


class ObjectServer(http.server.ThreadingHTTPServer):
    """See the module.

    Attributes
    ----------
    objects
        By the path in the address; for S3 that begins with the bucket.
    faults
        Per key, how the next requests for it are answered.
    choose
        How a request is answered whose key has no fault waiting; None: well.
    requests, last_headers, connections
        What was asked for: method, key and range; the headers of the last request; from where.
    has_etags, has_suffixes
        Whether objects have an ETag, and whether ranges may be counted from the end.
    injected
        How often a fault was chosen, by its name.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.lock = threading.RLock()
        self.requests: list[tuple[str, str, str | None]] = []
        self.faults: dict[str, list[Fault]] = {}
        self.choose: Choose = lambda exchange: None
        self.injected: dict[str, int] = {}
        self.begun: dict[str, dict[str, str]] = {}
        self.marks: dict[tuple[str, bytes], dict[str, str]] = {}
        self.has_etags = True
        self.has_suffixes = True
        self.last_headers: dict[str, str] = {}
        self.connections: set[Any] = set()
        self.scheme = "http"
        self.page = _PAGE

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

    def publish(self, folder: Path, prefix: str = "") -> None:
        """Have the files of a folder for objects, below a prefix, and no others."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        self.objects = {
            prefix + path.relative_to(folder).as_posix(): path.read_bytes() for path in files
        }

    def tag(self, data: bytes) -> dict[str, str]:
        """Return the ETag of an object as a header, if the server gives any."""
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return {"ETag": f'"{digest}"'} if self.has_etags else {}

    def remember(self, key: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Keep the metadata that came with an object."""
        names = [name for name in headers if name.lower().startswith("x-amz-meta-")]
        self.marks[key, data] = {name: headers[name] for name in names}

    def note(self, exchange: Exchange) -> None:
        """Remember a request."""
        self.requests.append((exchange.method, exchange.key, exchange.headers.get("Range")))
        self.last_headers = dict(exchange.headers)
        self.connections.add(exchange.handler.client_address)

    def fault_of(self, exchange: Exchange) -> Fault | None:
        """Return how to misbehave now, if at all."""
        with self.lock:
            waiting = self.faults.get(exchange.key)
            fault = waiting.pop(0) if waiting else self.choose(exchange)
            if fault is not None:
                name = getattr(fault, "__name__", "fault")
                self.injected[name] = self.injected.get(name, 0) + 1
            return fault

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
