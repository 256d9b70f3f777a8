# Sourced by test-versions.sh and test-start-states.sh, which make Debian systems and run in them by chroot, in
# namespaces of their own. The system that is worked on is the folder $system.
# shellcheck shell=bash disable=SC2154

# The archive of Debian that this machine's apt uses.
debian_archive() {
    local archive
    archive=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SITE)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^Debian|Debian|//p' | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')
    [ -n "$archive" ] || { echo "apt's sources on this machine have no archive of Debian: give MIRROR=" >&2; return 1; }
    echo "$archive"
}

# What this machine's apt must be told to reach its archive (a proxy, dates that are not checked).
settings_of_apt() { apt-config dump Acquire | grep -E '^Acquire::(Check-|https?::|ftp::)' || true; }

# in_chroot COMMAND...: as root in the system.
in_chroot() { chroot "$system" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root "$@"; }

mount_what_it_needs() {
    mount -t proc proc "$system/proc"
    mount -t tmpfs tmpfs "$system/dev/shm"
    mkdir -p "$system/dev/pts"
    mount -t devpts -o newinstance,ptmxmode=666 devpts "$system/dev/pts"
    # debootstrap makes a device or a link of it, as it can.
    if [ ! -L "$system/dev/ptmx" ]; then mount --bind "$system/dev/pts/ptmx" "$system/dev/ptmx"; fi
    cp -L /etc/resolv.conf "$system/etc/resolv.conf"
}

# copy_sources ROOT FOLDER: those that git knows or would add, and nothing that was built of them.
copy_sources() {
    mkdir -p "$2"
    git -c safe.directory="$1" -C "$1" ls-files -z --cached --others --exclude-standard |
        (cd "$1" && while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done) |
        tar -C "$1" --null --files-from=- -cf - | tar -C "$2" -xf -
}
