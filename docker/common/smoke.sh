#!/bin/bash
# The finished wheel in a fresh environment of the runtime image: installed by hash, consistent, and tested.
set -euo pipefail
mkdir -p "$HOME" "${TMPDIR:-/tmp}"

pip=""
for wheel in $KILN_WHEELS_BUILD; do
    case $wheel in pip-*) pip=/kiln/files/$wheel ;; esac
done
venv=/kiln/build/smoke
"$KILN_PYTHON" -m venv --clear --without-pip "$venv"
run_pip() { PYTHONPATH=$pip "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

requirements=/kiln/build/smoke-requirements.txt
install() { # files, with their hashes
    for file in "$@"; do
        echo "$file --hash=sha256:$(sha256sum "$file" | cut -d' ' -f1)"
    done > "$requirements"
    cat "$requirements"
    # No --no-deps: a requirement of the wheel that nothing satisfies has to fail here.
    run_pip install --quiet --no-index --no-cache-dir --no-build-isolation --require-hashes --requirement "$requirements"
}
# What was only ever published as source is built by the setuptools among the pins, which has to be there first.
builders=()
for wheel in $KILN_WHEELS_SMOKE; do
    case $wheel in setuptools-*.whl | wheel-*.whl) builders+=("/kiln/files/$wheel") ;; esac
done
if [ ${#builders[@]} -gt 0 ]; then install "${builders[@]}"; fi
# shellcheck disable=SC2046  # a list of names without spaces
install /kiln/out/*.whl $(printf '/kiln/files/%s ' $KILN_WHEELS_SMOKE)
run_pip check
# A wheel for the system's CUDA finds the libraries where a system would name them.
if [ "${KILN_OPT_CUDA_LIBS:-}" = system ]; then
    LD_LIBRARY_PATH=$(printf '%s:' "$venv"/lib/python*/site-packages/nvidia/*/lib)
    export LD_LIBRARY_PATH
fi
exec "$venv/bin/python" -m pytest /kiln/smoke --junitxml=/kiln/build/smoke.xml -q -p no:cacheprovider
