#!/bin/bash
# Applies the patches of the plan (KILN_PATCHES: "tree:file ..."). A patch must match exactly: one that only nearly
# matches was written for another source.
set -euo pipefail
mkdir -p "${TMPDIR:-/tmp}"

reason() { # the output of `patch` -> "hunk #2 of modules/a.cpp", or else its last line
    awk '
        /^(patching|checking) file /       { file = $3 }
        /^Hunk #[0-9]+ FAILED/ && !reason  { reason = "hunk " $2 " of " file }
        /^can.t find file to patch/        { reason = "the file it changes does not exist" }
        /previously applied/               { reason = "its change is already in " file }
        NF                                 { last = $0 }
        END                                { print reason ? reason : last }
    '
}

for pair in ${KILN_PATCHES:-}; do
    tree=${pair%%:*}
    file=${pair#*:}
    echo "$file -> $tree"
    if ! output=$(patch --directory="/kiln/trees/$tree" -p1 --fuzz=0 --forward --batch --no-backup-if-mismatch \
                      --reject-file=- --input="/kiln/patches/$file" 2>&1); then
        echo "$output"
        echo "kiln-error: patch $KILN_NAME/$file does not apply: $(reason <<<"$output")" >&2
        exit 1
    fi
done
