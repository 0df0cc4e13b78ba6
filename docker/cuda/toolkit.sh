#!/bin/bash
# Puts the CUDA toolkit together at /kiln/build/cuda from its pinned files: the compiler and its tools, without a driver.
set -euo pipefail
toolkit=/kiln/build/cuda
parts=/kiln/build/cuda-parts
rm -rf "$toolkit" "$parts"
mkdir -p "$HOME" "${TMPDIR:-/tmp}" "$parts" "$toolkit"/{bin,compiler,include,lib64,nvvm,licences}
shopt -s nullglob
# The base's package, or the compiler that the step `gcc` has built.
host=$(PATH=/kiln/build/gcc/bin:$PATH command -v "$KILN_HOST_COMPILER") || {
    echo "kiln-error: $KILN_HOST_COMPILER, the compiler that nvcc $KILN_CUDA_RELEASE requires, is not in the toolchain: give another --compiler" >&2
    exit 1
}

merge() { # copy the content of a folder into a folder of the toolkit
    if [ -d "$1" ]; then cp -r --no-preserve=mode,ownership --no-dereference "$1/." "$toolkit/$2/"; fi
}

for file in /kiln/files/cuda_*_linux*; do
    # NVIDIA's installer is an archive that unpacks itself. Here it does only that: the driver, the samples and the
    # graphical tools are left in it.
    mkdir "$parts/run"
    (cd "$parts/run" && sh "$file" --keep --noexec > /dev/null)
    trees=("$parts"/run/pkg/builds/{cuda-toolkit,cublas})
    if [ ! -d "${trees[0]}" ]; then
        # Up to 10.0 it contains the toolkit as another such archive, with a script that installs it.
        (cd "$parts/run/pkg/run_files" && sh cuda-linux*.run --keep --noexec > /dev/null)
        (cd "$parts/run/pkg/run_files/pkg" && PERL5LIB=. perl install-linux.pl --prefix="$parts/toolkit" > /dev/null)
        trees=("$parts/toolkit")
    fi
    for tree in "${trees[@]}"; do
        merge "$tree/bin" compiler
        for part in include lib64 nvvm; do merge "$tree/$part" "$part"; done
        for part in include lib64; do merge "$tree/extras/CUPTI/$part" "$part"; done
    done
    cp "$(find "$parts" -name EULA.txt -print -quit)" "$toolkit/licences/CUDA-EULA.txt"
    ln -sf ../nvvm/bin/cicc "$toolkit/compiler/cicc"
    rm -rf "$parts/run" "$parts/toolkit"
done
for file in /kiln/files/cudnn-*.tgz; do
    mkdir -p "$parts/cudnn"
    tar --extract --file "$file" --directory "$parts/cudnn" --strip-components 1
    for part in include lib64; do merge "$parts/cudnn/$part" "$part"; done
    cp "$parts"/cudnn/*SLA*.txt "$toolkit/licences/"
done
for file in /kiln/files/*.deb; do
    # Those of another step.
    case $file in */ffmpeg-*) continue ;; esac
    dpkg-deb --extract "$file" "$parts/deb"
done
merge "$parts/deb/usr/bin" compiler
merge "$parts/deb/usr/lib/nvidia-cuda-toolkit/bin" compiler
merge "$parts/deb/usr/lib/nvidia-cuda-toolkit/libdevice" nvvm/libdevice
merge "$parts/deb/usr/include" include
merge "$parts/deb/usr/lib/x86_64-linux-gnu" lib64

