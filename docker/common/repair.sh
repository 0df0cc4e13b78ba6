#!/bin/bash
# Makes the wheel that is published from the raw one: with the lowest platform tag that it satisfies, with copies of the
# shared libraries that this platform does not guarantee, with the variant in its version, with the SBOM of what is in
# it, and with bytes that depend only on its content.
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
    echo "kiln-error: expected one raw wheel in $raw, found ${#wheels[@]} (${wheels[*]##*/}): correct the recipe's packing step" >&2
    exit 1
fi
wheel=${wheels[0]}
auditwheel show "$wheel"

# Shared libraries that a step has compiled for the wheel.
export LD_LIBRARY_PATH=/kiln/build/libraries

# CUDA's libraries take half a gigabyte or more: they are copied in only on request.
options=()
# Libraries that the wheel requires of the system.
if [ -e /kiln/build/required.txt ]; then
    while read -r name; do options+=(--exclude "$name"); done < /kiln/build/required.txt
fi
if [ -n "${KILN_CUDA:-}" ]; then
    libraries=/kiln/build/cuda/lib64
    LD_LIBRARY_PATH+=:$libraries
    if [ "$KILN_OPT_CUDA_LIBS" != bundled ]; then
        for library in "$libraries"/*.so.*; do options+=(--exclude "${library##*/}"); done
    fi
    # The driver's library always comes with the driver.
    options+=(--exclude libcuda.so.1)
fi
if ! auditwheel repair ${options[@]+"${options[@]}"} --plat auto --zip-compression-level 0 --wheel-dir "$repaired" "$wheel" 2> "$repaired/why"; then
    cat "$repaired/why"
    echo "no manylinux policy fits: the tag stays linux_x86_64"
    cp "$wheel" "$repaired/"
fi
for wheel in "$repaired"/*.whl; do
    if [ -n "${KILN_CUDA:-}" ]; then "$KILN_TOOLS/bin/python" /kiln/cuda/libs.py "$wheel"; fi
    python3 /kiln/common/label.py "$wheel" "$labelled"
done
for wheel in "$labelled"/*.whl; do
    python3 /kiln/common/sbom.py "$wheel"
    python3 /kiln/common/normalise.py "$wheel" "/kiln/out/${wheel##*/}"
done
