#!/bin/sh
# Build the native engine once, as a wheel for every CPython from 3.11, and install it into the
# virtual environments given. Where it cannot be built, say so loudly and go on without it, unless
# CI=true or ANYZARR_REQUIRE_NATIVE=1: then that is a failure.
set -u
cd "$(dirname "$0")/.." || exit 1
wheels=native/target/wheels
log=native/target/build.log

give_up() {
    echo "************************************************************************" >&2
    echo "* anyzarr's native engine was NOT built: $1" >&2
    echo "* Everything works without it, through the other engines, but slower." >&2
    echo "************************************************************************" >&2
    if [ "${CI:-}" = true ] || [ "${ANYZARR_REQUIRE_NATIVE:-}" = 1 ]; then
        echo "It is required here (CI=true or ANYZARR_REQUIRE_NATIVE=1)." >&2
        exit 1
    fi
    exit 0
}

command -v cargo >/dev/null 2>&1 || give_up "there is no cargo; install Rust from rustup.rs"
mkdir -p "$wheels"
echo "Building the native engine (a minute or two the first time)"
rm -f "$wheels"/*.whl
if ! PIP_CONSTRAINT=constraints.txt "$1/bin/python" -m pip wheel --quiet \
    --disable-pip-version-check --no-deps --wheel-dir "$wheels" ./native/python >"$log" 2>&1; then
    tail -n 25 "$log" >&2
    give_up "the build failed; the end of $log is above"
fi
for venv in "$@"; do
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index \
        --force-reinstall "$wheels"/anyzarr_native-*.whl || give_up "the wheel cannot be installed"
    touch "$venv/.ready-native"
done
