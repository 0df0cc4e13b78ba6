#!/bin/bash
# Runs OpenCV's cmake with every choice made here and all inputs in place: it searches nothing on the machine, and downloads
# nothing.
set -euo pipefail
source_tree=/kiln/trees/opencv
contrib_tree=/kiln/trees/opencv_contrib
build=/kiln/build/cmake
downloads=/kiln/build/downloads
mkdir -p "$build" "$downloads"

fail() {
    echo "kiln-error: $*" >&2
    exit 1
}
on_off() { if [ "$1" = 1 ]; then echo ON; else echo OFF; fi; }
cuda=${KILN_CUDA:-}

# --- modules -------------------------------------------------------------------------------------------------
# The lock has the modules of these trees, without those that need a toolkit which a wheel must not depend on; the plan
# has chosen among them.
case $KILN_OPT_MODULES in
    full) wanted=" $KILN_PARTS_MODULES" ;;
    headless) wanted=" ${KILN_PARTS_MODULES/highgui /}" ;;
    *) wanted=" ${KILN_OPT_MODULES//,/ }" ;;
esac
has() { case "$wanted " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# --- processor features ---------------------------------------------------------------------------------------
# What every machine that runs the wheel must have. Code for more, up to AVX-512 (Skylake-X), is chosen at run time.
baseline=""
for feature in ${KILN_CPU_FEATURES//,/ }; do
    case $feature in
        baseline) baseline+=";SSE2" ;;
        sse3) baseline+=";SSE3" ;;
        ssse3) baseline+=";SSSE3" ;;
        sse4.1) baseline+=";SSE4_1" ;;
        popcnt) baseline+=";POPCNT" ;;
        sse4.2) baseline+=";SSE4_2" ;;
        avx) baseline+=";AVX" ;;
        f16c) baseline+=";FP16" ;;
        avx2) baseline+=";AVX2" ;;
        fma) baseline+=";FMA3" ;;
        avx512f) baseline+=";AVX_512F" ;;
        *) fail "OpenCV has no build setting for the processor feature '$feature': leave it out of --cpu-features" ;;
    esac
done

# --- libraries --------------------------------------------------------------------------------------------------
bundled=$(on_off "$([ "$KILN_OPT_CODECS" = bundled ] && echo 1)")
tbb=$(on_off "$([ "$KILN_OPT_THREADS" = tbb ] && echo 1)")
libraries=(-DWITH_IPP=OFF)
if ((KILN_OPT_IPP)); then
    # Intel's own static libraries, a newer release of what OpenCV would download.
    ipp=/kiln/build/ipp
    mkdir -p "$ipp/lib/intel64" "$ipp/wheels"
    (
        cd "$ipp/wheels"
        for wheel in /kiln/files/ipp_*.whl; do cmake -E tar xf "$wheel"; done
        mv ipp_static-*.data/data/lib/libipp*.a "$ipp/lib/intel64/"
        mv ipp_include-*.data/data/include "$ipp/include"
    )
    libraries=(-DWITH_IPP=ON "-DIPPROOT=$ipp" "-DIPPIWROOT=$ipp" -DBUILD_IPP_IW=OFF)
fi
if ((KILN_OPT_CONTRIB)); then
    # The face module downloads a model that only its tests read, unless its hash is in the cache, as here.
    libraries+=("-DOPENCV_EXTRA_MODULES_PATH=$contrib_tree/modules"
        -DOCV_DOWNLOAD_DATA_HASH_share_opencv4_testdata_cv_face_face_landmark_model_dat=7505c44ca4eb54b4ab1e4777cb96ac05)
fi
if [ "$KILN_OPT_GUI" = gtk ]; then
    # What GTK would have the module take from the system's zlib is in its own.
    mkdir -p /kiln/build/pkgconfig
    sed 's/ -lz\b//' /usr/lib/x86_64-linux-gnu/pkgconfig/gdk-3.0.pc > /kiln/build/pkgconfig/gdk-3.0.pc
    export PKG_CONFIG_PATH=/kiln/build/pkgconfig
fi

ffmpeg=0
if has videoio && ((KILN_OPT_FFMPEG)); then
    ffmpeg=1
    libraries+=(-DOPENCV_FFMPEG_USE_FIND_PACKAGE=FFMPEG -DFFMPEG_DIR=/kiln/scripts)
fi

