#!/bin/sh
# Asks apt what each list of packages in FOLDER/wanted comes to, in an archive whose signatures it has checked:
# `resolve.sh FOLDER`. FOLDER/sources.list names the suite. FOLDER/keyring.gpg, where it is there, has the keys that may sign
# it; else they are Debian's own. FOLDER/status is dpkg's record of the packages that are there already.
# Writes FOLDER/lists/*InRelease and, for each list, a file in FOLDER/found: apt's lines of what would be fetched.
set -eu
folder=$1
export LC_ALL=C.UTF-8 TZ=UTC
mkdir -p "$folder/etc" "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/found"
mkdir "$folder/trusted"
[ -e "$folder/keyring.gpg" ] || cp /usr/share/keyrings/debian-archive-keyring.gpg "$folder/keyring.gpg"
mv "$folder/keyring.gpg" "$folder/trusted/archive.gpg"
# Not those of this machine: only what is said here counts. A name that no suite has is an error, not an expression.
cat > "$folder/apt.conf" << END
Dir::Etc "$folder/etc";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Etc::Trusted "/dev/null";
Dir::Etc::TrustedParts "$folder/trusted";
Dir::State "$folder";
Dir::State::Lists "$folder/lists";
Dir::State::Status "$folder/status";
Dir::Cache "$folder/cache";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
APT::Get::List-Cleanup "false";
APT::Sandbox::User "";
APT::Cmd::Pattern-Only "true";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
END
export APT_CONFIG="$folder/apt.conf"
apt-get --error-on=any -o Dir::Etc::SourceList="$folder/sources.list" update
for list in "$folder"/wanted/*.packages; do
    name=$(basename "$list" .packages)
    tr '\n' '\0' < "$list" | xargs --null \
        apt-get -o Dir::Etc::SourceList="$folder/sources.list" --yes --print-uris install > "$folder/found/$name"
done
