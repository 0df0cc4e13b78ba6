#!/bin/bash
# Makes a raw wheel of what Bazel has built, with TensorFlow's own script.
set -euo pipefail
source /kiln/scripts/settings.sh
stage=/kiln/build/wheel
rm -rf "$stage"
mkdir -p "$stage" /kiln/out/raw
cd "$workspace"
bazel-bin/tensorflow/tools/pip_package/build_pip_package \
    --src "$stage" --dst /kiln/out/raw --project_name "$KILN_OPT_PROJECT_NAME"
# What is inside of the externals, while Bazel's outputs are still there.
"$python" /kiln/scripts/linked.py "$workspace" /kiln/out/raw/*.whl /kiln/build/linked.json
