#!/bin/bash
# What the finished wheel's files say of it, read in the toolchain image: the runtime image, where the wheel has to work,
# gets no disassembler and no compiler for that. Nothing of the wheel is run here.
set -euo pipefail
root=${KILN_ROOT:-/kiln}
files=${KILN_FILES:-/kiln/files}
build=${KILN_BUILD:-/kiln/build}
out=${KILN_OUT:-/kiln/out}
mkdir -p "$HOME" "${TMPDIR:-/tmp}"
# Podman's service answers who follows a container with its first output; a disassembly is silent for minutes.
echo "inspecting $(basename "$out"/*.whl)"

tools=$build/inspect
rm -rf "$tools"
for wheel in $KILN_WHEELS_TOOLS; do
    "${KILN_INSPECTOR:-/usr/bin/python3}" -m zipfile -e "$files/$wheel" "$tools"
done
PYTHONPATH=$tools "${KILN_INSPECTOR:-/usr/bin/python3}" "$root/smoke/common/inspect_wheel.py" \
    "$out"/*.whl "$build/facts.json"
# What a suite needs a compiler for.
if [ -e "$root/$KILN_SUITE/inspect.sh" ]; then
    bash "$root/$KILN_SUITE/inspect.sh" "$out"/*.whl "$root/$KILN_SUITE" "$build/facts.json" "$build/extension"
fi
