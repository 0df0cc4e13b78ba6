#!/bin/bash
# Runs the user's own command. Finished actions stay in the disk cache, however this step ends.
set -euo pipefail
source /kiln/scripts/settings.sh

mapfile -t command < <(build_command | tr ' ' '\n')
echo "bazel ${command[*]}"
# Bazel discovers its actions during the build and counts only those; this is the number of all actions with the default
# options. With CUDA the number does not help: two thirds of 9,703 take only minutes, at the beginning and at the end.
case $KILN_NAME${KILN_CUDA:-}-$KILN_OPT_SEED_FLAGS in
    tensorflow-0) echo "kiln-total: 5114" ;;
    *) echo "kiln-total: unknown" ;;
esac
TIMEFORMAT='compile: %R s of wall time, %U + %S s of processor time'
# Bazel returns to the start of a line to overwrite it; in a log there is no need for that.
# What the report shows of its actions; nothing of it is in the wheel.
profile=(--experimental_generate_json_trace_profile --experimental_json_trace_compression
    --profile=/kiln/build/bazel-profile.json.gz)
time bazel_here "${command[@]}" "${profile[@]}" 2>&1 | sed --unbuffered 's/\r//g'
