#!/bin/sh
# Install the emulators that the tests of Azure and Google Cloud Storage use into .emulators, as far
# as npm and go are there. The tests of one that is missing say that they were not run.
set -u
FAKE_GCS_SERVER=v1.56.1
folder=.emulators
mkdir -p "$folder/bin"
folder=$(cd "$folder" && pwd)
log="$folder/install.log"
: >"$log"

say() { echo "NOT RUN: the tests on $1, because $2."; }

if [ -x "$folder/node_modules/.bin/azurite-blob" ]; then
	:
elif ! command -v npm >/dev/null; then
	say "Azurite" "there is no npm"
elif ! (cp tools/emulators/package.json tools/emulators/package-lock.json "$folder" && cd "$folder" &&
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >>"$log" 2>&1; then
	rm -rf "$folder/node_modules"
	say "Azurite" "npm cannot install it (see $log)"
fi

if [ -x "$folder/bin/fake-gcs-server" ]; then
	:
elif ! command -v go >/dev/null; then
	say "fake-gcs-server" "there is no go"
elif ! GOBIN="$folder/bin" go install "github.com/fsouza/fake-gcs-server@$FAKE_GCS_SERVER" \
	>>"$log" 2>&1; then
	say "fake-gcs-server" "go cannot build it (see $log)"
fi
# Not made where one is missing, so that the next run says so again.
if [ -x "$folder/node_modules/.bin/azurite-blob" ] && [ -x "$folder/bin/fake-gcs-server" ]; then
	touch "$folder/.ready"
fi
