"""Options of cloud services: by the names that obstore has, too, for fsspec's file systems."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["cloud_options"]

_S3_ALIASES: Final = {
    "endpoint": "endpoint_url",
    "skip_signature": "anon",
    "access_key_id": "key",
    "secret_access_key": "secret",
    "session_token": "token",
}
_GCS_ALIASES: Final = {
    "base_url": "endpoint_url",
    "endpoint": "endpoint_url",
    "service_account": "token",
    "service_account_path": "token",
    "application_credentials": "token",
    "service_account_key": "token",
}
_AZURE_ALIASES: Final = {
    "endpoint": "endpoint_url",
    "skip_signature": "anon",
    "access_key": "account_key",
    "sas_key": "sas_token",
}


def cloud_options(scheme: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options as the file system of the scheme takes them."""
    known = _BY_SCHEME.get(scheme)
    return options if known is None else known(options)


def _s3(options: Mapping[str, Any]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name, value in options.items():
        if name in ("region", "region_name"):
            client = {**chosen.get("client_kwargs", {}), **options.get("client_kwargs", {})}
            chosen["client_kwargs"] = {"region_name": value, **client}
        elif name == "allow_http":
            chosen.setdefault("use_ssl", not value)
        elif name != "client_kwargs" or "client_kwargs" not in chosen:
            chosen[_S3_ALIASES.get(name, name)] = value
    return chosen


def _renamed(options: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    return {aliases.get(k, k): v for k, v in options.items() if k != "allow_http"}


def _gcs(options: Mapping[str, Any]) -> dict[str, Any]:
    chosen = _renamed(options, _GCS_ALIASES)
    anonymous = [bool(chosen.pop(name)) for name in ("anon", "skip_signature") if name in chosen]
    if any(anonymous):
        chosen["token"] = "anon"
    token = chosen.get("token")
    if isinstance(token, str) and token.lstrip().startswith("{"):
        chosen["token"] = json.loads(token)
    return chosen


def _azure(options: Mapping[str, Any]) -> dict[str, Any]:
    chosen = _renamed(options, _AZURE_ALIASES)
    endpoint = chosen.pop("endpoint_url", None)
    if endpoint is None or "connection_string" in chosen:
        return chosen
    # adlfs takes another address in a connection string only.
    parts = {"BlobEndpoint": str(endpoint).rstrip("/")}
    names = {"AccountName": "account_name", "AccountKey": "account_key"}
    if not chosen.get("anon"):
        names["SharedAccessSignature"] = "sas_token"
        for part, name in names.items():
            value = chosen.pop(name, None) or os.environ.get(f"AZURE_STORAGE_{name.upper()}")
            if value:
                parts[part] = str(value)
    chosen["connection_string"] = ";".join(f"{name}={value}" for name, value in parts.items())
    return chosen


_BY_SCHEME: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    **dict.fromkeys(("s3", "s3a"), _s3),
    **dict.fromkeys(("gs", "gcs"), _gcs),
    **dict.fromkeys(("az", "azure", "abfs", "abfss"), _azure),
}
