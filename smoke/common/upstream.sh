#!/bin/bash
# The tests of the product's own source tree, run on the wheel and on another wheel (in $out/against) where one is given.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

environment "$build/smoke" "$out"/*.whl
pythons=("$build/smoke/bin/python")
other_environments
mkdir -p "$build/upstream"
exec "$build/smoke/bin/python" "$root/smoke/common/upstream.py" "$root/$KILN_SUITE/upstream.py" \
    "${KILN_TREES:-/kiln/trees}" "$build/upstream" "${pythons[@]}"
