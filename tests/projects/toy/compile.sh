#!/bin/bash
# Compiles the toy, in the way its option `ending` says.
set -euo pipefail
case $KILN_OPT_ENDING in
    error) echo "[1/2] this compiles"; echo '#include <nothere.h>' | gcc -c -x c -o x.o - ; exit 1 ;;
    never) echo "waiting"; sleep 3600 ;;
    network) exec 3<>/dev/tcp/192.0.2.1/80 ;;
    root) echo "user $(id -u)"; touch /usr/x /kiln/trees/toy/x 2>&1 || true; grep Cap /proc/self/status; exit 1 ;;
    full) head -c 1G /dev/zero > /kiln/build/zeros ;;
    halves)
        # Until it was stopped once, it waits after its first half; how it was stopped is in the log.
        trap 'echo "interrupted"; exit 1' INT
        ccache --zero-stats > /dev/null
        echo 'int half(void) { return 21; }' > half.c
        ccache gcc -O2 -c half.c
        echo "first half: $(ccache --print-stats | awk '/^(direct|preprocessed)_cache_hit/ { n += $2 } END { print n }') from the cache"
        if mkdir /kiln/ccache/half; then echo "waiting"; sleep 3600; fi
        ;;
esac
python=$KILN_VENV/bin/python
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
ccache gcc -O2 -fPIC "-I$include" "-DANSWER=$KILN_OPT_ANSWER" -c -o /kiln/build/toy.o /kiln/trees/toy/toy.c
gcc -shared -o "/kiln/build/toy$suffix" /kiln/build/toy.o
"$python" /kiln/scripts/pack.py "/kiln/build/toy$suffix" /kiln/out/raw
