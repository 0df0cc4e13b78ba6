#!/bin/bash
# Prints what the LGPL asks for beside the libraries of FFmpeg: where their source is, how they were made of it, and the offer
# to give it.
set -euo pipefail
cat <<'TEXT'
The libraries libavcodec, libavformat, libavutil, libswresample and libswscale in this wheel are FFmpeg 4.3.7. They are free
software: you can redistribute and modify them under the terms of the GNU Lesser General Public License, version 3 or later,
which is beside this file. They are files of their own, so that you can put a version that you have modified in their place.

Their complete source is ffmpeg-4.3.7.tar.xz, https://ffmpeg.org/releases/ffmpeg-4.3.7.tar.xz, with the sha256
177d074943251bec33e1f9bc5979378ff5771882482ba9b3aee2cb18dd400554, changed by the patch below and compiled by the script below.
Who gives you this wheel also gives you, or anybody who has it, on request and for at least three years, that source, for no
more than what it costs to hand it over.
TEXT
for file in /kiln/patches/*ffmpeg.patch /kiln/scripts/ffmpeg.sh; do
    printf '\n== %s\n' "${file##*/}"
    cat "$file"
done
