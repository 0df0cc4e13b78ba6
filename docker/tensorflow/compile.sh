#!/bin/bash
# The user's own command. What is finished is in the disk cache, whatever ends this.
set -euo pipefail
source /kiln/scripts/settings.sh

mapfile -t command < <(build_command | tr ' ' '\n')
echo "bazel ${command[*]}"
# Bazel finds its actions on the way and counts those that it has found; these are all of the default options'. With
# CUDA their number says nothing: of 9,703 two thirds are done in minutes, at the beginning and at the end.
case $KILN_NAME${KILN_CUDA:-}-$KILN_OPT_SEED_FLAGS in
    tensorflow-0) echo "kiln-total: 5114" ;;
    *) echo "kiln-total: unknown" ;;
esac
TIMEFORMAT='compile: %R s of wall time, %U + %S s of processor time'
# It goes back to overwrite its lines on a terminal, which this is not.
time bazel_here "${command[@]}" 2>&1 | sed --unbuffered 's/\r//g'
