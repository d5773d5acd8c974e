"""A relay on loopback before a service: it counts requests, and misbehaves when told to."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})
_OWN = _HOP_BY_HOP | {"server", "date"}


@dataclass
class Message:
    """A request, or (with ``status``) its answer."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    status: int = 0

    @property
    def key(self) -> str:
        """The path without what follows it."""
        return unquote(urlsplit(self.target).path).lstrip("/")


@dataclass
class Fault:
    """What to do with the first ``times`` requests that ``matches`` tells.

    Attributes
    ----------
    reaches_service
        Whether the service carries the request out.
    status
        What the client is told: a status, or 0 where the connection is reset instead.
    before
        Called first, while the client waits.
    """

    matches: Callable[[Message], bool]
    status: int = 503
    reaches_service: bool = False
    times: int = 1
    before: Callable[[], object] = bool
    met: int = 0


@dataclass
class Seen:
    """What went through since it was made."""

    messages: list[Message] = field(default_factory=list)
    most_at_once: int = 0

    def of(self, method: str, part: str = "") -> list[Message]:
        """Return the requests of a method whose target has a part."""
        return [m for m in self.messages if m.method == method and part in m.target]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Relay
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: object) -> None:
        pass

    def _relay(self) -> None:
        request = Message(self.command, self.path, dict(self.headers.items()), self._body())
        with self.server.counting(request):
            fault = self.server.fault_for(request)
            if fault is not None:
                fault.before()
            if fault is None or fault.reaches_service:
                answer = self.server.forward(request)
            if fault is None:
                self._answer(answer)
            elif fault.status:
                self._answer(Message("", "", {}, b"", fault.status))
            else:
                self._reset()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _relay

    def _body(self) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, answer: Message) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _OWN:
                self.send_header(name, value)
        if not any(name.lower() == "content-length" for name in answer.headers):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True


class Relay(http.server.ThreadingHTTPServer):
    """See the module. ``translate`` may answer a request in the service's place."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._upstream = urlsplit(upstream).netloc
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.seen = Seen()
        self.faults: list[Fault] = []
        self.delay_seconds = 0.0
        self.host: str | None = None
        self.translate: Callable[[Message], Message | None] = lambda request: None
        self._lock = threading.Lock()
        self._now = 0

    def forward(self, request: Message) -> Message:
        """Return the service's answer."""
        translated = self.translate(request)
        return self.ask(request) if translated is None else translated

    def ask(self, request: Message) -> Message:
        """Ask the service as it is."""
        left_out = _HOP_BY_HOP | {"content-length"}  # which http.client works out
        headers = {k: v for k, v in request.headers.items() if k.lower() not in left_out}
        if self.host is not None:
            headers = {k: v for k, v in headers.items() if k.lower() != "host"}
            headers["Host"] = self.host
        upstream = http.client.HTTPConnection(self._upstream, timeout=60)
        try:
            upstream.request(request.method, request.target, request.body or None, headers)
            answer = upstream.getresponse()
            return Message("", "", dict(answer.headers.items()), answer.read(), answer.status)
        finally:
            upstream.close()

    @contextlib.contextmanager
    def counting(self, request: Message) -> Iterator[None]:
        """Keep the request, and count it among those under way."""
        with self._lock:
            seen = self.seen
            seen.messages.append(request)
            self._now += 1
            seen.most_at_once = max(seen.most_at_once, self._now)
        try:
            time.sleep(self.delay_seconds)
            yield
        finally:
            with self._lock:
                self._now -= 1

    def fault_for(self, request: Message) -> Fault | None:
        """Return how to misbehave now, if at all."""
        with self._lock:
            for fault in self.faults:
                if fault.met < fault.times and fault.matches(request):
                    fault.met += 1
                    return fault
        return None

    def look(self) -> Seen:
        """Begin to count anew; what comes is found in what this returns."""
        self.seen = Seen()
        return self.seen

    def handle_error(self, *args: object) -> None:
        """A client that hangs up is no news."""


@contextlib.contextmanager
def relaying(upstream: str) -> Iterator[Relay]:
    """Relay to a service at an address."""
    relay = Relay(upstream)
    thread = threading.Thread(target=relay.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield relay
    finally:
        relay.shutdown()
        thread.join()
        relay.server_close()
