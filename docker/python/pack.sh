#!/bin/bash
# Makes a raw wheel of a source tree without machine code, by its own setuptools configuration.
set -euo pipefail
project=/kiln/build/project
rm -rf "$project"
mkdir -p /kiln/out/raw

# setuptools writes into the folder that it builds.
cp -R --no-preserve=mode "/kiln/trees/$KILN_NAME" "$project"
python=$KILN_VENV/bin/python
if [ -n "${KILN_OPT_PROJECT_URL:-}" ]; then
    "$python" /kiln/scripts/links.py "$project" "$KILN_OPT_PROJECT_URL"
fi
cd "$project"
"$python" -c 'from setuptools import build_meta; build_meta.build_wheel("/kiln/out/raw")'

for wheel in /kiln/out/raw/*.whl; do
    case ${wheel##*/} in
        *-"$KILN_VERSION"-py3-none-any.whl) ;;
        *)
            echo "kiln-error: the project gives ${wheel##*/}, and the recipe says $KILN_VERSION for any machine:" \
                "correct the version in the recipe, or the project's configuration" >&2
            exit 1
            ;;
    esac
done
