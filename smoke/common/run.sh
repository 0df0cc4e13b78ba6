#!/bin/bash
# The finished wheel in a fresh environment of the runtime image: installed by hash, and tested.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

venv=$build/smoke
environment "$venv" "$out"/*.whl
run_pip "$venv" list --format json > "$build/packages.json"
# A test reads what pip said: the report then has all that is wrong, and not the first alone.
run_pip "$venv" check > "$build/pip-check.txt" 2>&1 || true

# A wheel for the system's CUDA finds the libraries where a system would name them.
if [ "${KILN_OPT_CUDA_LIBS:-}" = system ]; then
    LD_LIBRARY_PATH=$(printf '%s:' "$venv"/lib/python*/site-packages/nvidia/*/lib)
    export LD_LIBRARY_PATH
fi
# Python looks where it is started, too: what was compiled there must not be taken for what is installed.
mkdir -p "$build/nowhere"
cd "$build/nowhere"
export PYTHONPATH=$root/smoke/common KILN_FACTS=$build/facts.json KILN_PIP_CHECK=$build/pip-check.txt
export KILN_EXTENSION=$build/extension
exec "$venv/bin/python" -m pytest -c "$root/smoke/common/pytest.ini" --rootdir "$root/smoke" -p recording \
    "$root/smoke/common" "$root/$KILN_SUITE" --junitxml="$build/smoke.xml" -q -p no:cacheprovider
