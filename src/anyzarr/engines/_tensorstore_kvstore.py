"""Which of tensorstore's key-value stores holds the objects of a store of ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from anyzarr.abc import Store, StoreSpec
from anyzarr.engines._folders import folder_of

__all__ = ["kvstore_of"]

# What tensorstore's drivers can be told; a store configured with anything else, keys to an
# account above all, is read through our own store layer.
_S3_OPTIONS = frozenset(
    {"bucket", "region", "endpoint", "skip_signature", "virtual_hosted_style_request"}
)
_GCS_OPTIONS = frozenset({"bucket"})
_CLIENT_OPTIONS = frozenset({"allow_http"})


def kvstore_of(store: Store, path: str) -> dict[str, Any] | None:
    """Return the spec of tensorstore's own store for the node at ``path``; None if it has none."""
    root = folder_of(store, path)
    if root is not None:
        return {"driver": "file", "path": _directory(root, path)}
    if store.spec.backend != "obstore":
        return None
    options = store.spec.options
    config = options.get("config") or {}
    client = options.get("client_options") or {}
    known = {"config", "client_options", "retry_config"}
    if set(options) - known or set(client) - _CLIENT_OPTIONS:
        return None
    kvstore = _service(store.spec, config, path)
    return None if kvstore is None else {**kvstore, **_retries(kvstore, options)}


def _service(spec: StoreSpec, config: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    scheme = spec.root.partition("://")[0]
    if scheme in ("http", "https") and not config:
        return _http(spec, path)
    # Of a server of one's own, tensorstore takes the bucket for the first part of the path.
    hosted = _is_set(config, "virtual_hosted_style_request")
    if scheme == "s3" and set(config) <= _S3_OPTIONS and not hosted:
        return _s3(spec, config, path)
    if scheme == "gs" and set(config) <= _GCS_OPTIONS:
        bucket, prefix = _bucket(spec)
        return {"driver": "gcs", "bucket": bucket, "path": _directory(prefix, path)}
    return None


def _retries(kvstore: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    retry = options.get("retry_config")
    if retry is None:
        return {}
    backoff = retry["backoff"]
    settings = {
        "max_retries": retry["max_retries"],
        "initial_delay": f"{backoff['init_backoff'].total_seconds():.6f}s",
        "max_delay": f"{backoff['max_backoff'].total_seconds():.6f}s",
    }
    return {f"{kvstore['driver']}_request_retries": settings}


def _directory(root: str, path: str) -> str:
    """Return the prefix of the node's keys; ``""`` for the root of a bucket."""
    joined = "/".join(part for part in (root.rstrip("/"), path) if part)
    return f"{joined}/" if joined else ("/" if root else "")


def _bucket(spec: StoreSpec) -> tuple[str, str]:
    parts = urlsplit(spec.root)
    return parts.netloc, unquote(parts.path).strip("/")


def _http(spec: StoreSpec, path: str) -> dict[str, Any]:
    return {"driver": "http", "base_url": _directory(spec.root, quote(path))}


def _s3(spec: StoreSpec, config: Mapping[str, Any], path: str) -> dict[str, Any]:
    bucket, prefix = _bucket(spec)
    anonymous = _is_set(config, "skip_signature")
    kvstore: dict[str, Any] = {
        "driver": "s3",
        "bucket": bucket,
        "path": _directory(prefix, path),
        "aws_credentials": {"type": "anonymous" if anonymous else "default"},
    }
    # As obstore does: the option, then the environment.
    region = config.get("region") or _environment("AWS_REGION", "AWS_DEFAULT_REGION")
    endpoint = config.get("endpoint") or _environment("AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    if endpoint:
        kvstore |= {"endpoint": endpoint, "aws_region": region or "us-east-1"}
    elif region:
        kvstore["aws_region"] = region
    return kvstore


def _is_set(config: Mapping[str, Any], name: str) -> bool:
    return str(config.get(name, "")).lower() in {"true", "1"}


def _environment(*names: str) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)
