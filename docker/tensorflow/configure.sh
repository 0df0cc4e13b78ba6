#!/bin/bash
# Bazel, the workspace and every input at hand; TensorFlow's ./configure with all its answers in the environment.
set -euo pipefail
source /kiln/scripts/settings.sh
mkdir -p /kiln/build/bin "$disk_cache"
[ -x "$CXX" ] || fail "--compiler $KILN_OPT_COMPILER is not in the toolchain: give gcc-9 or gcc-12"

# --- Bazel and the workspace -------------------------------------------------------------------------------------
install -m 0755 /kiln/files/bazel-0.26.1-linux-x86_64 /kiln/build/bin/bazel
rm -rf "$workspace"
cp -r --preserve=mode,timestamps,links /kiln/trees/tensorflow "$workspace"
chmod -R u+w "$workspace"

# --- the externals -----------------------------------------------------------------------------------------------
# Bazel's repository cache goes by content; a folder of downloads would go by name, and several have the same.
cache=/kiln/build/repository-cache/content_addressable/sha256
for file in /kiln/files/*; do
    case $file in
        *.whl | */bazel-0.26.1-linux-x86_64) continue ;;
    esac
    sha256=$(sha256sum "$file" | cut -d' ' -f1)
    mkdir -p "$cache/$sha256"
    ln -sf "$file" "$cache/$sha256/file"
done

# --- what is Kiln's own in Bazel's command -----------------------------------------------------------------------
# As many compilers as the memory has room for beside Bazel.
memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
fitting=$(((memory - BAZEL_MEMORY) / COMPILER_MEMORY))
jobs=$((KILN_JOBS < fitting ? KILN_JOBS : fitting))
jobs=$((jobs > 1 ? jobs : 1))
tools=$(tools)
{
    echo "build --jobs=$jobs --local_cpu_resources=$jobs"
    echo "build --repository_cache=/kiln/build/repository-cache"
    for tree in /kiln/trees/*/; do
        name=$(basename "$tree")
        if [ "$name" != tensorflow ]; then echo "build --override_repository=$name=/kiln/trees/$name"; fi
    done
    # Finished actions outlive the build that made them: an interrupted one goes on from here.
    echo "build --disk_cache=$disk_cache/$tools"
    # Without "curses" Bazel says less and less of its progress, after an hour once in ten minutes.
    echo "build --color=no --curses=yes --show_progress_rate_limit=5 --noshow_loading_progress --verbose_failures"
    # Actions see these variables and no others.
    echo "build --action_env=PATH=$PATH"
    echo "build --action_env=PYTHONHASHSEED=0"
    echo "build --action_env=GIT_TAG_OVERRIDE=v$KILN_VERSION"
    if [ -n "${KILN_CUDA:-}" ]; then
        # Bazel remembers finished actions itself; the toolkit's nvcc need not.
        echo "build --action_env=CCACHE_DISABLE=1"
        # The generators of the API import what was just linked, and that with NCCL.
        echo "build --action_env=LD_LIBRARY_PATH=/kiln/build/cuda/lib64"
    else
        echo "build --config=nonccl"
    fi
    for part in aws gcp hdfs ignite kafka; do
        option=KILN_OPT_${part^^}
        if ! ((${!option})); then echo "build --config=no$part"; fi
    done
    if ! ((KILN_OPT_SEED_FLAGS)); then
        # Each file is compiled once. Bazel would compile it for its own tools, for Python 2 and for Python 3, and
        # each of those with and without -fPIC. The interpreter is PYTHON_BIN_PATH, whatever "PY2" says.
        echo "build --distinct_host_configuration=false --force_pic"
        echo "build --python_version=PY2 --incompatible_py3_is_default=false"
        echo "build --incompatible_py2_outputs_are_suffixed=false"
    fi
} > "$rc"
for file in ${KILN_OTHER_ARCHIVES:-}; do
    # The compiler and the toolkit are not Bazel's: the steps before this one took them.
    case $file in gcc-* | cuda_* | cudnn-* | nvidia_* | *.deb) continue ;; esac
    "$python" /kiln/scripts/accept.py "$workspace" "$rc" "/kiln/files/$file"
done

# --- ./configure ---------------------------------------------------------------------------------------------------
export PYTHON_BIN_PATH=$python
PYTHON_LIB_PATH=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
export PYTHON_LIB_PATH
export TF_ENABLE_XLA=$KILN_OPT_XLA TF_NEED_CUDA=0 TF_NEED_TENSORRT=0 TF_NEED_ROCM=0 TF_NEED_OPENCL_SYCL=0 TF_NEED_MPI=0
export TF_DOWNLOAD_CLANG=0 TF_SET_ANDROID_WORKSPACE=0 TF_CONFIGURE_IOS=0
if [ -n "${KILN_CUDA:-}" ]; then
    case $KILN_OPT_CUDA_LIBS in
        system) ;;
        pypi)
            [ -e /kiln/build/cuda/provides.txt ] ||
                fail "NVIDIA has no Python packages of CUDA $KILN_CUDA that a wheel could require: give --cuda-libs system"
            ;;
        *) fail "--cuda-libs '$KILN_OPT_CUDA_LIBS' is neither pypi nor system: TensorFlow opens CUDA's libraries by name, which no wheel can carry for it" ;;
    esac
    toolkit=/kiln/build/cuda
    # A library's major version, as its header says it; nothing for one that the toolkit has not, which is then built
    # from the source that TensorFlow pins.
    major() { { cat "$toolkit/include"/$1 2> /dev/null || true; } | awk -v name="$2" '$2 == name { print $3; exit }'; }
    TF_CUDNN_VERSION=$(major 'cudnn*.h' CUDNN_MAJOR)
    TF_NCCL_VERSION=$(major nccl.h NCCL_MAJOR)
    export TF_CUDNN_VERSION TF_NCCL_VERSION
    export TF_NEED_CUDA=1 TF_CUDA_CLANG=0 TF_CUDA_VERSION=$KILN_CUDA TF_CUDA_PATHS=$toolkit
    export TF_CUDA_COMPUTE_CAPABILITIES=${KILN_CUDA_ARCH// /,} GCC_HOST_COMPILER_PATH=$CC
fi
# What --config=opt adds. The processor's flags are in the command; an empty answer would mean -march=native.
export CC_OPT_FLAGS=-Wno-sign-compare
(cd "$workspace" && ./configure < /dev/null)

echo "--- .tf_configure.bazelrc"
cat "$workspace/.tf_configure.bazelrc"
echo "--- kiln.bazelrc"
cat "$rc"
if grep -n 'march=native' "$workspace/.tf_configure.bazelrc" "$rc"; then
    fail "the flags above take this machine's processor for the wheel's: drop them from ./configure"
fi
