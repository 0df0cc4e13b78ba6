#!/bin/bash
# Prepares Bazel, the workspace and all inputs, and runs TensorFlow's ./configure with its answers in the environment.
set -euo pipefail
source /kiln/scripts/settings.sh
mkdir -p /kiln/build/bin "$disk_cache"
[ -x "$CXX" ] || fail "the compiler $KILN_OPT_COMPILER is not in the toolchain: give one that the option names"

# --- Bazel and the workspace -------------------------------------------------------------------------------------
install -m 0755 /kiln/files/bazel-0.26.1-linux-x86_64 /kiln/build/bin/bazel
rm -rf "$workspace"
cp -r --preserve=mode,timestamps,links /kiln/trees/tensorflow "$workspace"
chmod -R u+w "$workspace"

# --- the externals -----------------------------------------------------------------------------------------------
# Bazel's repository cache identifies files by content; by name it could not, since several files have the same name.
cache=/kiln/build/repository-cache/content_addressable/sha256
for file in /kiln/files/*; do
    case $file in
        *.whl | */bazel-0.26.1-linux-x86_64) continue ;;
    esac
    sha256=$(sha256sum "$file" | cut -d' ' -f1)
    mkdir -p "$cache/$sha256"
    ln -sf "$file" "$cache/$sha256/file"
done

