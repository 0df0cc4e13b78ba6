#!/bin/sh
# Makes a folder with buildbox, distcc and all their libraries from Debian's packages, for `./inv worker` and --distcc:
#   ci/farm/programs.sh FOLDER
# The packages come from Debian sid, by the mirror that this machine's own apt uses; nothing is installed.
set -eu
folder=${1:?give the folder to make}
here=$(cd "$(dirname "$0")" && pwd)
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' | grep -v security | head -n 1)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/root"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$work/sources.list"
: >"$work/status"
apt() {
    apt-get -qq -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/archives" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Dir::Etc::SourceList="$work/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false \
        -o APT::Sandbox::User=root "$@"
}
apt update
apt --yes --no-install-recommends --download-only install buildbox distcc
for package in "$work"/archives/*.deb; do dpkg-deb -x "$package" "$work/root"; done

rm -rf "$folder"
mkdir -p "$folder/lib" "$folder/programs"
# With their own loader they run on a system with an older glibc.
cp -L "$work"/root/usr/lib/x86_64-linux-gnu/*.so* "$folder/lib"
for program in buildbox-casd buildbox-worker buildbox-run-hosttools distcc distccd; do
    cp "$work/root/usr/bin/$program" "$folder/programs"
    printf '#!/bin/sh\nexec /kiln/worker/lib/ld-linux-x86-64.so.2 --library-path /kiln/worker/lib /kiln/worker/programs/%s "$@"\n' \
        "$program" >"$folder/$program"
    chmod 755 "$folder/$program"
done
cp "$here"/worker/* "$folder"
chmod -R a+rX "$folder"
