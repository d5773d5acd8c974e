"""obstore's configuration: from a URL with options, and back to a description."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from typing import Any, Final

from anyzarr._optional import require
from anyzarr._url import file_url, parse_location, quote_path, redact
from anyzarr.abc import StoreSpec
from anyzarr.errors import StoreError, UnsupportedError
from anyzarr.stores import _live
from anyzarr.stores._base import describe
from anyzarr.stores._retry import Retry

__all__ = ["object_store_from_url", "spec_of"]

_S3_ALIASES: Final = {
    "endpoint_url": "endpoint",
    "anon": "skip_signature",
    "key": "access_key_id",
    "secret": "secret_access_key",
    "region_name": "region",
    "token": "session_token",
}
_GCS_ALIASES: Final = {
    "endpoint_url": "base_url",
    "endpoint": "base_url",
    "anon": "skip_signature",
}
_AZURE_ALIASES: Final = {"endpoint_url": "endpoint", "anon": "skip_signature"}
_SCHEMES: Final = {"gcs": "gs", "s3a": "s3"}
_PASSED_ON: Final = ("config", "client_options", "retry_config", "credential_provider")
_KNOWN_SCHEMES: Final = ("s3", "gs", "az", "abfs", "http", "https", "file")


def object_store_from_url(url: str, options: dict[str, Any]) -> Any:
    """Return an obstore store for a URL; the same one for the same arguments.

    Raises
    ------
    UnsupportedError
        obstore has no store for the scheme.
    StoreError
        It does not know an option, or refuses the configuration.
    """
    if parse_location(url).is_local:
        return _new(url, options)  # It may make the folder, each time.
    options = Retry.current().for_obstore(options)
    try:
        return _shared(url, _frozen(options), _environment())
    except _NotHashableError:
        return _new(url, options)


class _NotHashableError(Exception):
    """An option that cannot be compared with those of stores made before."""


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ("mapping", *((name, _frozen(part)) for name, part in sorted(value.items())))
    try:
        hash(value)
    except TypeError:
        raise _NotHashableError from None
    return type(value), value


def _thawed(frozen: Any) -> Any:
    kind, *rest = frozen
    return {name: _thawed(part) for name, part in rest} if kind == "mapping" else rest[0]


def _environment() -> tuple[tuple[str, str], ...]:
    read = ("AWS_", "GOOGLE_", "AZURE_", "SERVICE_ACCOUNT", "SSL_CERT_")
    return tuple(sorted(item for item in os.environ.items() if item[0].startswith(read)))


@functools.lru_cache(maxsize=32)
def _shared(url: str, options: Any, environment: Any) -> Any:
    """Return the same store for the same arguments, with its open connections.

    Making one takes as long as some requests: certificates are loaded, connections set up.
    """
    return _new(url, _thawed(options))


def _new(url: str, options: dict[str, Any]) -> Any:
    module = require("obstore.store", extra="obstore", purpose=f"{redact(url)!r}")
    errors = require("obstore.exceptions", extra="obstore")
    parsed = parse_location(url)
    try:
        if parsed.is_local:
            return module.LocalStore(parsed.base, **options)
        if parsed.scheme in ("http", "https"):
            # Not from_url, which takes some https hosts for buckets and wants credentials.
            return module.HTTPStore.from_url(parsed.base, **_http_options(parsed.scheme, options))
        if parsed.scheme == "memory" or parsed.scheme not in _cloud_schemes():
            raise UnsupportedError(
                f"the backend 'obstore' cannot open {redact(url)!r}: it reads the schemes "
                f"{', '.join(_KNOWN_SCHEMES)}; leave out backend='obstore', or use 'fsspec'",
                store=redact(url),
            )
        return module.from_url(_known_scheme(parsed.base), **_cloud_options(parsed.scheme, options))
    except (errors.BaseError, TypeError, ValueError, OSError) as error:
        raise StoreError(
            f"cannot open {redact(url)!r} with obstore: {describe(error)}; check the address and "
            f"the options ({', '.join(sorted(options)) or 'none given'})",
            store=redact(url),
        ) from error


def _cloud_schemes() -> frozenset[str]:
    from anyzarr._url import SCHEMES_OBJECT_STORE

    return SCHEMES_OBJECT_STORE - {"http", "https"}


def _known_scheme(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{_SCHEMES.get(scheme, scheme)}{separator}{rest}"


def _http_options(scheme: str, options: dict[str, Any]) -> dict[str, Any]:
    chosen = {k: v for k, v in options.items() if k not in ("allow_http", "anon")}
    client = dict(chosen.get("client_options") or {})
    if scheme == "http":
        client.setdefault("allow_http", True)
    return {**chosen, "client_options": client or None}


def _aliases(scheme: str) -> Mapping[str, str]:
    if scheme in ("s3", "s3a"):
        return _S3_ALIASES
    return _GCS_ALIASES if scheme in ("gs", "gcs") else _AZURE_ALIASES


def _cloud_options(scheme: str, options: dict[str, Any]) -> dict[str, Any]:
    aliases = _aliases(scheme)
    config: dict[str, Any] = {}
    chosen: dict[str, Any] = {}
    client: dict[str, Any] = dict(options.get("client_options") or {})
    for name, value in options.items():
        if name in _PASSED_ON:
            chosen[name] = value
        elif name == "allow_http":
            client[name] = value
        elif value is not None:
            config[aliases.get(name, name)] = value
    config.update(chosen.pop("config", None) or {})
    if aliases is _GCS_ALIASES:
        config = _gcs_config(config)
    endpoint = config.get("endpoint") or config.get("base_url")
    if str(endpoint).lower().startswith("http://"):
        client.setdefault("allow_http", True)
    return {**chosen, "config": config or None, "client_options": client or None}


def _gcs_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration with gcsfs' ``token`` in obstore's terms, and what anonymity lacks.

    obstore leaves only reads unsigned; an emulator takes writes that carry an empty token.
    """
    token = config.pop("token", None)
    if token == "anon":
        config["skip_signature"] = True
    elif isinstance(token, Mapping):
        config["service_account_key"] = json.dumps(dict(token))
    elif token is not None:
        config["application_credentials"] = os.fspath(token)
    if config.get("skip_signature") and config.get("base_url"):
        nobody = {"client_email": "", "private_key": "", "private_key_id": ""}
        account = {**nobody, "disable_oauth": True, "gcs_base_url": config["base_url"]}
        config.setdefault("service_account_key", json.dumps(account))
    return config


def spec_of(store: Any, *, read_only: bool) -> StoreSpec:
    """Return the description of a live obstore store."""
    kind = type(store).__name__
    root = _root_of(store, kind)
    if root is None:
        token = _live.token_of(store)
        return StoreSpec(
            "obstore", f"obstore://{kind}/{token}", {"token_of": token}, read_only=read_only
        )
    options = {name: getattr(store, name, None) for name in _PASSED_ON if kind != "LocalStore"}
    return StoreSpec(
        "obstore",
        root,
        {name: value for name, value in options.items() if value},
        read_only=read_only,
    )


def _root_of(store: Any, kind: str) -> str | None:
    if kind == "LocalStore":
        return file_url(str(store.prefix or "/"))
    if kind == "HTTPStore":
        return str(store.url).rstrip("/")
    scheme = {"S3Store": "s3", "GCSStore": "gs", "AzureStore": "az"}.get(kind)
    if scheme is None:
        return None
    config = store.config
    bucket = config.get("bucket") or config.get("container_name")
    if not bucket:
        return None
    return f"{scheme}://{bucket}/{quote_path(str(store.prefix or ''))}".rstrip("/")
