#!/bin/bash
# Builds a target of the project's Bazel workspace without a network, and takes the wheel that it makes.
set -euo pipefail
mkdir -p /kiln/out/raw /kiln/build/distdir /kiln/build/bazel
cp /kiln/files/bazel-*-linux-x86_64 /kiln/build/bazel/bazel
chmod +x /kiln/build/bazel/bazel

# Every archive that the workspace names is a pinned source: Bazel takes it from here by its hash (docs/locks.md).
for file in /kiln/files/*; do ln -sf "$file" "/kiln/build/distdir/${file##*/}"; done

cp -R --no-preserve=mode "/kiln/trees/$KILN_NAME" /kiln/build/project
cd /kiln/build/project
export PYTHON_BIN_PATH=$KILN_VENV/bin/python
# Linked for the oldest glibc that the wheel is to run with (docs/glibc.md).
links=()
if [ -n "${KILN_GLIBC:-}" ]; then
    source /kiln/glibc/flags.sh
    for flag in $KILN_GLIBC_FLAGS; do links+=("--linkopt=$flag" "--host_linkopt=$flag"); done
fi
# fill in: the target that makes the wheel, and the options that the project needs
/kiln/build/bazel/bazel --batch --output_user_root=/kiln/build/bazel/root build //:wheel \
    --jobs="$KILN_JOBS" --distdir=/kiln/build/distdir --disk_cache=/kiln/ccache/bazel --verbose_failures \
    --action_env=PYTHON_BIN_PATH ${links[@]+"${links[@]}"}
cp bazel-bin/*.whl /kiln/out/raw/
