#!/bin/bash
# Compiles gcc from its pinned source into /kiln/build/gcc, with the base's own gcc, for a version that the base has no
# package of.
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
    echo "gcc $version was compiled by an earlier run"
    exit
fi
rm -rf "$prefix" "$source" "$objects"
mkdir -p "$source" "$objects"
tar --extract --file "$archive" --directory "$source" --strip-components 1
cd "$objects"
export CCACHE_COMPILERCHECK=content
# Its sources are C++98, which newer compilers have to be asked for. Left out are its sanitizers, which do not compile
# against a newer kernel and C library, and libraries that nothing here links to.
CC="ccache gcc" CXX="ccache g++ -std=gnu++98" "$source/configure" --quiet --prefix="$prefix" \
    --program-suffix="-$major" --enable-languages=c,c++ --enable-checking=release --with-system-zlib \
    --disable-bootstrap --disable-multilib --disable-nls --disable-werror \
    --disable-libsanitizer --disable-libmpx --disable-libcilkrts --disable-libvtv --disable-libitm --disable-libssp
make --silent --jobs "$KILN_JOBS" MAKEINFO=true > make.log 2>&1 || {
    tail -n 40 make.log
    echo "kiln-error: gcc $version does not compile: read the output above" >&2
    exit 1
}
make --silent install-strip DESTDIR="$objects/installed" MAKEINFO=true > install.log 2>&1 || {
    tail -n 20 install.log
    echo "kiln-error: gcc $version cannot be installed: read the output above" >&2
    exit 1
}
mv "$objects/installed$prefix" "$prefix"
rm -rf "$source" "$objects"
"$prefix/bin/g++-$major" --version | sed -n 1p
