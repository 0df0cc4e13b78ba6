#!/bin/bash
# The user's own command. What is finished is in the disk cache, whatever ends this.
set -euo pipefail
source /kiln/scripts/settings.sh

mapfile -t command < <(build_command | tr ' ' '\n')
echo "bazel ${command[*]}"
TIMEFORMAT='compile: %R s of wall time, %U + %S s of processor time'
time bazel_here "${command[@]}"
