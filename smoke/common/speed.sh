#!/bin/bash
# A few operations of the wheel, timed beside NumPy and beside another wheel (in $out/against) where one is given.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

echo "timing"
workers=("$build/smoke/bin/python")
for wheel in "$out"/against/*.whl; do
    [ -e "$wheel" ] || continue
    environment "$build/against" "$wheel"
    workers+=("$build/against/bin/python")
done
exec "$build/smoke/bin/python" "$root/smoke/common/speed.py" "$root/$KILN_SUITE/speed.py" "$build/speed.json" "${workers[@]}"
