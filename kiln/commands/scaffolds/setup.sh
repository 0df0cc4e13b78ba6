#!/bin/bash
# Makes a raw wheel with the project's own build system: setup.py, or what its pyproject.toml names.
set -euo pipefail
project=/kiln/build/project
rm -rf "$project"
mkdir -p /kiln/out/raw

# Build systems write into the folder that they build.
cp -R --no-preserve=mode "/kiln/trees/$KILN_NAME" "$project"
cd "$project"
export CC="ccache gcc" CXX="ccache g++"
# Without a time or a name of this machine in what is compiled: /kiln/build is the same everywhere.
export CFLAGS="-O2 -g0" CXXFLAGS="-O2 -g0"
# Linked for the oldest glibc that the wheel is to run with (docs/glibc.md).
if [ -n "${KILN_GLIBC:-}" ]; then
    source /kiln/glibc/flags.sh
    export LDFLAGS=$KILN_GLIBC_FLAGS
fi
# Also for the pip that setuptools starts for `setup_requires`: list such packages with `use: build`.
export PIP_NO_INDEX=1
pip=$(echo /kiln/files/pip-*.whl)
PYTHONPATH=$pip "$KILN_VENV/bin/python" -m pip wheel . --wheel-dir /kiln/out/raw \
    --no-build-isolation --no-deps --no-cache-dir --disable-pip-version-check
ccache --show-stats
