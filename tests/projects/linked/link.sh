#!/bin/bash
# Links what is beside this for an older glibc (KILN_GLIBC) with the linker that is named (bfd or gold), into a folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bash /kiln/glibc/stubs.sh > /kiln/build/stubs.log
source /kiln/glibc/flags.sh
mkdir -p "$2"
cd "$2"
read -ra flags <<<"-O2 -fuse-ld=$1 -Wl,--gc-sections $KILN_GLIBC_FLAGS"
g++ -fPIC -shared -o libreport.so "$here/library.cpp" "${flags[@]}" -Wl,-z,defs
g++ -o program "$here/program.cpp" -L. -lreport "${flags[@]}"
gcc -o plain "$here/plain.c" -lm "${flags[@]}"
export LD_LIBRARY_PATH=. LD_BIND_NOW=1
./program
./plain
for file in libreport.so program plain; do readelf --wide --dyn-syms --version-info --dynamic $file > $file.txt; done
if gcc -fPIC -shared -o new.so "$here/new.c" "${flags[@]}" 2> new.txt; then :; fi
