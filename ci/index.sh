#!/bin/sh
# The wheel index in the folder $1, of the finished builds under dist/; what is in it stays. Where KILN_PUBLISH names a
# target of `./inv publish`, the index is published there, too.
set -eu
cd "$(dirname "$0")/.."
./inv index --output "$1"
if [ -n "${KILN_PUBLISH:-}" ]; then ./inv publish "$KILN_PUBLISH" --folder "$1"; fi
