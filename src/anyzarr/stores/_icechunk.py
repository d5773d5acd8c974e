"""One version of an icechunk repository, for reading."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from anyzarr._optional import require
from anyzarr._url import file_url, quote_path, redact
from anyzarr.abc import StoreSpec
from anyzarr.errors import StoreError, UnsupportedError
from anyzarr.stores._base import describe
from anyzarr.stores._zarr_store import ZarrStore

__all__ = ["IcechunkStore", "open_icechunk"]

T = TypeVar("T")

_S3_NAMES: Final = {
    "anon": "anonymous",
    "skip_signature": "anonymous",
    "endpoint": "endpoint_url",
    "key": "access_key_id",
    "region_name": "region",
    "secret": "secret_access_key",
    "token": "session_token",
}


class IcechunkStore(ZarrStore):
    """One version of an icechunk repository, through the package ``icechunk``.

    icechunk reads the repository by itself. The version is settled when the store is opened:
    what is committed to the branch later is not seen, in other processes neither.

    Parameters
    ----------
    root
        Absolute path or URL (``s3://``, ``gs://``, ``http://``, ``https://``) of the repository.
    version
        ``branch.NAME``, ``tag.NAME``, or the id of a snapshot.
    snapshot
        The snapshot that the version was found to be, or None to look it up.
    **options
        For S3: ``region``, ``endpoint_url``, ``access_key_id``, ``secret_access_key``,
        ``session_token``, ``anon``; elsewhere what icechunk's own storage takes.

    Raises
    ------
    MissingDependencyError
        icechunk is not installed.
    StoreError
        There is no repository, or not this version of it.
    """

    def __init__(
        self, root: str, version: str = "branch.main", snapshot: str | None = None, **options: Any
    ) -> None:
        icechunk = require("icechunk", extra="icechunk", purpose="The step 'icechunk:' of a URL")
        self._errors = icechunk.IcechunkError
        self._address = f"{file_url(root) if root.startswith('/') else root}|icechunk:"
        if version != "branch.main":
            self._address += f"//{quote_path(version).replace('/', '%2F')}/"
        try:
            repository = icechunk.Repository.open(_storage(icechunk, root, options))
            session = repository.readonly_session(**_choice(version, snapshot))
        except (icechunk.IcechunkError, ValueError, TypeError) as error:
            raise StoreError(
                f"cannot open {redact(self._address)!r}: {describe(error)}; check the "
                "address, the options, and the branch, tag or snapshot",
                store=redact(self._address),
            ) from error
        super().__init__(session.store, read_only=True)
        described = {"version": version, "snapshot": session.snapshot_id, **options}
        self._spec = StoreSpec("icechunk", root, described, read_only=True)

    @property
    def address(self) -> str:
        """The repository and the version as a URL pipeline."""
        return self._address

    def address_at(self, path: str) -> str:
        """Return the address of what is at a key, or below a prefix."""
        if path.startswith("@") and self._address.endswith(":"):
            return f"{self._address}%40{quote_path(path[1:])}"
        return super().address_at(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._spec,)

    async def _try(self, key: str, doing: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            return await super()._try(key, doing, call)
        except self._errors as error:
            self._fail(error, key, doing)


def _choice(version: str, snapshot: str | None) -> dict[str, str]:
    kind, dot, name = version.partition(".")
    if snapshot is not None:
        return {"snapshot_id": snapshot}
    return {kind: name} if dot and kind in ("branch", "tag") else {"snapshot_id": version}


def _storage(icechunk: Any, root: str, options: Mapping[str, Any]) -> Any:
    scheme = root.partition("://")[0] if "://" in root else ""
    if not scheme:
        return icechunk.local_filesystem_storage(root, **options)
    if scheme in ("http", "https"):
        return icechunk.http_storage(root, **options)
    parts = urlsplit(root)
    place = {"bucket": parts.netloc, "prefix": unquote(parts.path).strip("/")}
    if scheme in ("s3", "s3a"):
        return icechunk.s3_storage(**place, **_s3_options(options))
    if scheme in ("gs", "gcs"):
        return icechunk.gcs_storage(**place, **options)
    raise UnsupportedError(
        f"{redact(root)!r} cannot hold an icechunk repository here: it is read from a local "
        "folder, s3, gs, http or https; copy it there, or open icechunk's own store",
        store=redact(root),
    )


def _s3_options(options: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {_S3_NAMES.get(name, name): value for name, value in options.items()}
    endpoint = str(chosen.get("endpoint_url") or "")
    if endpoint:
        chosen.setdefault("force_path_style", True)
    if endpoint.startswith("http://"):
        chosen.setdefault("allow_http", True)
    if not {"access_key_id", "anonymous"} & set(chosen):
        chosen.setdefault("from_env", True)
    return chosen


def _rebuild(spec: StoreSpec) -> IcechunkStore:
    return open_icechunk(spec.root, **spec.options).with_zarr_format(spec.zarr_format)


def open_icechunk(root: str, *, read_only: bool = True, **options: Any) -> IcechunkStore:
    """Open a repository: the factory of the ``icechunk`` backend."""
    return IcechunkStore(root, **options)
