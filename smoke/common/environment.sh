# A virtual environment with a wheel and every pinned package, each by its hash: what run.sh and speed.sh begin with.
# In a container all is below /kiln; on a host KILN_ROOT, KILN_FILES, KILN_BUILD and KILN_OUT say where it is.
root=${KILN_ROOT:-/kiln}
files=${KILN_FILES:-/kiln/files}
build=${KILN_BUILD:-/kiln/build}
out=${KILN_OUT:-/kiln/out}
mkdir -p "$HOME" "${TMPDIR:-/tmp}"
echo "installing in a new environment of $KILN_PYTHON"

pip=""
for wheel in $KILN_WHEELS_BUILD; do
    case $wheel in pip-*) pip=$files/$wheel ;; esac
done

run_pip() { # environment, arguments: pip out of its wheel, which is never installed itself
    local venv=$1
    shift
    PYTHONPATH=$pip "$venv/bin/python" -m pip --disable-pip-version-check "$@"
}

install() { # environment, files
    local venv=$1
    shift
    for file in "$@"; do
        echo "$file --hash=sha256:$(sha256sum "$file" | cut -d' ' -f1)"
    done > "$venv.txt"
    cat "$venv.txt"
    # No --no-deps: a requirement of the wheel that nothing satisfies has to fail here.
    run_pip "$venv" install --quiet --no-index --no-cache-dir --no-build-isolation --require-hashes \
        --requirement "$venv.txt"
}

environment() { # folder, wheel
    local wheel builders=() pins=()
    "$KILN_PYTHON" -m venv --clear --without-pip "$1"
    # What was only ever published as source is built by the setuptools among the pins, which has to be there first.
    for wheel in $KILN_WHEELS_SMOKE; do
        case $wheel in setuptools-*.whl | wheel-*.whl) builders+=("$files/$wheel") ;; esac
        pins+=("$files/$wheel")
    done
    if [ ${#builders[@]} -gt 0 ]; then install "$1" "${builders[@]}"; fi
    install "$1" "$2" ${pins[@]+"${pins[@]}"}
}

other_environments() { # one for each wheel in $out/against; appends their interpreters to the array `pythons`
    local wheel
    for wheel in "$out"/against/*.whl; do
        [ -e "$wheel" ] || continue
        environment "$build/against" "$wheel"
        pythons+=("$build/against/bin/python")
    done
}
