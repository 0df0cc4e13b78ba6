#!/bin/bash
# Compiles FFmpeg's libraries into /kiln/build/ffmpeg, for the module videoio: shared, under the LGPL, with nothing in them
# that the base happens to have. The result is kept beside ccache's objects: it changes with no option of OpenCV.
set -euo pipefail
# The folders and programs of this script are in no option of configure: FFmpeg's libraries carry these options.
target=/kiln/build/ffmpeg
work=/kiln/build/ffmpeg-work
source=/kiln/trees/ffmpeg
mkdir -p "$HOME" "$TMPDIR" "$CCACHE_DIR/ffmpeg"
rm -rf "$target" "$work"

options=(
    --disable-gpl --disable-nonfree
    # For OpenSSL 3, whose licence does not go with version 2.1 of the LGPL alone.
    --enable-version3
    --enable-shared --disable-static --disable-debug --disable-doc --disable-programs
    # OpenCV calls none of these.
    --disable-avdevice --disable-avfilter --disable-postproc
    --disable-autodetect --enable-pthreads --enable-zlib --enable-bzlib --enable-lzma --enable-openssl --enable-libvpx
)
flags=""
if [ -n "${KILN_GLIBC:-}" ]; then
    source /kiln/glibc/flags.sh
    flags=$KILN_GLIBC_FLAGS
fi

fingerprint=$({
    dpkg-query --show
    sha256sum "$0" /kiln/files/ffmpeg-*.deb
    cd /kiln/trees && find ffmpeg -type f -exec sha256sum {} + | LC_ALL=C sort
    if [ -n "${KILN_GLIBC:-}" ]; then
        echo "$KILN_GLIBC"
        cd /kiln/glibc && sha256sum ./*
    fi
} | sha256sum | cut -d' ' -f1)
kept=$CCACHE_DIR/ffmpeg/$fingerprint.tar
if [ -e "$kept" ]; then
    tar --extract --file "$kept" --directory /kiln/build
    echo "FFmpeg was compiled by an earlier run"
    exit
fi

mkdir -p "$work"/{parts,bin,static,objects}
for file in /kiln/files/ffmpeg-*.deb; do dpkg-deb --extract "$file" "$work/parts"; done
ln -s "$work/parts/usr/bin/nasm" "$work/bin/"
for compiler in gcc g++; do ln -s /usr/bin/ccache "$work/bin/$compiler"; done
# Out of a folder without shared libraries the linker takes the static ones. That of bzip2 cannot be in a shared library:
# the wheel gets a copy of its shared one, which needs nothing newer than glibc 2.4.
libraries=/usr/lib/x86_64-linux-gnu
for name in ssl crypto z lzma; do ln -s "$libraries/lib$name.a" "$work/static/"; done
ln -s "$work/parts$libraries/libvpx.a" "$work/static/"

cd "$work/objects"
export PATH=$work/bin:$PATH CCACHE_COMPILERCHECK=content CCACHE_DEPEND=1
export CFLAGS="-I$work/parts/usr/include -ffile-prefix-map=$work=ffmpeg" LDFLAGS="-L$work/static $flags"
if ! "$source/configure" "${options[@]}" > configure.log 2>&1; then
    tail -n 40 configure.log ffbuild/config.log
    echo "kiln-error: FFmpeg cannot be configured: read the output above" >&2
    exit 1
fi
grep '^License: LGPL version 3 or later$' configure.log
grep -q '^#define HAVE_X86ASM 1$' config.h
# The linker's list of what it took from static libraries.
sed -i 's/^SHFLAGS=/&-Wl,-Map,$$(@F).map /' ffbuild/config.mak
echo "kiln-total: $(make --dry-run 2> /dev/null | grep -c '^printf .\(CC\|X86ASM\)\\t' || true)"
TIMEFORMAT='FFmpeg: %R s of wall time, %U + %S s of processor time'
time make --jobs "$KILN_JOBS" > make.log 2>&1 || {
    tail -n 40 make.log
    echo "kiln-error: FFmpeg does not compile: read the output above" >&2
    exit 1
}
make --silent install DESTDIR="$work/installed" > install.log 2>&1

mkdir -p "$work/kept/ffmpeg"/{licences,maps}
mv "$work/installed/usr/local"/{include,lib} "$work/kept/ffmpeg/"
rm -rf "$work/kept/ffmpeg/lib/pkgconfig"
for map in *.map; do
    sed --quiet '/^Archive member included/,/^[A-Z][A-Za-z -]*$/p' "$map" |
        sed "s|^$work/static/libvpx|libvpx|; s|^$work/static/|$libraries/|" > "$work/kept/ffmpeg/maps/$map"
done
for name in COPYING.LGPLv2.1 COPYING.LGPLv3 COPYING.GPLv3 LICENSE.md; do
    cp "$source/$name" "$work/kept/ffmpeg/licences/ffmpeg-$name"
done
cp "$work/parts/usr/share/doc/libvpx-dev/copyright" "$work/kept/ffmpeg/licences/libvpx-copyright"
for name in libssl-dev zlib1g-dev libbz2-dev liblzma-dev; do
    cp "/usr/share/doc/$name/copyright" "$work/kept/ffmpeg/licences/$name-copyright"
done
tar --create --directory "$work/kept" --file "$kept.$$" ffmpeg
mv "$kept.$$" "$kept"
mv "$work/kept/ffmpeg" "$target"
cd /
rm -rf "$work"
