"""Live objects that cannot be pickled, found again by a token within this process."""

from __future__ import annotations

import threading
import uuid
import weakref
from typing import Any

from anyzarr._url import redact
from anyzarr.errors import StoreError

__all__ = ["find", "token_of"]

_lock = threading.Lock()
_objects: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_tokens: dict[int, str] = {}


def token_of(live: Any) -> str:
    """Return the token of a live object, always the same one while it lives."""
    with _lock:
        token = _tokens.get(id(live))
        if token is None or _objects.get(token) is not live:
            token = uuid.uuid4().hex
            _tokens[id(live)] = token
            _objects[token] = live
            weakref.finalize(live, _tokens.pop, id(live), None).atexit = False
        return token


def find(token: str, root: str) -> Any:
    """Return the object of a token.

    Raises
    ------
    StoreError
        It is gone, or it lives in another process.
    """
    with _lock:
        live = _objects.get(token)
    if live is None:
        raise StoreError(
            f"the store object behind {redact(root)!r} does not live in this process and cannot "
            "be sent to it: give a URL or a path, which every process can open",
            store=redact(root),
        )
    return live
