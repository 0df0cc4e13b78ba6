#!/bin/bash
# Makes the wheel that is published from the raw one: with the variant in its version, and with bytes that depend only on
# its content. auditwheel has no part: it refuses a wheel without machine code.
set -euo pipefail
labelled=/kiln/build/labelled
rm -rf "$labelled"
mkdir -p "$labelled"
python3 /kiln/common/label.py /kiln/out/raw/*.whl "$labelled"
for wheel in "$labelled"/*.whl; do
    python3 /kiln/common/normalise.py "$wheel" "/kiln/out/${wheel##*/}"
done
