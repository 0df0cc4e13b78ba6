#!/bin/bash
# A step of tensorflow_actions.py, after `configure`: Bazel's counts, and the processor time of one part.
set -euo pipefail
source /kiln/scripts/settings.sh
part=//:part
log=/kiln/build/measured.log
mapfile -t command < <(build_command | tr ' ' '\n')
flags=("${command[@]:1:${#command[@]}-2}")

processor_time() { # of Bazel and all that it runs, in seconds
    local TIMEFORMAT='%U %S'
    if ! { time bazel_here build "${flags[@]}" --disk_cache=/kiln/build/measured-cache "$@" > "$log" 2>&1; } 2> "$log.times"; then
        cat "$log" >&2
        exit 1
    fi
    awk '{ print $1 + $2 }' "$log.times"
}

if ! bazel_here aquery "${flags[@]}" "mnemonic(\"CppCompile\", deps($target))" > "$log.actions" 2> "$log"; then
    cat "$log" >&2
    exit 1
fi
analysis=$(processor_time --nobuild "$part")
seconds=$(processor_time "$part")
echo "measured: actions $(grep -c 'Mnemonic: CppCompile' "$log.actions")"
echo "measured: configurations $(grep -o 'Configuration: .*' "$log.actions" | sort -u | wc -l)"
echo "measured: analysis $analysis"
echo "measured: part $seconds"
echo "measured: processes $(sed -n 's/^INFO: \([0-9]*\) process.*/\1/p' "$log")"
# A build's last step leaves a wheel.
mkdir -p /kiln/out/raw
touch /kiln/out/raw/nothing.whl
