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
import sys
import zipfile

wheel, facts, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    names = [each for each in archive.namelist() if each.startswith(("tensorflow_core/include/", "tensorflow/include/"))]
    names += [each for each in archive.namelist() if "/libtensorflow_framework.so" in each]
    archive.extractall(target, names)
with open(facts) as file:
    libraries = json.load(file)["libraries"]
(framework,) = (each for name, each in libraries.items() if "/libtensorflow_framework.so" in name)
with open(target + "/abi", "w") as file:
    file.write(str(int(framework["cxx11_names"] > 100)))
PYTHON
package=$(dirname "$(ls -d "$target"/*/include)")
library=$(basename "$(ls "$package"/libtensorflow_framework.so*)")
# shellcheck disable=SC2054  # the comma is the linker's
command=(-std=c++11 -shared -fPIC -O2 -w "-D_GLIBCXX_USE_CXX11_ABI=$(cat "$target/abi")")
g++ "${command[@]}" -o "$target/extension.so" "$here/extension.cc" -I"$package/include" -L"$package" "-l:$library"
echo "compiled an op for the wheel: g++ ${command[*]} extension.cc -l:$library"
rm -rf "$package"
