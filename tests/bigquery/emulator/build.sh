#!/usr/bin/env bash
# Build the pinned emulators into .venv/emulators: BigQuery's (goccy), Bigtable's and a Cloud Storage server. Nothing is done for a
# module whose go.mod, go.sum and this script are those of the last build. EMULATORS=services leaves out BigQuery's, which takes minutes.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
into="${1:-$here/../../../.venv/emulators}"
mkdir -p "$into"
into="$(cd "$into" && pwd)"

# Build the packages of a module, one file each: build FOLDER NAME=PACKAGE...
build() {
  local folder="$1" stamp made
  shift
  stamp="$into/$(basename "$folder").stamp"
  made="$(cat "$folder/go.mod" "$folder/go.sum" "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$made" ]; then return; fi
  command -v go >/dev/null || { echo "the emulators need Go 1.24 or newer: https://go.dev/dl" >&2; exit 1; }
  command -v "${CC:-true}" >/dev/null || { echo "the BigQuery emulator needs clang: apt install clang" >&2; exit 1; }
  local started=$SECONDS
  for pair in "$@"; do
    (cd "$folder" && go build -o "$into/${pair%%=*}" "${pair#*=}")
  done
  echo "$made" >"$stamp"
  echo "built $(basename "$folder") in $((SECONDS - started)) s"
}

export GOFLAGS=-buildvcs=false
CGO_ENABLED=0 build "$here/services" \
  bigtable-emulator=cloud.google.com/go/bigtable/cmd/emulator \
  fake-gcs-server=github.com/fsouza/fake-gcs-server

[ "${EMULATORS:-all}" = services ] && exit 0

# One C++ file holds most of Google's analyser: it compiles in minutes without optimization, and not at all with GCC 12. SQLite's
# parser is given the depth that statements of this size need.
export CC=clang CXX=clang++ CGO_ENABLED=1
export CGO_CFLAGS="-O1 -g0 -w -DYYSTACKDEPTH=1000 -DSQLITE_MAX_EXPR_DEPTH=0" CGO_CXXFLAGS="-O0 -g0 -w"
build "$here" bigquery-emulator=github.com/goccy/bigquery-emulator/cmd/bigquery-emulator
