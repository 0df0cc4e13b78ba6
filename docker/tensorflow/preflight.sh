#!/bin/bash
# Checks in a minute what would otherwise fail after hours: the machine, the compiler with the flags of the build, what the
# build imports at its end, and the files of externals that the package contains.
set -euo pipefail
source /kiln/scripts/settings.sh
probe=/kiln/build/preflight
mkdir -p "$probe"

# --- the machine ---------------------------------------------------------------------------------------------------
memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
echo "memory: $memory MiB"
((memory >= BAZEL_MEMORY + COMPILER_MEMORY)) ||
    fail "this machine has $memory MiB of memory, and Bazel with one compiler needs $((BAZEL_MEMORY + COMPILER_MEMORY)): use a machine with more"
for folder in /kiln/build "$disk_cache"; do
    free=$(df --output=avail -BM "$folder" | tail -n 1 | tr -dc 0-9)
    echo "disk: $free MiB free in $folder"
    ((free >= DISK_NEEDED)) ||
        fail "the disk of $folder has $free MiB free, and the build needs up to $DISK_NEEDED: set KILN_HOME to a folder on a larger disk"
done

# The build runs what it compiles: its tools, and TensorFlow itself to list its API.
flags=$(awk -F: '/^flags/ { print $2; exit }' /proc/cpuinfo)
for feature in ${KILN_CPU_FEATURES//,/ }; do
    case $feature in
        baseline) continue ;;
        sse3) flag=pni ;;
        *) flag=${feature//./_} ;;
    esac
    case " $flags " in
        *" $flag "*) ;;
        *) fail "this machine's processor does not have $feature, and the build runs what it compiles: give other --cpu-features" ;;
    esac
done

# --- the compiler --------------------------------------------------------------------------------------------------
mapfile -t options < <(cpu_flags)
options+=(-O2 -DNDEBUG -fPIC -std=c++11 -w "-D_GLIBCXX_USE_CXX11_ABI=$cxx_abi")
"$CC" --version | sed -n 1p
ldd --version | sed -n 1p
read -ra linking <<<"$KILN_GLIBC_FLAGS"
"$CXX" "${options[@]}" -o "$probe/program" /kiln/scripts/preflight/program.cc "${linking[@]}" -ldl -lm -lpthread -lrt ||
    fail "$CXX does not compile and link a C++ program with ${options[*]}: read the output above"
"$probe/program"

include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
numpy=$("$python" -c 'import numpy; print(numpy.get_include())')
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
if grep -q 'const npy_intp\* dimensions' "$workspace/tensorflow/python/lib/core/bfloat16.cc"; then
    options+=(-DCONSTANT_COUNTS)
fi
"$CXX" "${options[@]}" -shared -I"$include" -I"$numpy" -o "$probe/extension$suffix" /kiln/scripts/preflight/extension.cc "${linking[@]}" ||
    fail "$CXX does not compile a Python extension with $include and $numpy: read the output above"

# --- Python ----------------------------------------------------------------------------------------------------------
(cd "$probe" && "$python" /kiln/scripts/preflight/imports.py) ||
    fail "the interpreter does not have the packages above, which the build imports at its end: correct the pins with use: build"
(cd "$workspace/tensorflow/tools/pip_package" && "$python" setup.py --project_name "$KILN_OPT_PROJECT_NAME" --name --version) ||
    fail "TensorFlow's setup.py, which makes the wheel, does not run: read the output above"
echo "bazel: $(bazel --batch --bazelrc=/dev/null version 2> /dev/null | sed -n 's/^Build label: //p')"

# --- the files of externals in the package ---------------------------------------------------------------------------
# Bazel uses the licences only in its last action, and an external that a stand-in replaces may not have one.
package=tensorflow/tools/pip_package
if grep -q 'name = "licenses"' "$workspace/$package/BUILD"; then
    # The build's own options, without its first and last word, so that the analysis chooses the same files.
    mapfile -t options < <(build_command | tr ' ' '\n' | sed '1d;$d')
    bazel_here cquery "${options[@]}" "labels(data, //$package:licenses)" > "$probe/labels"
    missing=""
    # A source file has no configuration: "@eigen_archive//:COPYING.MPL2 (null)".
    while read -r external file; do
        [ -e "/kiln/build/bazel/external/$external/$file" ] || missing+=", $file of the external $external"
    done < <(sed -n 's|^@\([^/]*\)//\([^ ]*\) (null)$|\1 \2|p' "$probe/labels" | sed 's| :| |; s|:|/|')
    [ -z "$missing" ] ||
        fail "the wheel needs files that are missing: ${missing#, }: take the pinned archive, or a stand-in that has them"
    echo "licences: $(grep -c '^@' "$probe/labels") files of externals"
fi
