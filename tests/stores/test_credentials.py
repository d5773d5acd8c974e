"""Who one is, where, and at which address: by the same names through both backends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from anyzarr.errors import StoreError
from anyzarr.stores import open_store

from ._remote import BACKENDS, PACKAGES, relaying

PUBLIC = b"for everybody"


def open_with(service: Any, backend: str, url: str, options: dict[str, Any]) -> Any:
    if backend == "fsspec":
        pytest.importorskip(PACKAGES[service.scheme], reason="what fsspec reaches it by")
        quick: dict[str, Any] = {"skip_instance_cache": True}
    else:
        quick = {"retry_config": {"max_retries": 0}}
    return open_store(url, backend=backend, mode="a", **options, **quick)


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> pytest.MonkeyPatch:
    """No credentials of whoever runs the tests."""
    import os

    for name in os.environ:
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_")):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def seen_authorization(service: Any, store: Any) -> list[str | None]:
    """Write and read, and return what the requests were signed with."""
    seen = service.through.look()
    store.put("k", b"value")
    assert store.get("k") == b"value"
    assert seen.messages
    return [
        {name.lower(): value for name, value in message.headers.items()}.get("authorization")
        for message in seen.messages
    ]


# ------------------------------------------------------------------------------ S3


@pytest.fixture
def s3_relayed(s3: Any) -> Iterator[Any]:

    with relaying(s3.endpoint) as relay:
        yield s3.behind(relay)


S3_NAMES = {
    "obstore's": ("access_key_id", "secret_access_key", "session_token", "endpoint"),
    "fsspec's": ("key", "secret", "token", "endpoint_url"),
    "mixed": ("access_key_id", "secret", "session_token", "endpoint_url"),
}


@pytest.mark.parametrize("names", S3_NAMES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_s3_keys_and_region(s3_relayed: Any, backend: str, names: str, clean: Any) -> None:
    key, secret, token, endpoint = S3_NAMES[names]
    options = {key: "my-id", secret: "s", token: "t0ken", endpoint: s3_relayed.through.url}
    url = s3_relayed.new_location()
    store = open_with(s3_relayed, backend, url, {**options, "region": "eu-west-3"})
    for value in seen_authorization(s3_relayed, store):
        assert value is not None
        assert "Credential=my-id/" in value
        assert "/eu-west-3/s3/" in value
    headers = s3_relayed.through.seen.messages[-1].headers
    assert {k.lower(): v for k, v in headers.items()}["x-amz-security-token"] == "t0ken"


@pytest.mark.parametrize("backend", BACKENDS)
def test_s3_from_the_environment(s3_relayed: Any, backend: str, clean: Any) -> None:
    clean.setenv("AWS_ACCESS_KEY_ID", "ambient-id")
    clean.setenv("AWS_SECRET_ACCESS_KEY", "s")
    clean.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    clean.setenv("AWS_ENDPOINT_URL", s3_relayed.through.url)
    clean.setenv("AWS_ALLOW_HTTP", "true")
    store = open_with(s3_relayed, backend, s3_relayed.new_location(), {})
    for value in seen_authorization(s3_relayed, store):
        assert value is not None
        assert "Credential=ambient-id/" in value
        assert "/eu-north-1/s3/" in value


@pytest.mark.parametrize("name", ["anon", "skip_signature"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_s3_unsigned(s3_relayed: Any, backend: str, name: str, clean: Any) -> None:
    clean.setenv("AWS_ACCESS_KEY_ID", "not-to-be-used")
    clean.setenv("AWS_SECRET_ACCESS_KEY", "s")
    boto3 = pytest.importorskip("boto3", reason="makes an object public")
    bucket = s3_relayed.new_bucket()
    client = boto3.client("s3", endpoint_url=s3_relayed.endpoint, region_name="us-east-1")
    client.put_object(Bucket=bucket, Key="x/k", Body=PUBLIC, ACL="public-read")
    client.close()
    options = {name: True, "endpoint_url": s3_relayed.through.url, "region": "us-east-1"}
    store = open_with(s3_relayed, backend, f"s3://{bucket}/x", options)
    seen = s3_relayed.through.look()
    assert store.get("k") == PUBLIC
    assert seen.messages
    assert not any("authorization" in str(m.headers).lower() for m in seen.messages)


# ------------------------------------------------------------------------------ Azure


@pytest.mark.parametrize("backend", BACKENDS)
def test_azure_from_the_environment(azure: Any, backend: str, clean: Any) -> None:
    clean.setenv("AZURE_STORAGE_ACCOUNT_NAME", azure.options["account_name"])
    clean.setenv("AZURE_STORAGE_ACCOUNT_KEY", azure.options["account_key"])
    options = {"endpoint_url": azure.options["endpoint_url"]}
    store = open_with(azure, backend, azure.new_location(), options)
    store.put("k", b"value")
    assert store.get("k") == b"value"


@pytest.mark.parametrize("backend", BACKENDS)
def test_azure_signatures(azure: Any, backend: str, clean: Any) -> None:
    blob = pytest.importorskip("azure.storage.blob", reason="makes signatures")
    from datetime import UTC, datetime, timedelta

    container = azure.new_bucket()
    signature = blob.generate_container_sas(
        azure.options["account_name"],
        container,
        azure.options["account_key"],
        permission="racwdl",
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    options = {k: v for k, v in azure.options.items() if k != "account_key"}
    for name in ("sas_token", "sas_key"):
        store = open_with(azure, backend, f"az://{container}/x", {**options, name: signature})
        store.put("k", b"value")
        assert store.get("k") == b"value"


@pytest.mark.parametrize("name", ["anon", "skip_signature"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_azure_unsigned(azure: Any, backend: str, name: str, clean: Any) -> None:
    blob = pytest.importorskip("azure.storage.blob", reason="makes containers")
    endpoint, key = azure.options["endpoint_url"], azure.options["account_key"]
    container = azure.new_bucket()
    with blob.ContainerClient(endpoint, container, credential=key) as client:
        client.set_container_access_policy({}, public_access="container")
        client.upload_blob("x/k", PUBLIC)
    options = {"account_name": azure.options["account_name"], "endpoint_url": endpoint, name: True}
    store = open_with(azure, backend, f"az://{container}/x", options)
    assert store.get("k") == PUBLIC
    with pytest.raises(StoreError) as caught:
        store.put("k", b"2")
    assert caught.value.key == "k"


@pytest.mark.parametrize("backend", BACKENDS)
def test_azure_wrong_keys(azure: Any, backend: str, clean: Any) -> None:
    options = {**azure.options, "account_key": "d3Jvbmc="}
    store = open_with(azure, backend, azure.new_location(), options)
    for doing in (lambda: store.put("k", b"1"), lambda: store.get("k"), lambda: store.head("k")):
        with pytest.raises(StoreError) as caught:
            doing()
        assert type(caught.value) is StoreError
        assert caught.value.key == "k"
        assert "d3Jvbmc=" not in str(caught.value)


# ------------------------------------------------------------------------------ Google


@pytest.mark.parametrize("names", [("endpoint_url", "anon"), ("base_url", "skip_signature")])
@pytest.mark.parametrize("backend", BACKENDS)
def test_gcs_unsigned(gcs: Any, backend: str, names: tuple[str, str], clean: Any) -> None:
    endpoint, anonymous = names
    options = {endpoint: gcs.options["endpoint_url"], anonymous: True}
    store = open_with(gcs, backend, gcs.new_location(), options)
    sent = {
        (value or "").removeprefix("Bearer").strip() for value in seen_authorization(gcs, store)
    }
    assert sent == {""}


def test_gcs_tokens_are_taken_by_both_names(tmp_path: Any) -> None:
    from anyzarr.stores._fsspec_clouds import cloud_options
    from anyzarr.stores._obstore_config import _cloud_options

    account = {"client_email": "me", "private_key": "k", "private_key_id": "1"}
    path = str(tmp_path / "account.json")
    assert cloud_options("gs", {"service_account_key": json.dumps(account)}) == {"token": account}
    for name in ("service_account", "application_credentials", "token"):
        assert cloud_options("gs", {name: path}) == {"token": path}
    by_token = _cloud_options("gs", {"token": account})["config"]
    assert json.loads(by_token["service_account_key"]) == account
    assert _cloud_options("gcs", {"token": path})["config"] == {"application_credentials": path}
    assert _cloud_options("gs", {"token": "anon"})["config"] == {"skip_signature": True}


# ------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_such_bucket(service: Any, backend: str) -> None:
    store = open_with(service, backend, f"{service.scheme}://no-such-bucket/x", service.options)
    with pytest.raises(StoreError) as caught:
        store.put("k", b"1")
    assert type(caught.value) is StoreError
    assert caught.value.key == "k"


@pytest.mark.parametrize("backend", BACKENDS)
def test_options_that_do_not_exist(service: Any, backend: str) -> None:
    if backend == "fsspec":
        pytest.skip("file systems pass on or ignore what they do not know")
    with pytest.raises(StoreError):
        open_with(service, backend, service.new_location(), {**service.options, "nonsense": "1"})
