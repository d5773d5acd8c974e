"""How a server can fail, and how it can lie."""

from __future__ import annotations

import time
from dataclasses import replace

from ._object_server import Answer, Exchange, Fault, range_of

__all__ = [
    "FAILURES",
    "LIES",
    "LOST",
    "SLOW",
    "cut_off",
    "from_the_start",
    "reset",
    "unavailable",
]


def unavailable(x: Exchange) -> None:
    """The service is busy."""
    x.send(Answer(503))


def slow_down(x: Exchange) -> None:
    """The service is busy, as S3 says it."""
    body = (
        b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
    )
    x.send(Answer(503, body, {"Content-Type": "application/xml"}))


def broken(x: Exchange) -> None:
    """The service has a fault of its own."""
    x.send(Answer(500))


def reset(x: Exchange) -> None:
    """The connection is reset before anything is done."""
    x.reset()


def cut_off(x: Exchange) -> None:
    """The connection ends in the middle of the body."""
    answer = x.process()
    half = replace(answer, body=answer.body[: len(answer.body) // 2])
    x.send(half, announced=len(answer.body))


def reset_in_body(x: Exchange) -> None:
    """The connection is reset in the middle of the body."""
    cut_off(x)
    x.reset()


def delayed(x: Exchange) -> None:
    """The answer takes its time."""
    time.sleep(0.005)
    x.send(x.process())


def lost(x: Exchange) -> None:
    """What was asked for is done, and the connection is reset before the answer."""
    x.process()
    x.reset()


def lost_behind_a_gateway(x: Exchange) -> None:
    """What was asked for is done, and a gateway gives up waiting for the answer."""
    x.process()
    x.send(Answer(504))


def whole(x: Exchange) -> None:
    """All of the object, whatever part was asked for."""
    data = x.server.objects.get(x.key)
    x.send(x.process() if data is None else Answer(200, data, x.server.tag(data)))


def _other_range(x: Exchange, first: int, last: int) -> None:
    asked, data = x.asked, x.server.objects.get(x.key)
    if asked is None or data is None or asked[0] >= len(data):
        x.send(x.process())
        return
    start = max(0, asked[0] + first)
    x.send(range_of(x, start, max(start + 1, min(len(data), asked[1] + last))))


def shifted(x: Exchange) -> None:
    """A range beside the one that was asked for, and says so."""
    before = (x.asked or (0, 0))[0] >= 2
    _other_range(x, *((-2, -2) if before else (2, 2)))


def shorter(x: Exchange) -> None:
    """A range that ends early, and says so."""
    _other_range(x, 0, -2)


def longer(x: Exchange) -> None:
    """A range that begins early, or ends late, and says so."""
    before = (x.asked or (0, 0))[0] >= 2
    _other_range(x, *((-2, 0) if before else (0, 2)))


def from_the_start(x: Exchange) -> None:
    """The first half of the object as a range, whatever was asked for."""
    data = x.server.objects.get(x.key)
    if not data or x.method != "GET":
        x.send(x.process())
    else:
        x.send(range_of(x, 0, max(1, len(data) // 2)))


def short_body(x: Exchange) -> None:
    """Fewer bytes than the range that is named, and the length of these few."""
    answer = x.process()
    x.send(replace(answer, body=answer.body[: len(answer.body) // 2]))


def long_body(x: Exchange) -> None:
    """More bytes than the range that is named, and the length of these many."""
    answer = x.process()
    body = answer.body and answer.body + b"more"
    x.send(replace(answer, body=body))


def short_length(x: Exchange) -> None:
    """A length that is less than what follows it."""
    answer = x.process()
    x.send(answer, announced=len(answer.body) // 2)


def no_range(x: Exchange) -> None:
    """A part that does not say which."""
    answer = x.process()
    kept = {name: value for name, value in answer.headers.items() if name != "Content-Range"}
    x.send(replace(answer, headers=kept))


FAILURES: tuple[Fault, ...] = (unavailable, slow_down, broken, reset, cut_off, reset_in_body)
LIES: tuple[Fault, ...] = (
    whole,
    shifted,
    shorter,
    longer,
    from_the_start,
    short_body,
    long_body,
    short_length,
    no_range,
)
SLOW: tuple[Fault, ...] = (delayed,)
LOST: tuple[Fault, ...] = (lost, lost_behind_a_gateway)
