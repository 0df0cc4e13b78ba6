#!/bin/bash
# Compiles an op for the wheel, in the toolchain image: where the wheel is tested there is no compiler. The flags are those
# that tf.sysconfig will say; a test compares them.
set -euo pipefail
wheel=$1 here=$2 facts=$3 target=$4
if ! command -v g++ > /dev/null; then
    echo "no op is compiled for the wheel: g++ is not installed"
    exit 0
fi
rm -rf "$target"
mkdir -p "$target"
"${KILN_INSPECTOR:-/usr/bin/python3}" - "$wheel" "$facts" "$target" << 'PYTHON'
import json
import re
import sys
import zipfile
from pathlib import Path

wheel, facts, target = sys.argv[1], sys.argv[2], Path(sys.argv[3])
# Where a wheel's own scheme puts its headers is where they are installed.
WANTED = re.compile(r"(?:[^/]+\.data/(?:purelib|platlib)/)?(tensorflow(?:_core)?/(?:include/.+|libtensorflow_framework\.so\S*))")
with zipfile.ZipFile(wheel) as archive:
    for each in archive.infolist():
        found = WANTED.fullmatch(each.filename)
        if found and not each.is_dir() and ".." not in found[1].split("/"):
            file = target / found[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(archive.read(each))
libraries = json.loads(Path(facts).read_text())["libraries"]
(framework,) = (each for name, each in libraries.items() if "/libtensorflow_framework.so" in name)
(target / "abi").write_text(str(int(framework["cxx11_names"] > 100)))
PYTHON
package=$(dirname "$(ls -d "$target"/*/include)")
library=$(basename "$(ls "$package"/libtensorflow_framework.so*)")
# shellcheck disable=SC2054  # the comma is the linker's
command=(-std=c++11 -shared -fPIC -O2 -w "-D_GLIBCXX_USE_CXX11_ABI=$(cat "$target/abi")")
g++ "${command[@]}" -o "$target/extension.so" "$here/extension.cc" -I"$package/include" -L"$package" "-l:$library"
echo "compiled an op for the wheel: g++ ${command[*]} extension.cc -l:$library"
rm -rf "$package"
