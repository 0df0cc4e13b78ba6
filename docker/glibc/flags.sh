# What to link with for an older glibc, with GNU's ld or gold: KILN_GLIBC_FLAGS. To be sourced.
# What comes from libstdc++.a stays inside: another library in the process may have another one's.
glibc_folder=${KILN_GLIBC_FOLDER:-/kiln/build/glibc}
KILN_GLIBC_FLAGS="-L$glibc_folder -Wl,--exclude-libs,liblater.a"