if [ -n "$cuda" ]; then
    toolkit=/kiln/build/cuda
    compiler=/usr/bin/$KILN_HOST_COMPILER
    if [ "$KILN_OPT_CUDA_LIBS" = bundled ] && has dnn && ((KILN_OPT_CUDNN)); then
        fail "cuDNN loads its parts at run time and cannot be inside a wheel: give --no-cudnn, or another --cuda-libs"
    fi
    # nvcc's front end reads a file once for each architecture. From 6.0 on, OpenCV's code is the same for all minor
    # versions: the first of a major version is the source of the machine code for the others, written BIN(PTX).
    first= capabilities=()
    for capability in $KILN_CUDA_ARCH; do
        if ((${capability%.*} < 6)) || [ "${capability%.*}" != "${first%.*}" ]; then first=$capability; fi
        capabilities+=("$capability($first)")
    done
    # One compiler for everything: the objects that it makes for nvcc are linked with the others.
    libraries+=("-DOPENCV_EXTRA_MODULES_PATH=$contrib_tree/modules"
        "-DCMAKE_C_COMPILER=${compiler/g++/gcc}" "-DCMAKE_CXX_COMPILER=$compiler"
        -DWITH_CUDA=ON "-DCUDA_TOOLKIT_ROOT_DIR=$toolkit"
        "-DCUDA_HOST_COMPILER=$compiler" -DCUDA_USE_STATIC_CUDA_RUNTIME=OFF
        "-DCUDA_ARCH_BIN=${capabilities[*]}" "-DCUDA_ARCH_PTX=$KILN_CUDA_PTX"
        # Thrust warns in every file that its next release does not support C++11.
        -DCUDA_NVCC_FLAGS=-DTHRUST_IGNORE_DEPRECATED_CPP_DIALECT
        -DWITH_CUBLAS=ON -DWITH_CUFFT=ON -DWITH_NVCUVID=OFF
        "-DWITH_CUDNN=$(on_off "$KILN_OPT_CUDNN")"
        "-DOPENCV_DNN_CUDA=$(has dnn && on_off "$KILN_OPT_CUDNN" || echo OFF)")
fi

# --- OpenCV's download cache, filled from the pinned sources ------------------------------------------------------
# OpenCV downloads only what is not there as <id>/<md5>-<name>.
cached() { # id, file under /kiln/files, OpenCV's name for it
    [ -e "/kiln/files/$2" ] || return 0
    local md5
    md5=$(md5sum "/kiln/files/$2" | cut -d' ' -f1)
    mkdir -p "$downloads/$1"
    cp "/kiln/files/$2" "$downloads/$1/$md5-${3:-$2}"
}
for file in /kiln/files/boostdesc_*.i; do cached xfeatures2d/boostdesc "${file##*/}"; done
for file in /kiln/files/vgg_generated_*.i; do cached xfeatures2d/vgg "${file##*/}"; done
for file in /kiln/files/nvidia-optical-flow-*.zip; do
    cached nvidia_optical_flow "${file##*/}" "${file##*/nvidia-optical-flow-}"
done
for file in /kiln/files/tbb-*.tar.gz; do cached tbb "${file##*/}" "v${file##*/tbb-}"; done

# --- the interpreter ------------------------------------------------------------------------------------------------
python=$KILN_VENV/bin/python
about() { "$python" -c "import sysconfig; print(sysconfig.$1)"; }

