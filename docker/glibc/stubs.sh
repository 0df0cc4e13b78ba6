#!/bin/bash
# Makes what a wheel for an older glibc (KILN_GLIBC) is linked with, from the libraries of the base's own compiler.
# No header and no compiler is changed: objects are the same for each glibc, and only links differ.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/flags.sh"
rm -rf "$glibc_folder"
mkdir -p "$glibc_folder" "${TMPDIR:-/tmp}"
compiler=${CC:-gcc}

for part in compat start; do
    "$compiler" -O2 -fPIC -Wall -Wextra -ffile-prefix-map="$here=/kiln/glibc" -c -o "$glibc_folder/$part.o" "$here/$part.c"
done
ar rcsD "$glibc_folder/libcompat.a" "$glibc_folder/compat.o" "$glibc_folder/start.o"
"${CXX:-g++}" -O2 -fPIC -Wall -Wextra -ffile-prefix-map="$here=/kiln/glibc" -c -o "$glibc_folder/facets.o" "$here/facets.cpp"
python3 "$here/stubs.py" "$KILN_GLIBC" "$glibc_folder" "$compiler"
rm "$glibc_folder"/*.o
