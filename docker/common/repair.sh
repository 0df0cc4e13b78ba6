#!/bin/bash
# From the raw wheel to the one that is published: the lowest platform tag that it really satisfies, the shared
# libraries that this platform does not promise grafted in, the variant in its version, and an archive whose bytes depend
# on its content alone.
set -euo pipefail
export PATH=$KILN_TOOLS/bin:$PATH
raw=/kiln/out/raw
repaired=/kiln/build/repaired
labelled=/kiln/build/labelled
rm -rf "$repaired" "$labelled"
mkdir -p "$repaired" "$labelled"
shopt -s nullglob

wheels=("$raw"/*.whl)
if [ ${#wheels[@]} -ne 1 ]; then
    echo "kiln-error: one raw wheel was expected, there are ${#wheels[@]}: ${wheels[*]##*/}" >&2
    exit 1
fi
wheel=${wheels[0]}
auditwheel show "$wheel"
if ! auditwheel repair --plat auto --zip-compression-level 0 --wheel-dir "$repaired" "$wheel" 2> "$repaired/why"; then
    cat "$repaired/why"
    echo "no manylinux policy fits: the tag stays linux_x86_64"
    cp "$wheel" "$repaired/"
fi
for wheel in "$repaired"/*.whl; do
    python3 /kiln/common/label.py "$wheel" "$labelled"
done
for wheel in "$labelled"/*.whl; do
    python3 /kiln/common/normalise.py "$wheel" "/kiln/out/${wheel##*/}"
done
