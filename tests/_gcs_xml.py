"""The writing half of Google's XML API, over a server that writes by the JSON API only.

``fake-gcs-server`` reads, lists and deletes by both APIs; conditions are for it query parameters of
the JSON API. object_store writes by the XML API: a PUT with a condition in a header, and uploads in
parts as S3 has them. This translates.
"""

from __future__ import annotations

import itertools
import json
import threading
from urllib.parse import parse_qs, quote, urlsplit

from ._relay import Message, Relay

_BOUNDARY = "part-of-an-upload"


class XmlWrites:
    """Answers the writing requests of the XML API; see the module."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._metadata: dict[str, dict[str, str]] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def __call__(self, request: Message) -> Message | None:
        """Return the answer, or None where the server knows one."""
        first = request.key.partition("/")[0]
        if request.method not in ("PUT", "POST", "DELETE") or first in (
            "batch",
            "storage",
            "upload",
        ):
            return None
        query = parse_qs(urlsplit(request.target).query, keep_blank_values=True)
        if "uploads" in query:
            return self._start(request)
        if "uploadId" in query:
            return self._continue(request, query["uploadId"][0], query.get("partNumber"))
        if request.method != "PUT":
            return None
        return self._store(request, request.body, _metadata(request))

    def _start(self, request: Message) -> Message:
        name = f"upload-{next(self._numbers)}"
        with self._lock:
            self._uploads[name], self._metadata[name] = {}, _metadata(request)
        body = (
            f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId>"
            "</InitiateMultipartUploadResult>"
        )
        return Message("", "", {}, body.encode(), 200)

    def _continue(self, request: Message, name: str, part: list[str] | None) -> Message:
        with self._lock:
            if name not in self._uploads:
                return Message("", "", {}, b"", 404)
            if request.method == "DELETE":
                del self._uploads[name]
                return Message("", "", {}, b"", 204)
            if part is not None:
                self._uploads[name][int(part[0])] = request.body
                return Message("", "", {"ETag": f'"{part[0]}"'}, b"", 200)
            parts, metadata = self._uploads.pop(name), self._metadata.pop(name)
        answer = self._store(request, b"".join(data for _, data in sorted(parts.items())), metadata)
        if answer.status == 200:
            tag = answer.headers["ETag"]
            answer.body = (
                f"<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"
            ).encode()
        return answer

    def _store(self, request: Message, data: bytes, metadata: dict[str, str]) -> Message:
        bucket, _, key = request.key.partition("/")
        condition = {k.lower(): v for k, v in request.headers.items()}.get(
            "x-goog-if-generation-match"
        )
        target = f"/upload/storage/v1/b/{quote(bucket)}/o?uploadType=multipart&name={quote(key)}"
        if condition is not None:
            target += f"&ifGenerationMatch={condition}"
        lines = (
            f"--{_BOUNDARY}\r\nContent-Type: application/json\r\n\r\n",
            json.dumps({"name": key, "metadata": metadata}),
            f"\r\n--{_BOUNDARY}\r\nContent-Type: application/octet-stream\r\n\r\n",
        )
        body = "".join(lines).encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()
        headers = {"Content-Type": f"multipart/related; boundary={_BOUNDARY}"}
        answer = self._relay.ask(Message("POST", target, headers, body))
        if answer.status != 200:
            return answer
        stored = json.loads(answer.body)
        told = {"ETag": f'"{stored["etag"]}"', "x-goog-generation": str(stored["generation"])}
        return Message("", "", told, b"", 200)


def _metadata(request: Message) -> dict[str, str]:
    prefix = "x-goog-meta-"
    named = ((name.lower(), value) for name, value in request.headers.items())
    return {name[len(prefix) :]: value for name, value in named if name.startswith(prefix)}
