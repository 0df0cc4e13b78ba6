#!/bin/bash
# Compiles with the project's CMake, installs into a folder, and makes a raw wheel of what is in it.
set -euo pipefail
build=/kiln/build/cmake
stage=/kiln/build/stage
rm -rf "$build" "$stage"
python=$KILN_VENV/bin/python

# Linked for the oldest glibc that the wheel is to run with (docs/glibc.md).
if [ -n "${KILN_GLIBC:-}" ]; then
    source /kiln/glibc/flags.sh
    export LDFLAGS=$KILN_GLIBC_FLAGS
fi

# fill in: the project's own options; nothing may be searched on the machine or downloaded
cmake -S "/kiln/trees/$KILN_NAME" -B "$build" -G Ninja \
    -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX="$stage" \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_SKIP_RPATH=ON \
    -DPython_EXECUTABLE="$python" -DPython3_EXECUTABLE="$python" -DPYTHON_EXECUTABLE="$python"
ninja -C "$build" -j "$KILN_JOBS" install
ccache --show-stats

# fill in: where the install has the Python package, if it is not at its top
"$python" /kiln/scripts/pack.py "$stage" "/kiln/trees/$KILN_NAME" /kiln/out/raw
