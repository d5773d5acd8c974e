"""Emulators of Azure Blob Storage and Google Cloud Storage, where ``make emulators`` put them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(os.environ.get("ANYZARR_EMULATORS", Path(__file__).parent.parent / ".emulators"))
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = (  # that of every Azurite; it is no secret
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
_START_SECONDS = 60


def find(*names: str) -> Path | None:
    """Return the first of some programs that is there."""
    for name in names:
        path = FOLDER / name
        if path.is_file():
            return path
    found = shutil.which(Path(names[0]).name)
    return None if found is None else Path(found)


@contextlib.contextmanager
def azurite(program: Path) -> Iterator[str]:
    """Run Azurite's blob service in memory; give its address."""
    port = free_port()
    command = [str(program), "--inMemoryPersistence", "--skipApiVersionCheck", "--silent"]
    command += ["--disableTelemetry", "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with _running(command, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def fake_gcs_server(program: Path, *, port: int, external_url: str) -> Iterator[None]:
    """Run fake-gcs-server in memory at a port; uploads are continued at ``external_url``."""
    host = f"127.0.0.1:{port}"
    command = [str(program), "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"]
    command += ["-port", str(port), "-public-host", host, "-external-url", external_url]
    with _running([*command, "-log-level", "error"], port):
        yield


def make_gcs_bucket(port: int, name: str) -> None:
    """Make a bucket by the JSON API."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        body, kind = json.dumps({"name": name}), {"Content-Type": "application/json"}
        connection.request("POST", "/storage/v1/b", body, kind)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
    finally:
        connection.close()


@contextlib.contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        _wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, f"the emulator ended with status {process.returncode}"
            assert time.monotonic() < deadline, "the emulator does not start"
            time.sleep(0.05)
        else:
            return


def free_port() -> int:
    """Return a port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
