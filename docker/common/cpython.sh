#!/bin/bash
# Compiles CPython from its pinned source into /kiln/python, for a version that the base does not have.
# Without a shared library, because wheels must not link to libpython (PEP 513).
set -euo pipefail
mkdir -p "$HOME" "$TMPDIR" /kiln/build/cpython
cd /kiln/build/cpython

tar --extract --file /kiln/files/Python-*.t* --strip-components 1
export CC="ccache gcc" CCACHE_COMPILERCHECK=content
# This keeps the path of the build folder out of the result; configure adds its own flags.
./configure --quiet --prefix=/kiln/python --without-ensurepip CFLAGS="-ffile-prefix-map=$PWD=/cpython"
make --silent --jobs "$KILN_JOBS"
make --silent install
# The test suite is half of the installation, and no build imports it.
rm -rf /kiln/python/lib/python*/test /kiln/build/cpython
"$KILN_PYTHON" -c 'import ctypes, hashlib, zlib, sys; print("built", sys.version)'