# --- Kiln's own options for Bazel --------------------------------------------------------------------------------
# As many compilers as fit into the memory beside Bazel.
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
    if [ -n "${KILN_REMOTE_EXECUTOR:-}" ]; then
        # Other machines run the actions, and keep what they have done; those that cannot run there run here. Bazel has no
        # cache of its own beside that.
        echo "build --remote_executor=127.0.0.1:$executor_port --remote_instance_name=${KILN_REMOTE_INSTANCE:-}"
        echo "build --spawn_strategy=remote --genrule_strategy=remote --strategy=Genrule=remote --jobs=$remote_jobs"
        echo "build --remote_local_fallback --remote_upload_local_results=false --remote_timeout=600"
        echo "build --remote_default_platform_properties='properties:{name:\"toolchain\" value:\"$KILN_REMOTE_TOOLCHAIN\"}'"
    else
        # Finished actions are kept after the build: an interrupted build goes on from here.
        echo "build --disk_cache=$disk_cache/$tools"
        # A cache that machines share answers at this socket, for each set of tools in a folder of its own.
        if [ -n "${KILN_SHARED_CACHE:-}" ]; then
            echo "build --remote_http_cache=http://kiln/$tools --remote_proxy=unix:$KILN_SHARED_CACHE --remote_timeout=600"
        fi
    fi
    # Without "curses" Bazel reports its progress less and less often, after an hour every ten minutes.
    echo "build --color=no --curses=yes --show_progress_rate_limit=5 --noshow_loading_progress --verbose_failures"
    # Actions have these variables and no others.
    echo "build --action_env=PATH=$PATH"
    echo "build --action_env=PYTHONHASHSEED=0"
    echo "build --action_env=GIT_TAG_OVERRIDE=v$KILN_VERSION"
    if [ -n "${KILN_CUDA:-}" ]; then
        # Bazel keeps finished actions itself, so nvcc needs no cache of its own.
        echo "build --action_env=CCACHE_DISABLE=1"
        # The generators of the API import the new libraries, which link to NCCL.
        echo "build --action_env=LD_LIBRARY_PATH=/kiln/build/cuda/lib64"
    else
        echo "build --config=nonccl"
    fi
    if [ -n "${KILN_GLIBC:-}" ]; then
        # Bazel does not read what is in this folder. Its content is in its name, so that finished links are not reused for
        # another.
        content=$(cat "$glibc_folder"/* | sha256sum | cut -c1-16)
        ln -sfn "$glibc_folder" "$glibc_folder-$content"
        for option in ${KILN_GLIBC_FLAGS/"$glibc_folder"/"$glibc_folder-$content"}; do
            echo "build --linkopt=$option --host_linkopt=$option"
        done
    fi
    for part in aws gcp hdfs ignite kafka; do
        option=KILN_OPT_${part^^}
        if ! ((${!option})); then echo "build --config=no$part"; fi
    done
    if ! ((KILN_OPT_SEED_FLAGS)); then
        # Each file is compiled once. By default Bazel compiles it for its own tools, for Python 2 and for Python 3,
        # each with and without -fPIC. The interpreter is PYTHON_BIN_PATH in spite of "PY2".
        echo "build --distinct_host_configuration=false --force_pic"
        echo "build --python_version=PY2 --incompatible_py3_is_default=false"
        echo "build --incompatible_py2_outputs_are_suffixed=false"
    fi
} > "$rc"
for file in ${KILN_OTHER_ARCHIVES:-}; do
    # The compiler and the CUDA toolkit are for earlier steps, not for Bazel.
    case $file in gcc-* | cuda_* | cudnn-* | nvidia_* | *.deb) continue ;; esac
    "$python" /kiln/scripts/accept.py "$workspace" "$rc" "/kiln/files/$file"
done

# --- ./configure ---------------------------------------------------------------------------------------------------
export PYTHON_BIN_PATH=$python
# TensorFlow only looks whether this folder is there, and Bazel makes it part of every action: a folder with the version in
# its name would have everything compiled again for each Python.
export PYTHON_LIB_PATH=$KILN_VENV/lib
export TF_ENABLE_XLA=$KILN_OPT_XLA TF_NEED_CUDA=0 TF_NEED_TENSORRT=0 TF_NEED_ROCM=0 TF_NEED_OPENCL_SYCL=0 TF_NEED_MPI=0
export TF_DOWNLOAD_CLANG=0 TF_SET_ANDROID_WORKSPACE=0 TF_CONFIGURE_IOS=0
if [ -n "${KILN_CUDA:-}" ]; then
    case $KILN_OPT_CUDA_LIBS in
        system) ;;
        pypi)
            [ -e /kiln/build/cuda/provides.txt ] ||
                fail "NVIDIA has no Python packages with CUDA $KILN_CUDA: give --cuda-libs system"
            ;;
        *) fail "--cuda-libs '$KILN_OPT_CUDA_LIBS' is neither pypi nor system: TensorFlow opens CUDA's libraries by name and does not find them inside a wheel" ;;
    esac
    toolkit=/kiln/build/cuda
    # A library's major version, from its header. Nothing for a library that is not in the toolkit: that one is then built
    # from the source that TensorFlow pins.
    major() { { cat "$toolkit/include"/$1 2> /dev/null || true; } | awk -v name="$2" '$2 == name { print $3; exit }'; }
    TF_CUDNN_VERSION=$(major 'cudnn*.h' CUDNN_MAJOR)
    TF_NCCL_VERSION=$(major nccl.h NCCL_MAJOR)
    export TF_CUDNN_VERSION TF_NCCL_VERSION
    export TF_NEED_CUDA=1 TF_CUDA_CLANG=0 TF_CUDA_VERSION=$KILN_CUDA TF_CUDA_PATHS=$toolkit
    export TF_CUDA_COMPUTE_CAPABILITIES=${KILN_CUDA_ARCH// /,} GCC_HOST_COMPILER_PATH=$CC
fi
# What --config=opt adds. The processor's flags are part of the command; an empty value would mean -march=native.
export CC_OPT_FLAGS=-Wno-sign-compare
(cd "$workspace" && ./configure < /dev/null)

echo "--- .tf_configure.bazelrc"
cat "$workspace/.tf_configure.bazelrc"
echo "--- kiln.bazelrc"
cat "$rc"
if grep -n 'march=native' "$workspace/.tf_configure.bazelrc" "$rc"; then
    fail "the flags above are for the processor of this machine: remove them from the answers to ./configure"
fi