# NVIDIA's Python packages. provides.txt lists each library with its package and its folder below site-packages.
for wheel in /kiln/files/nvidia_*.whl; do
    name=${wheel##*/}
    project=${name%%-*}
    version=${name#*-}
    python3 -m zipfile --extract "$wheel" "$parts/wheels"
    cp "$parts/wheels/$project-${version%%-*}.dist-info/License.txt" "$toolkit/licences/$project-LICENSE.txt"
    for folder in $(python3 -m zipfile --list "$wheel" | sed -n 's|^\(nvidia/[^/]*\)/.*|\1|p' | sort -u); do
        merge "$parts/wheels/$folder/bin" compiler
        for part in include nvvm; do merge "$parts/wheels/$folder/$part" "$part"; done
        for library in "$parts/wheels/$folder/lib"/*.so*; do
            soname=${library##*/}
            mv "$library" "$toolkit/lib64/"
            # The linker looks for a name without a version.
            ln -sf "$soname" "$toolkit/lib64/${soname%%.so*}.so"
            echo "$soname $folder/lib ${project//_/-} ${version%%-*}" >> "$toolkit/provides.txt"
        done
    done
done
rm -rf "$parts"

# Without a driver, programs are linked to a stub library: the names of the driver's functions, each of which returns
# CUDA_ERROR_STUB_LIBRARY. NVIDIA's installers contain one; its Python packages do not.
if [ ! -e "$toolkit/lib64/stubs/libcuda.so" ]; then
    mkdir -p "$toolkit/lib64/stubs"
    { grep -ohE '\<cu[A-Z][A-Za-z0-9_]*' "$toolkit/include/cuda.h" || true; } | LC_ALL=C sort -u |
        sed 's/.*/int &(void) { return 34; }/' > "$TMPDIR/stub.c"
    "${host/g++/gcc}" -shared -fPIC -Wl,-soname,libcuda.so.1 \
        -o "$toolkit/lib64/stubs/libcuda.so" "$TMPDIR/stub.c"
fi
# The Python packages have no static run time library: who asks for it gets the shared one.
if [ ! -e "$toolkit/lib64/libcudart_static.a" ]; then
    echo "INPUT($(echo "$toolkit"/lib64/libcudart.so.*))" > "$toolkit/lib64/libcudart_static.a"
fi
# Debian's profile points to Debian's folders.
rm -f "$toolkit/compiler/nvcc.profile"
chmod 0755 "$toolkit"/compiler/* "$toolkit"/nvvm/bin/*
cat > "$toolkit/compiler/nvcc.profile" <<'PROFILE'
TOP              = $(_HERE_)/..
NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice
CICC_PATH        = $(_HERE_)
PATH            += $(TOP)/nvvm/bin:$(_HERE_):
INCLUDES        +=  "-I$(TOP)/include" $(_SPACE_)
LIBRARIES        =+ $(_SPACE_) "-L$(TOP)/lib64" $(_SPACE_)
PROFILE

# nvcc names its intermediate files after its process id, and the names get into the object. In a folder that is named
# after the object they are the same in every build. ccache identifies a compiler by its content, here by this wrapper's.
# Most of a module is machine code; compressed it takes a sixth of the space, and the driver unpacks what it loads.
# Build systems use bin/nvcc of the toolkit, whatever else they are configured with.
mkdir "$toolkit/kept"
identity=$(cat "$toolkit"/compiler/{nvcc,cicc,ptxas,fatbinary,cudafe++} | sha256sum | cut -d' ' -f1)
cat > "$toolkit/kept/nvcc" <<WRAPPER
#!/bin/bash
# $identity
for ((i = 1; i < \$#; i++)); do
    if [ "\${!i}" = -o ]; then next=\$((i + 1)); kept=\${!next}.kept; fi
done
mkdir -p "\$kept"
$toolkit/compiler/nvcc --keep --keep-dir "\$kept" -Xfatbin=-compress-all "\$@"
status=\$?
rm -rf "\$kept"
exit \$status
WRAPPER
for program in "$toolkit"/compiler/*; do ln -s "../compiler/${program##*/}" "$toolkit/bin/"; done
rm "$toolkit/bin/nvcc"
# Only a compilation goes through ccache, which needs the list of the files that it read.
cat > "$toolkit/bin/nvcc" <<WRAPPER
#!/bin/bash
compile=0 object=""
for ((i = 1; i <= \$#; i++)); do
    case \${!i} in
        -c) compile=1 ;;
        -o) next=\$((i + 1)); object=\${!next} ;;
    esac
done
if ((compile)) && [ -n "\$object" ]; then
    export CCACHE_COMPILERCHECK=content CCACHE_DEPEND=1
    exec ccache $toolkit/kept/nvcc "\$@" -MD -MF "\$object.d"
fi
exec $toolkit/compiler/nvcc "\$@"
WRAPPER
chmod 0755 "$toolkit/kept/nvcc" "$toolkit/bin/nvcc"

"$toolkit/bin/nvcc" --version | tail -n 2
du -sh "$toolkit" | cut -f1
printf '%s\n' '#include <cstdio>' '__global__ void f(float *x) { x[threadIdx.x] *= 2; }' \
    'int main() { f<<<1, 1>>>(nullptr); return cudaGetLastError() == cudaSuccess; }' > "$TMPDIR/probe.cu"
for arch in $KILN_CUDA_ARCH; do codes+=(-gencode "arch=compute_${arch/./},code=sm_${arch/./}"); done
"$toolkit/bin/nvcc" -ccbin "$host" "${codes[@]}" -c -o "$TMPDIR/probe.o" "$TMPDIR/probe.cu" || {
    echo "kiln-error: nvcc $KILN_CUDA_RELEASE does not compile with $KILN_HOST_COMPILER: read the output above" >&2
    exit 1
}
echo "a kernel compiles with $KILN_HOST_COMPILER for $KILN_CUDA_ARCH"
