"""Run the fuzz targets of the native engine, each for some time.

``make fuzz`` runs them for long and lets the corpus grow; ``make test`` runs them briefly, from
what is known. Crashes are kept in ``native/fuzz/artifacts``; the last lines say how to replay.

Run ``python tools/fuzz.py --help`` for what else it does.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sanitizers
from sanitizers import Build

FUZZ = sanitizers.NATIVE / "fuzz"
CORPUS = FUZZ / "corpus"
KNOWN = FUZZ / "known"
ARTIFACTS = FUZZ / "artifacts"
TARGETS = ("shard_index", "archive", "blosc", "zstd", "deflate", "lz4", "plan", "chunk", "vlen")

LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-malloc_limit_mb=512", "-max_len=8192"]

# Inputs that are kept in the repository are small, and not many.
KNOWN_INPUT_BYTES = 1024
KNOWN_BYTES = 20_000


def chosen_build() -> Build:
    """Return the best way to build that works here; say loudly what is missing."""
    host = sanitizers.host()
    if not sanitizers.has_cxx():
        sanitizers.banner(
            "There is no C++ compiler, so libFuzzer cannot be built: the targets run without",
            "coverage and without the address sanitizer. Install one to find more.",
        )
        return Build("a plain driver")
    best = Build(
        "libFuzzer, with the address sanitizer",
        host,
        [sanitizers.ADDRESS, *sanitizers.COVERAGE, sanitizers.WRAP],
        [*sanitizers.ADDRESS_C, *sanitizers.COVERAGE_C],
    )
    if sanitizers.works(best):
        return best
    sanitizers.banner(
        "This toolchain builds nothing with the address sanitizer: the targets run without it,",
        "and see only what panics, hangs, or kills the process.",
    )
    return Build("libFuzzer", host, sanitizers.COVERAGE)


def build(how: Build) -> Path:
    """Build all targets; return the folder they are in."""
    features = [] if how.name == "a plain driver" else ["--features", "libfuzzer"]
    place = how.arguments("fuzz")
    command = ["cargo", "build", "--quiet", "--release", "--locked", *features, *place]
    print(f"Building the fuzz targets: {how.name}", flush=True)
    subprocess.run(command, cwd=FUZZ, env=how.environment(), check=True)
    return Path(place[1]) / (how.target or "") / "release"


@dataclass(frozen=True)
class Run:
    """Where the targets are, where they work, and for how long."""

    programs: Path
    scratch: Path
    environment: dict[str, str]
    seconds: int
    keep: bool

    def of(self, target: str) -> tuple[bool, str]:
        """Run a target; return whether it found nothing, and what to say of it."""
        artifacts = ARTIFACTS / target
        artifacts.mkdir(parents=True, exist_ok=True)
        working = CORPUS / target if self.keep else self.scratch / "new" / target
        working.mkdir(parents=True, exist_ok=True)
        folders = [working, self.scratch / "known" / target, self.scratch / "seeds" / target]
        words = FUZZ / f"{target}.dict"
        command = [
            str(self.programs / target),
            *LIMITS,
            f"-max_total_time={self.seconds}",
            "-print_final_stats=1",
            f"-artifact_prefix={artifacts}/",
            *([f"-dict={words}"] if words.exists() else []),
            *(str(folder) for folder in folders if folder.is_dir()),
        ]
        done = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode == 0:
            return True, summary(target, done.stderr)
        log = self.programs / f"{target}.log"
        log.write_text(done.stderr)
        return False, failure(target, done.stderr, log)


def summary(target: str, log: str) -> str:
    """Return one line about a run that found nothing."""
    runs = re.search(r"number_of_executed_units: *(\d+)", log)
    states = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)/", log)
    edges, features, inputs = states[-1] if states else ("-", "-", "-")
    number = int(runs[1]) if runs else 0
    return f"{target:12} {number:>11,} {edges:>8} {features:>9} {inputs:>8}"


def failure(target: str, log: str, path: Path) -> str:
    """Return what was found and how to see it again."""
    says = re.search(r"(panicked at .*\n.*|ERROR: .*)", log)
    units = re.findall(r"Test unit written to (.*)", log)
    lines = [f"{target:12} FAILED: {says[1] if says else log[-500:]}", f"    all it said: {path}"]
    lines += [f"    again: {sys.executable} tools/fuzz.py --replay {target} {u}" for u in units]
    return "\n".join(lines)


def unpack_known(scratch: Path) -> None:
    """Put the inputs that are known where the targets find them."""
    for target in TARGETS:
        folder = scratch / "known" / target
        folder.mkdir(parents=True)
        if (archive := KNOWN / f"{target}.zip").exists():
            with zipfile.ZipFile(archive) as inputs:
                inputs.extractall(folder)
        for past in (KNOWN / target).glob("*"):
            (folder / past.name).write_bytes(past.read_bytes())


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder for one run, in memory where the system has such a place."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="anyzarr-fuzz-", dir=place) as name:
        yield Path(name)


def save(run: Run, target: str) -> str:
    """Put the least inputs that reach what the corpus reaches into the repository."""
    least = run.scratch / "least" / target
    least.mkdir(parents=True)
    folders = [CORPUS / target, run.scratch / "known" / target, run.scratch / "seeds" / target]
    subprocess.run(
        [str(run.programs / target), "-merge=1", f"-max_len={KNOWN_INPUT_BYTES}", str(least)]
        + [str(folder) for folder in folders if folder.is_dir()],
        env=run.environment,
        capture_output=True,
        check=True,
    )
    KNOWN.mkdir(exist_ok=True)
    inputs = sorted((path.read_bytes() for path in least.iterdir()), key=lambda d: (len(d), d))
    total = count = 0
    with zipfile.ZipFile(KNOWN / f"{target}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for data in inputs:
            if (total := total + len(data)) > KNOWN_BYTES:
                break
            archive.writestr(zipfile.ZipInfo(f"{count:04}"), data, zipfile.ZIP_DEFLATED, 9)
            count += 1
    return f"{target}: {count} of {len(inputs)} inputs are kept"


def run_all(run: Run, targets: Sequence[str]) -> bool:
    """Run targets, as many at once as there are processors; return whether all found nothing."""
    print(
        f"{'target':12} {'executions':>11} {'edges':>8} {'features':>9} {'inputs':>8}", flush=True
    )
    good = True
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for is_good, text in pool.map(run.of, targets):
            print(text, flush=True)
            good &= is_good
    return good


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument("--keep", action="store_true", help="what is new grows native/fuzz/corpus")
    parser.add_argument(
        "--save", action="store_true", help="put a little of it into native/fuzz/known"
    )
    parser.add_argument("--replay", nargs=2, metavar=("TARGET", "FILE"), help="run one input")
    options = parser.parse_args()
    targets = options.targets or TARGETS
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    how = chosen_build()
    programs = build(how)
    with scratch() as folder:
        environment = {**how.environment(), "TMPDIR": str(folder), "RUST_BACKTRACE": "1"}
        if options.replay:
            target, path = options.replay
            return subprocess.run(
                [str(programs / target), path], env=environment, check=False
            ).returncode
        unpack_known(folder)
        seeds = [str(programs / "seeds"), str(folder / "seeds")]
        subprocess.run(seeds, env=environment, check=True)
        run = Run(programs, folder, environment, options.seconds, options.keep)
        if options.save:
            print("\n".join(save(run, target) for target in targets))
            return 0
        return 0 if run_all(run, targets) else 1


if __name__ == "__main__":
    sys.exit(main())
