#!/bin/sh
# Runs in the container of `./inv worker --listen`.
exec python3 /kiln/worker/files.py
