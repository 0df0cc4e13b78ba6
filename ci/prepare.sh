#!/bin/sh
# Makes a fresh Debian container ready, as its root: what these scripts and ./inv run on, and the container engine's
# storage in $KILN_HOME, which is outside the container's own overlay, where no second one can be made.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --yes --no-install-recommends ca-certificates python3 python3-venv zstd
mkdir -p /etc/containers "$KILN_HOME/engine"
cat > /etc/containers/storage.conf <<END
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "$KILN_HOME/engine"
END
