#!/bin/bash
# The Python module and what it is linked from, nothing else.
set -euo pipefail
cd /kiln/build/cmake
# The compiler is known by its content: a rebuilt toolchain image with the same compiler keeps its cache.
# Depend mode: a miss costs no preprocessing of its own, the compiler's list of headers is checked instead.
export CCACHE_COMPILERCHECK=content CCACHE_DEPEND=1
ccache --zero-stats > /dev/null

# The binding is one file that takes a minute, and ninja would start it last, with all other cores idle.
# So it is compiled beside the rest, into the cache, where ninja's own call finds it.
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
