#!/bin/bash
# A few operations of the wheel, timed beside NumPy and beside another wheel (in $out/against) where one is given.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

echo "timing"
pythons=("$build/smoke/bin/python")
other_environments
exec "$build/smoke/bin/python" "$root/smoke/common/speed.py" "$root/$KILN_SUITE/speed.py" "$build/speed.json" "${pythons[@]}"
