#!/usr/bin/env bash
# Makes a wheel of what Bazel has built: build_pip_package --src FOLDER --dst FOLDER --project_name NAME
set -euo pipefail
while [ $# -gt 0 ]; do
    case $1 in
        --src) src=$2 ;;
        --dst) dst=$2 ;;
        --project_name) name=$2 ;;
        *) echo "unknown: $1" >&2 && exit 2 ;;
    esac
    shift 2
done
built=${BASH_SOURCE[0]}.runfiles/org_tensorflow/tensorflow
mkdir -p "$src/flow" "$dst"
cp -L "$built"/python/{_flow.so,ops.py} "$src/flow/"
cp -L "$built/python/flow.py" "$src/flow/__init__.py"
cp -L "$built/tools/pip_package/notice.txt" "$src/flow/NOTICE"
cp -L "$built/tools/pip_package/setup.py" "$src/"
(cd "$src" && python setup.py --quiet --project_name "$name" bdist_wheel --dist-dir "$dst")
