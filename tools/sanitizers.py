"""How this machine's compilers build the Rust core with sanitizers and coverage.

The flags of a sanitizer are those of nightly Rust; a stable compiler takes them where it is told
to (``RUSTC_BOOTSTRAP``). Its archive ships the sanitizer's library, so nothing else is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NATIVE = ROOT / "native"

ADDRESS = "-Zsanitizer=address"
ADDRESS_C = [
    "-fsanitize=address",
    "-fno-omit-frame-pointer",
    "-g1",
    # GCC poisons constant tables that are declared in a block when the block ends.
    "-fno-sanitize-address-use-after-scope",
]
COVERAGE = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
]
# What both GCC and Clang have; native/fuzz/src/hooks.rs receives it.
COVERAGE_C = ["-fsanitize-coverage=trace-pc,trace-cmp"]
WRAP = "-Clink-arg=-Wl,--wrap=__sanitizer_cov_trace_pc"


@dataclass(frozen=True)
class Build:
    """How to build: what cargo gets, and what is missing."""

    name: str
    target: str | None = None
    rust_flags: list[str] = field(default_factory=list)
    c_flags: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Return the environment for cargo and for the programs it made."""
        environment = dict(os.environ)
        if not self.rust_flags:
            return environment
        environment["RUSTFLAGS"] = " ".join(self.rust_flags)
        environment["RUSTC_BOOTSTRAP"] = "1"
        for name in ("ASAN_OPTIONS", "TSAN_OPTIONS"):
            # As without them: where there is not enough memory, there is none.
            environment[name] = f"allocator_may_return_null=1:{environment.get(name, '')}"
        # Templates of C that are included twice define their tables twice.
        environment["ASAN_OPTIONS"] += ":detect_odr_violation=0:quarantine_size_mb=32"
        if self.c_flags:
            # Only for what is built for the target: build programs are left as they are.
            name = f"CFLAGS_{(self.target or '').replace('-', '_')}"
            environment[name] = " ".join([environment.get("CFLAGS", ""), *self.c_flags]).strip()
        return environment

    def arguments(self, folder: str) -> list[str]:
        """Return the arguments for cargo; what it makes goes below its own target folder."""
        base = os.environ.get("CARGO_TARGET_DIR")
        place = Path(base) if base else NATIVE / "target"
        target = ["--target", self.target] if self.target else []
        return ["--target-dir", str(place / folder), *target]


def output(*command: str, **environment: str) -> str:
    """Run a command and return what it says, or nothing if it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **environment}, check=False
        )
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def host() -> str:
    """Return the triple this Rust builds for."""
    words = [line.split() for line in output("rustc", "-vV").splitlines()]
    return next((line[1] for line in words if line[:1] == ["host:"]), "")


def works(build: Build) -> bool:
    """Say whether a small program of Rust and C can be built so, and runs."""
    environment = build.environment()
    compiler = os.environ.get("CC", "cc")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "part.c").write_text("int part(const char *p) { return p[1] == 'x'; }\n")
        (folder / "probe.rs").write_text(
            'unsafe extern "C" { fn part(p: *const u8) -> i32; }\n'
            'fn main() { assert!(unsafe { part(b"ax".as_ptr()) } == 1); }\n'
        )
        # Hooks of libFuzzer are not there yet; without them only the sanitizer is tried.
        c_flags = [flag for flag in build.c_flags if "coverage" not in flag]
        rust_flags = [f for f in build.rust_flags if f not in (*COVERAGE, WRAP)]
        part = str(folder / "part.o")
        linked = [f"-Clink-arg={part}", str(folder / "probe.rs"), "-o", str(folder / "probe")]
        steps = [
            [compiler, "-c", *c_flags, str(folder / "part.c"), "-o", part],
            # Whether it takes the flags at all.
            [compiler, "-c", *build.c_flags, str(folder / "part.c"), "-o", part + "2"],
            ["rustc", "--edition=2024", *rust_flags, "--target", build.target or host(), *linked],
            [str(folder / "probe")],
        ]
        for step in steps:
            try:
                subprocess.run(step, env=environment, capture_output=True, check=True)
            except (OSError, subprocess.CalledProcessError):
                return False
    return True


def has_cxx() -> bool:
    """Say whether there is a C++ compiler, which libFuzzer needs."""
    return shutil.which(os.environ.get("CXX", "c++")) is not None


def banner(*lines: str) -> None:
    """Say something that must not be overlooked."""
    print("*" * 72)
    for line in lines:
        print(f"* {line}")
    print("*" * 72, flush=True)
