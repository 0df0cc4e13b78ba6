#!/bin/bash
# Compiles the Python module and the libraries that it links to, nothing else.
set -euo pipefail
cd /kiln/build/cmake
# ccache identifies the compiler by its content, as no other program can have the same.
# In depend mode it checks the compiler's list of headers, and a miss needs no extra preprocessing.
export CCACHE_COMPILERCHECK=content CCACHE_DEPEND=1
ccache --zero-stats > /dev/null

# The binding is one file that takes a minute, and ninja would start it last, with all other cores idle. So it is compiled
# in parallel with the rest, into the cache, where ninja finds it.
binding_ahead() {
    local object early=$TMPDIR/binding.o
    object=$(ninja -t targets all | sed -n 's|^\(modules/python3/.*/cv2\.cpp\.o\): .*|\1|p')
    ninja -t commands -s "$object" | sed "s| -MF $object.d | -MF $early.d |; s| -o $object | -o $early |" | bash
}

TIMEFORMAT='compile: %R s of wall time, %U + %S s of processor time'
time {
    if ((KILN_JOBS > 1)); then
        ninja gen_opencv_python_source
        binding_ahead > "$TMPDIR/binding.log" 2>&1 &
    fi
    ninja -j "$KILN_JOBS" opencv_python3
    wait
}
ccache --show-stats
