#!/usr/bin/env bash
# Version: podman 4.3.1 (Debian 12), `podman import --change`.
#
# Behaviour: `--change "ENV A=1 B=2"` makes one variable, A, with the value `1 B=2`. In a Containerfile, built by the same
# podman, the same instruction makes two variables. Two `--change` options make two.
#
# Why it surprises: the option is described as "Apply the following possible instructions to the created image", by
# the names of a Containerfile, and an instruction means another thing in one than in the other, without a word. With
# `SSL_CERT_FILE=...` first, what is seen is a later tool that trusts no certificate.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
podman=(podman --root "$folder/root" --runroot "$folder/run" --storage-driver vfs)
"${podman[@]}" --version
tar -c --files-from /dev/null > "$folder/empty.tar"
"${podman[@]}" import --quiet --change "ENV A=1 B=2" "$folder/empty.tar" localhost/imported > /dev/null 2>&1
printf 'FROM scratch\nENV A=1 B=2\n' > "$folder/Containerfile"
"${podman[@]}" build --quiet --isolation chroot --tag localhost/built --file "$folder/Containerfile" "$folder" > /dev/null
imported=$("${podman[@]}" inspect --format '{{json .Config.Env}}' localhost/imported)
built=$("${podman[@]}" inspect --format '{{json .Config.Env}}' localhost/built)
echo "imported: $imported"
echo "built:    $built"
[ "$imported" = '["A=1 B=2"]' ] && [[ "$built" == *'"A=1","B=2"'* ]] || { echo "the behaviour has changed"; exit 1; }
