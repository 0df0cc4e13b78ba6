#!/bin/bash
# In seconds, all that would otherwise fail after hours: the machine, the compiler with the very flags, and what is
# imported at the end of the build.
set -euo pipefail
source /kiln/scripts/settings.sh
probe=/kiln/build/preflight
mkdir -p "$probe"

# --- the machine ---------------------------------------------------------------------------------------------------
memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
echo "memory: $memory MiB"
((memory >= BAZEL_MEMORY + COMPILER_MEMORY)) ||
    fail "this machine has $memory MiB of memory, Bazel and one compiler take $((BAZEL_MEMORY + COMPILER_MEMORY)): use a larger machine"
for folder in /kiln/build "$disk_cache"; do
    free=$(df --output=avail -BM "$folder" | tail -n 1 | tr -dc 0-9)
    echo "disk: $free MiB free in $folder"
    ((free >= DISK_NEEDED)) ||
        fail "the disk of $folder has $free MiB free, the build takes up to $DISK_NEEDED: set KILN_HOME to a folder on a larger disk"
done

# The build runs what it has compiled: its tools, and TensorFlow itself, which lists its own API.
flags=$(awk -F: '/^flags/ { print $2; exit }' /proc/cpuinfo)
for feature in ${KILN_CPU_FEATURES//,/ }; do
    case $feature in
        baseline) continue ;;
        sse3) flag=pni ;;
        *) flag=${feature//./_} ;;
    esac
    case " $flags " in
        *" $flag "*) ;;
        *) fail "this machine's processor lacks $feature, and the build runs what it compiles: give other --cpu-features" ;;
    esac
done

# --- the compiler --------------------------------------------------------------------------------------------------
mapfile -t options < <(cpu_flags)
options+=(-O2 -DNDEBUG -fPIC -std=c++11 -w)
"$CC" --version | sed -n 1p
ldd --version | sed -n 1p
"$CXX" "${options[@]}" -o "$probe/program" /kiln/scripts/preflight/program.cc -ldl -lm -lpthread -lrt ||
    fail "$CXX does not compile and link a C++ program with ${options[*]}"
"$probe/program"

include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
numpy=$("$python" -c 'import numpy; print(numpy.get_include())')
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
if grep -q 'const npy_intp\* dimensions' "$workspace/tensorflow/python/lib/core/bfloat16.cc"; then
    options+=(-DCONSTANT_COUNTS)
fi
"$CXX" "${options[@]}" -shared -I"$include" -I"$numpy" -o "$probe/extension$suffix" /kiln/scripts/preflight/extension.cc ||
    fail "$CXX does not compile a Python extension against $include and $numpy"

# --- Python ----------------------------------------------------------------------------------------------------------
(cd "$probe" && "$python" /kiln/scripts/preflight/imports.py) ||
    fail "the interpreter lacks what the build imports at its end (above): correct the recipe's pins of use: build"
(cd "$workspace/tensorflow/tools/pip_package" && "$python" setup.py --project_name "$KILN_OPT_PROJECT_NAME" --name --version) ||
    fail "TensorFlow's setup.py, which makes the wheel, does not run"
echo "bazel: $(bazel --batch --bazelrc=/dev/null version 2> /dev/null | sed -n 's/^Build label: //p')"
