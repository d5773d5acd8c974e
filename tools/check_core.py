"""Run the tests of the native engine's core where every access to memory is watched.

``asan``
    The address sanitizer, in the C libraries too: reads and writes out of bounds, leaks.
``tsan``
    The thread sanitizer: races. It needs nightly Rust with the component ``rust-src``, because
    the standard library must be built with it.
``miri``
    An interpreter that knows Rust's rules, for what calls no C: the pool, the grid, points. It
    needs nightly Rust with the component ``miri``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import sanitizers
from sanitizers import Build

CARGO_TEST = ["test", "--package", "anyzarr-core", "--no-default-features"]
NIGHTLY = "rustup toolchain install nightly --component rust-src,miri"

# What calls no C and is quick enough for an interpreter.
INTERPRETED = ["pool", "grid", "picks", "tables", "heap", "vlen"]


def asan() -> tuple[list[str], dict[str, str]] | None:
    """Return the command and its environment, or None if it cannot be done here."""
    how = Build(
        "the address sanitizer", sanitizers.host(), [sanitizers.ADDRESS], sanitizers.ADDRESS_C
    )
    if not sanitizers.works(how):
        return None
    # Examples of the documentation are built by another program, without these flags.
    command = ["cargo", *CARGO_TEST, "--lib", "--tests", *how.arguments("asan")]
    return command, how.environment()


def tsan() -> tuple[list[str], dict[str, str]] | None:
    """As :func:`asan`."""
    if not has_component("rust-src"):
        return None
    how = Build("the thread sanitizer", sanitizers.host(), ["-Zsanitizer=thread"])
    place = how.arguments("tsan")
    command = ["cargo", "+nightly", *CARGO_TEST, "-Zbuild-std", "--lib", "--tests", *place]
    return command, how.environment()


def miri() -> tuple[list[str], dict[str, str]] | None:
    """As :func:`asan`."""
    if not has_component("miri"):
        return None
    place = Build("miri").arguments("miri")
    # The threads of the pool wait for work until the process ends.
    flags = "-Zmiri-disable-isolation -Zmiri-ignore-leaks"
    command = ["cargo", "+nightly", "miri", *CARGO_TEST, "--lib", *place]
    return [*command, "--", *INTERPRETED], {**os.environ, "MIRIFLAGS": flags}


def has_component(name: str) -> bool:
    """Say whether nightly Rust is there with a component."""
    parts = sanitizers.output("rustup", "component", "list", "--installed", "--toolchain=nightly")
    return any(line.startswith(name) for line in parts.splitlines())


WAYS = {"asan": asan, "tsan": tsan, "miri": miri}


def main() -> int:
    """Build and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    way = parser.parse_args().way
    found = WAYS[way]()
    if found is None:
        remedy = "" if way == "asan" else f" Try: {NIGHTLY}"
        sanitizers.banner(f"NOT RUN: this Rust cannot do {way}.{remedy}")
        return 1
    command, environment = found
    print(" ".join(command), flush=True)
    return subprocess.run(command, cwd=sanitizers.NATIVE, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
