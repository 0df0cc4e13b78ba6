#!/bin/sh
# Installs the packages in /tmp/packages into the root file system that this runs in, in which those of /tmp/packages/base are
# unpacked already and not set up. There is no network, and nothing but these packages is looked at.
set -eu
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true DEBCONF_NOWARNINGS=yes
export HOME=/root LC_ALL=C.UTF-8 LANG=C.UTF-8 TZ=UTC PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022

# Packages would start services where nothing runs.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
# The scripts of base-files want awk before mawk is set up.
[ -e /usr/bin/awk ] || ln -s mawk /usr/bin/awk

# dpkg does not sort these by what each needs before it is unpacked, and need not: all of them are unpacked. But their
# scripts want the system's users and folders, which come first.
install() {
    xargs dpkg --force-unsafe-io --force-depends --install
}
# Where the root file system is that of an image, its packages are set up.
if [ -s /tmp/packages/base ]; then
    for first in base-passwd base-files; do
        grep "/${first}_" /tmp/packages/base | install
    done
    install < /tmp/packages/base
fi
apt() {
    apt-get -o Dir::Etc::SourceList=/tmp/packages/sources.list -o Dir::Etc::SourceParts=/dev/null \
        -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Acquire::Languages=none \
        -o DPkg::Options::=--force-unsafe-io -o DPkg::Use-Pty=false --yes "$@"
}
apt update
# shellcheck disable=SC2046 # names and versions have no spaces
apt install $(cat /tmp/packages/wanted)

rm /usr/sbin/policy-rc.d
# The name of this one machine, which dbus makes by chance.
rm -f /var/lib/dbus/machine-id
# Builds do not run as root, and an interpreter at a prefix below /root is mounted there.
chmod 0755 /root
wrong=$(dpkg --audit)
if [ -n "$wrong" ]; then
    echo "$wrong"
    exit 1
fi
