#!/bin/bash
# Runs in the container of `./inv worker`: takes actions from the server behind a socket, and runs them one beside another.
set -euo pipefail
programs=/kiln/worker
folder=/kiln/build/worker
mkdir -p "$folder" "$HOME" "${TMPDIR:-/tmp}"
# Linkers of TensorFlow's builds know this folder by its content.
if [ -d /kiln/build/glibc ]; then
    ln -sfn /kiln/build/glibc "/kiln/build/glibc-$(cat /kiln/build/glibc/* | sha256sum | cut -c1-16)"
fi
"$programs/buildbox-casd" --cas-remote="unix:$KILN_WORKER_SOCKET" --cas-instance="$KILN_WORKER_INSTANCE" \
    --bind="unix:$folder/objects" --quota-high=20G "$folder/kept" &
while [ ! -S "$folder/objects" ]; do
    kill -0 $! || exit 1
    sleep 0.1
done
exec "$programs/buildbox-worker" --cas-remote="unix:$folder/objects" --bots-remote="unix:$KILN_WORKER_SOCKET" \
    --instance="$KILN_WORKER_INSTANCE" --buildbox-run="$programs/buildbox-run-hosttools" \
    --runner-arg=--staging-mode=copy-or-link --concurrent-jobs="$KILN_JOBS" --platform OSFamily=linux \
    --platform "toolchain=$KILN_WORKER_TOOLCHAIN" "$KILN_WORKER_NAME"
