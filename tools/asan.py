"""Run the tests of the native engine's core under the address sanitizer, C libraries included."""

from __future__ import annotations

import subprocess
import sys

import sanitizers
from sanitizers import Build


def main() -> int:
    """Build and run; arguments go to the tests."""
    how = Build(
        "the address sanitizer", sanitizers.host(), [sanitizers.ADDRESS], sanitizers.ADDRESS_C
    )
    if not sanitizers.works(how):
        sanitizers.banner("This toolchain builds nothing with the address sanitizer.")
        return 1
    place = how.arguments("asan")
    # Examples of the documentation are built by another program, without these flags.
    # Requests over the network need no sanitizer of ours.
    features = "--no-default-features"
    command = ["cargo", "test", "--package", "anyzarr-core", "--lib", "--tests", features, *place]
    done = subprocess.run(
        [*command, "--", *sys.argv[1:]],
        cwd=sanitizers.NATIVE,
        env=how.environment(),
        check=False,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
