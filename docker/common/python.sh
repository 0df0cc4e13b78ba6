#!/bin/bash
# Makes two virtual environments, without a network: KILN_VENV for the target interpreter, with what the build imports,
# and KILN_TOOLS for the toolchain's own Python, with the tools that work on the finished wheel.
# pip is in neither: it runs from its wheel, which is pinned for the target interpreter. A source distribution is built
# with the setuptools and wheel that are among the wheels.
# Both are kept for other builds: they must depend on the interpreters and on the wheels only.
set -euo pipefail
mkdir -p "$HOME" "${TMPDIR:-/tmp}"

pip=""
build=()
for wheel in $KILN_WHEELS_BUILD; do
    case $wheel in
        pip-*) pip=/kiln/files/$wheel ;;
        *) build+=("/kiln/files/$wheel") ;;
    esac
done
if [ -z "$pip" ]; then
    echo "kiln-error: pip is not among the sources with 'use: build': pin a version that runs on $KILN_PYTHON" >&2
    exit 1
fi

install() { # folder, files
    local folder=$1
    shift
    [ $# -gt 0 ] || return 0
    PYTHONPATH=$pip "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-index --no-deps --no-cache-dir --no-compile --no-build-isolation "$@"
}

environment() { # interpreter, folder, wheels
    local python=$1 folder=$2
    shift 2
    local file wheels=() others=()
    for file in "$@"; do
        case $file in
            *.whl) wheels+=("$file") ;;
            *) others+=("$file") ;;
        esac
    done
    "$python" -m venv --without-pip "$folder"
    install "$folder" ${wheels[@]+"${wheels[@]}"}
    install "$folder" ${others[@]+"${others[@]}"}
    "$folder/bin/python" --version
}

environment "$KILN_PYTHON" "$KILN_VENV" ${build[@]+"${build[@]}"}
# shellcheck disable=SC2086  # a list of names without spaces
environment /usr/bin/python3 "$KILN_TOOLS" $(printf '/kiln/files/%s ' $KILN_WHEELS_TOOLS)