arguments=(
    -S "$source_tree" -B "$build" -G Ninja
    -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_INSTALL_PREFIX=/kiln/build/install
    -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
    -DCMAKE_SKIP_RPATH=ON
    -DCMAKE_PROJECT_OpenCV_INCLUDE=/kiln/scripts/host.cmake
    -DBUILD_INFO_SKIP_TIMESTAMP=ON
    -DENABLE_CONFIG_VERIFICATION=ON
    -DENABLE_PRECOMPILED_HEADERS=OFF
    -DOPENCV_DOWNLOAD_PATH="$downloads"
    -DBUILD_LIST="$(tr -s ' ' , <<<"${wanted# }"),python3"
    -DCPU_BASELINE="${baseline#;}"
    -DCPU_DISPATCH="SSE4_1;SSE4_2;AVX;FP16;AVX2;AVX512_SKX"
    -DBUILD_SHARED_LIBS=OFF
    -DBUILD_TESTS=OFF -DBUILD_PERF_TESTS=OFF -DBUILD_EXAMPLES=OFF -DBUILD_DOCS=OFF -DBUILD_JAVA=OFF
    -DBUILD_opencv_apps=OFF -DBUILD_opencv_gapi=OFF -DWITH_ADE=OFF -DBUILD_opencv_python2=OFF -DBUILD_opencv_python_tests=OFF
    -DPYTHON3_EXECUTABLE="$python"
    -DPYTHON3_INCLUDE_DIR="$(about "get_path('include')")"
    -DPYTHON3_LIBRARY="$(about "get_config_var('LIBDIR') + '/' + sysconfig.get_config_var('LDLIBRARY')")"
    -DPYTHON3_NUMPY_INCLUDE_DIRS="$("$python" -c 'import numpy; print(numpy.get_include())')"
    -DPYTHON3_CVPY_SUFFIX="$(about "get_config_var('EXT_SUFFIX')")"
    -DPYTHON_DEFAULT_EXECUTABLE=/usr/bin/python3
    -DOPENCV_SKIP_PYTHON_LOADER=ON -DOPENCV_PYTHON3_INSTALL_PATH=python
    -DBUILD_ZLIB=$bundled -DBUILD_PNG=$bundled -DBUILD_JPEG=$bundled -DBUILD_TIFF=$bundled
    -DBUILD_WEBP=$bundled -DBUILD_OPENEXR=$bundled -DBUILD_JASPER=ON -DWITH_OPENJPEG=OFF
    -DWITH_TBB=$tbb -DBUILD_TBB=$tbb
    -DWITH_V4L="$(has videoio && echo ON || echo OFF)" -DWITH_FFMPEG="$(on_off "$ffmpeg")" -DWITH_GSTREAMER="$(on_off "$KILN_OPT_GSTREAMER")" -DWITH_1394=OFF
    -DWITH_GTK="$([ "$KILN_OPT_GUI" = gtk ] && echo ON || echo OFF)"
    -DWITH_QT="$([ "$KILN_OPT_GUI" = qt ] && echo ON || echo OFF)" -DWITH_VTK=OFF
    -DWITH_EIGEN=OFF -DWITH_LAPACK=OFF -DWITH_OPENCLAMDFFT=OFF -DWITH_OPENCLAMDBLAS=OFF
    -DWITH_PROTOBUF="$(has dnn && echo ON || echo OFF)" -DWITH_QUIRC="$(has objdetect && echo ON || echo OFF)"
    "${libraries[@]}"
)

# --- what is linked with ------------------------------------------------------------------------------------------------
linking=""
if [ -n "${KILN_GLIBC:-}" ]; then
    source /kiln/glibc/flags.sh
    linking=$KILN_GLIBC_FLAGS
    for kind in EXE SHARED; do arguments+=("-DCMAKE_${kind}_LINKER_FLAGS=$linking"); done
fi
# The module needs only the libraries that it calls: not all of NPP for two functions, nor all of GTK's.
if [ -n "$cuda" ] || [ "$KILN_OPT_GUI" = gtk ] || ((KILN_OPT_GSTREAMER)); then linking+=" -Wl,--as-needed"; fi
if [ -n "$linking" ]; then arguments+=("-DCMAKE_MODULE_LINKER_FLAGS=$linking"); fi

# --- the flags that the compiler knows ------------------------------------------------------------------------------
# OpenCV tries 170 flags, each with a run of the compiler. The results are kept beside ccache's objects, for the same
# packages, arguments and cmake files.
fingerprint=$({
    dpkg-query --show
    printf '%s\n' "${arguments[@]}"
    find "$source_tree/CMakeLists.txt" "$source_tree/cmake" -type f -exec sha256sum {} + | sort
} | sha256sum | cut -d' ' -f1)
flags=$CCACHE_DIR/configure/$fingerprint.cmake
mkdir -p "${flags%/*}"
if [ -e "$flags" ]; then arguments+=(-C "$flags"); fi

cmake "${arguments[@]}" 2>&1 | tee /kiln/build/configure.log

sed -n 's/^\(HAVE_\(C\|CXX\|CPU\)_[A-Za-z0-9_]*\):INTERNAL=\(.*\)/set(\1 "\3" CACHE INTERNAL "")/p' "$build/CMakeCache.txt" > "$flags.$$"
mv "$flags.$$" "$flags"

# Every file includes this header, and highgui alone asks for the toolkit, which its patch says: so the compile cache has the
# objects of a build without windows for all other modules.
sed -i -E 's,^#define (HAVE_QT|HAVE_GTK|HAVE_GTHREAD)$,/* #undef \1 */,' "$build/cvconfig.h"

# For OpenCV a failed download is only a warning: it goes on and builds something else.
log=$build/CMakeDownloadLog.txt
if grep '^#cmake_download' "$log" >&2; then
    fail "OpenCV's configure tried to download the files above: pin them in sources.lock.yaml," \
         "or turn off what needs them"
fi
echo "no download was attempted: $(grep -c '^#do_' "$log" || true) file(s) needed, all of them pinned sources"

# A module whose dependencies are missing is left out without an error, too.
built=$(sed -n 's/^-- *To be built: *//p' /kiln/build/configure.log)
for module in $wanted python3; do
    case " $built " in
        *" $module "*) ;;
        *) fail "OpenCV's configure left out the module '$module': see 'Disabled' and 'Unavailable' above" ;;
    esac
done
