# What to link with for the glibc of the plan: KILN_GLIBC_FLAGS, empty where it is the base's own. To be sourced.
glibc_folder=${KILN_GLIBC_FOLDER:-/kiln/build/glibc}
KILN_GLIBC_FLAGS=""
if [ -n "${KILN_GLIBC:-}" ]; then
    # What comes from libstdc++.a stays inside: another library in the process may have another one's.
    KILN_GLIBC_FLAGS="-L$glibc_folder -Wl,--exclude-libs,liblater.a"
fi
