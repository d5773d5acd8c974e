"""Object stores as the core reaches them: rebuilt from what obstore's stores were made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from anyzarr._url import redact
from anyzarr.abc import Store
from anyzarr.stores import ObstoreStore
from anyzarr.stores._base import remote_concurrency
from anyzarr.stores._prefix import SubStore

if TYPE_CHECKING:
    from anyzarr_native import ObjectStore, Plan

__all__ = ["ObjectArray"]

_SERVICES: Final = {"S3Store": "s3", "GCSStore": "gcs", "AzureStore": "azure", "HTTPStore": "http"}
_NOT_STRINGS: Final = frozenset({"default_headers", "root_certificate"})


class ObjectArray:
    """An array whose chunks are objects of a service.

    Attributes
    ----------
    reason
        Why the core cannot reach the service by itself, or None.
    """

    def __init__(self, store: ObstoreStore, prefix: str) -> None:
        from anyzarr_native import NativeError

        self._prefix = prefix
        self._objects: ObjectStore | None = None
        self.reason = _why_not(store.obstore)
        if self.reason is None:
            url, root = _address(store.obstore)
            self._prefix = root + prefix
            try:
                self._objects = _rebuild(store.obstore, url)
            except NativeError as error:
                self.reason = f"the core cannot make a client for it: {redact(str(error))}"

    @classmethod
    def find(cls, store: Store, path: str) -> ObjectArray | None:
        """Return the array at a path, if the store is one of obstore's or a part of one."""
        prefix = f"{path}/" if path else ""
        while isinstance(store, SubStore):
            prefix = store.prefix + prefix
            store = store.store
        # A class of somebody's own may do otherwise than obstore would.
        return cls(store, prefix) if type(store) is ObstoreStore else None

    def read(self, plan: Plan, *what: Any) -> None:
        """Read a selection: ``start, stop, step, out, threads, points``."""
        assert self._objects is not None
        self._objects.read(remote_concurrency(), plan, self._prefix, *what)

    def write(self, plan: Plan, *what: Any) -> None:
        """Write a selection: ``start, stop, step, value, threads, keep_empty, points``."""
        assert self._objects is not None
        self._objects.write(remote_concurrency(), plan, self._prefix, *what)


def _why_not(live: Any) -> str | None:
    kind = type(live)
    if kind.__name__ == "MemoryStore":
        return "the objects of obstore's MemoryStore are in this process, where only it sees them"
    if kind.__name__ not in _SERVICES or not kind.__module__.startswith("obstore."):
        return f"{kind.__module__}.{kind.__qualname__} is not one of obstore's own services"
    if getattr(live, "credential_provider", None) is not None:
        return "its credential provider is a Python object, which only obstore can ask"
    return None


def _address(live: Any) -> tuple[str, str]:
    """Return where a client is to speak to, and what keys are put after.

    Stores of one service then share a client, with its open connections.
    """
    url = str(getattr(live, "url", ""))
    origin, _, path = url.partition("://")[2].partition("/")
    if not url:
        path = str(getattr(live, "prefix", None) or "")
    elif not set(url) & set("%?#"):
        url = f"{url.partition('://')[0]}://{origin}"
    else:
        path = ""  # Not every such path can be taken apart, and put together again unchanged.
    path = path.strip("/")
    return url, f"{path}/" if path else ""


def _rebuild(live: Any, url: str) -> ObjectStore:
    from anyzarr_native import ObjectStore

    client = getattr(live, "client_options", None)
    strings = None if client is None else {k: v for k, v in client.items() if k not in _NOT_STRINGS}
    return ObjectStore(
        service=_SERVICES[type(live).__name__],
        url=url,
        settings=dict(getattr(live, "config", None) or {}),
        client=strings,
        headers={name: _bytes(value) for name, value in _part(client, "default_headers").items()},
        certificates=_bytes((client or {}).get("root_certificate", b"")),
        retry=_retry(getattr(live, "retry_config", None)),
    )


def _part(options: Any, name: str) -> Any:
    return (options or {}).get(name) or {}


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _retry(config: Any) -> tuple[int, float, float, float, float] | None:
    """Return what obstore fills in completely, whatever was given of it."""
    if config is None:
        return None
    backoff = config["backoff"]
    return (
        config["max_retries"],
        config["retry_timeout"].total_seconds(),
        backoff["init_backoff"].total_seconds(),
        backoff["max_backoff"].total_seconds(),
        float(backoff["base"]),
    )
