#!/bin/sh
# Print the newest CPython (3.13, 3.12, else 3.11) that can make a virtual environment:
# from $PYTHON, on PATH, or under pyenv. With an argument such as 3.11: that version only.
set -u
usable() {
    [ -n "$1" ] && [ -x "$1" ] && "$1" - "$2" >/dev/null 2>&1 <<'EOF'
import sys, venv, ensurepip, ssl, zlib, sqlite3
wanted = tuple(map(int, sys.argv[1].split(".")))
sys.exit(sys.version_info[:2] != wanted or sys.implementation.name != "cpython")
EOF
}
if [ $# -eq 0 ] && [ -n "${PYTHON:-}" ]; then
    found=$(command -v "$PYTHON") || { echo "PYTHON=$PYTHON is not a command" >&2; exit 1; }
    echo "$found"
    exit 0
fi
for version in ${1:-3.13 3.12 3.11}; do
    for candidate in \
        "$(command -v "python$version" 2>/dev/null)" \
        $(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python3 2>/dev/null | sort -rV) \
        "$(command -v python3 2>/dev/null)" "$(command -v python 2>/dev/null)"; do
        if usable "$candidate" "$version"; then
            echo "$candidate"
            exit 0
        fi
    done
done
[ $# -eq 0 ] && echo "anyzarr needs CPython 3.11 or newer with venv; none was found on PATH or under pyenv. Install one, or say PYTHON=/path/to/python3" >&2
exit 1
