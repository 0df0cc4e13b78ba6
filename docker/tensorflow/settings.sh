# What all steps of the build share: folders, the compiler, and the flags that follow from the options. To be sourced.
workspace=/kiln/build/tensorflow
rc=/kiln/build/kiln.bazelrc
disk_cache=/kiln/ccache/bazel
python=$KILN_VENV/bin/python
target=//tensorflow/tools/pip_package:build_pip_package

# Where Bazel calls the engine that runs its actions, if there is one, and how many it asks for at once.
executor_port=8980
remote_jobs=64

# In MiB: the memory of one compiler among several (a single file may take twice that), the largest memory of Bazel, and
# the disk space of the build.
COMPILER_MEMORY=1700
BAZEL_MEMORY=2500
DISK_NEEDED=12000

fail() {
    echo "kiln-error: $*" >&2
    exit 1
}

# Python programs that Bazel builds look for their interpreter in PATH.
export PATH=/kiln/build/bin:$KILN_VENV/bin:/usr/bin:/bin
# Bazel needs a user name, and this user has no entry in /etc/passwd.
export USER=kiln

# The versions of NVIDIA's line contain its release: 1.15.5+nv22.12.
case $KILN_VERSION in *+nv*) export RELEASE_VERSION=${KILN_VERSION#*+nv} ;; esac

case $KILN_OPT_COMPILER in
    gcc-12) compilers=/usr/bin ;;
    *) compilers=/kiln/build/gcc/bin ;;      # from the step `gcc`, if the recipe has it
esac
export CC=$compilers/$KILN_OPT_COMPILER CXX=$compilers/${KILN_OPT_COMPILER/gcc/g++}

KILN_GLIBC_FLAGS=""
if [ -n "${KILN_GLIBC:-}" ]; then source /kiln/glibc/flags.sh; fi

# The flags for the processor, sorted: "avx,avx2,fma,sse4.2" is -mavx -mavx2 -mfma -mfpmath=both -msse4.2
cpu_flags() {
    {
        if [ "$KILN_CPU_FEATURES" != baseline ]; then tr , '\n' <<<"$KILN_CPU_FEATURES" | sed 's/^/-m/'; fi
        if [ "$KILN_OPT_FPMATH" != sse ]; then echo "-mfpmath=$KILN_OPT_FPMATH"; fi
    } | LC_ALL=C sort
}

# A digest of the programs that Bazel's actions run: those of the image, and the compilers of earlier steps. Bazel does not
# read them, and would reuse the results of another compiler at the same path.
tools() {
    {
        dpkg-query --show && cat "$("$CC" -print-prog-name=cc1plus)" &&
            if [ -n "${KILN_CUDA:-}" ]; then cat /kiln/build/cuda/kept/nvcc; fi
    } | sha256sum | cut -c1-16
}

# The C++ ABI is part of every object: that of the published wheels is the old one.
cxx_abi=$([ "${KILN_OPT_CXX_ABI:-new}" = old ] && echo 0 || echo 1)

# The command as a user would type it; Kiln's own options are in $rc.
build_command() {
    echo build -c opt --config=v1
    cpu_flags | sed 's/^/--copt=/'
    echo --config=opt
    if ((! cxx_abi)); then echo --cxxopt=-D_GLIBCXX_USE_CXX11_ABI=0 --host_cxxopt=-D_GLIBCXX_USE_CXX11_ABI=0; fi
    if [ -n "${KILN_CUDA:-}" ]; then echo --config=cuda; fi
    if ((${KILN_OPT_MKL:-0})); then echo --config=mkl; fi
    echo "$target"
}

# Runs Bazel without a server, which would be killed with its container.
bazel_here() {
    if [ -n "${KILN_REMOTE_EXECUTOR:-}" ] && [ -z "${forwarder:-}" ]; then
        python3 /kiln/scripts/forward.py "$KILN_REMOTE_EXECUTOR" "$executor_port" &
        forwarder=$!
        trap 'kill "$forwarder"' EXIT
    fi
    (cd "$workspace" && bazel --batch --nohome_rc --nosystem_rc --bazelrc="$rc" --output_base=/kiln/build/bazel \
        --host_jvm_args=-Xmx${BAZEL_MEMORY}m "$@")
}
