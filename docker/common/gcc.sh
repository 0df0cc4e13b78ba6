#!/bin/bash
# A gcc that the base has no package of, from its pinned source into /kiln/build/gcc: nvcc takes no newer one.
set -euo pipefail
prefix=/kiln/build/gcc
source=/kiln/build/gcc-source
objects=/kiln/build/gcc-objects
mkdir -p "$HOME" "${TMPDIR:-/tmp}"

archive=$(echo /kiln/files/gcc-*.tar.*)
version=${archive##*/gcc-}
version=${version%%.tar*}
major=${version%%.*}
if [ -x "$prefix/bin/g++-$major" ]; then
    echo "gcc $version is there from an earlier run"
    exit
fi
rm -rf "$prefix" "$source" "$objects"
mkdir -p "$source" "$objects"
tar --extract --file "$archive" --directory "$source" --strip-components 1
cd "$objects"
# Its own sources are C++ of 1998, which newer compilers do not take by themselves. Not built are its sanitizers, which
# know the kernel and C library of their time only, and libraries that nothing here is linked with.
CC="ccache gcc-9" CXX="ccache g++-9 -std=gnu++98" "$source/configure" --quiet --prefix="$prefix" \
    --program-suffix="-$major" --enable-languages=c,c++ --enable-checking=release --with-system-zlib \
    --disable-bootstrap --disable-multilib --disable-nls --disable-werror \
    --disable-libsanitizer --disable-libmpx --disable-libcilkrts --disable-libvtv --disable-libitm --disable-libssp
make --silent --jobs "$KILN_JOBS" MAKEINFO=true > make.log 2>&1 || {
    tail -n 40 make.log
    echo "kiln-error: gcc $version does not compile: see above" >&2
    exit 1
}
make --silent install-strip DESTDIR="$objects/installed" MAKEINFO=true > install.log 2>&1 || {
    tail -n 20 install.log
    echo "kiln-error: gcc $version cannot be installed: see above" >&2
    exit 1
}
mv "$objects/installed$prefix" "$prefix"
rm -rf "$source" "$objects"
"$prefix/bin/g++-$major" --version | sed -n 1p
