#!/bin/sh
# Builds the root that every host of the pocket cloud starts from, and prints its path: a small Debian with systemd,
# cloud-init and sshd that believes it is on EC2. A finished one is only looked up.
#
# Beside the unpacked folder stays its .tar.zst, from which it is unpacked again where somebody removed it.
set -eu
. "$(dirname "$0")/cache.sh"

if [ -e "$base/complete" ]; then echo "$base"; exit; fi
say() { printf '%s\n' "dayfly: $*" >&2; }

mkdir -p "$cache"
exec 9>"$base.lock"
flock 9
if [ -e "$base/complete" ]; then echo "$base"; exit; fi

work="$(mktemp -d "$cache/pocket-base-building.XXXXXX")"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

# The mirrors that this machine's own apt uses for the same release, else Debian's.
sources() {
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        awk '$3 ~ /^bookworm(-updates|-security)?$/ && $4 == "main" && !seen[$0]++ { print; found = found || $3 == "bookworm" }
             END { if (!found) print "deb http://deb.debian.org/debian bookworm main" }'
}

# What is laid over the packages' own files.
overlay() {
    mkdir -p "$1/etc/cloud/cloud.cfg.d" "$1/etc/ssh/sshd_config.d" "$1/etc/systemd/system" \
        "$1/etc/systemd/journald.conf.d" "$1/opt/wheels"
    # No 60 s of DHCP, no resolver that nobody answers (cloud-init asks it); the locale's packages are not there.
    cat >"$1/etc/cloud/cloud.cfg.d/99_pocket.cfg" <<'Y'
datasource_list: [Ec2]
datasource:
  Ec2: {strict_id: false, metadata_urls: ['http://169.254.169.254'], timeout: 5, max_wait: 30, apply_network_config: false}
network: {config: disabled}
manage_etc_hosts: true
locale: false
ssh_genkeytypes: [ed25519]
disable_root: true
cloud_init_modules: [seed_random, bootcmd, write-files, set_hostname, update_etc_hosts, users-groups, ssh]
cloud_config_modules: [set-passwords, timezone, runcmd]
cloud_final_modules: [package-update-upgrade-install, write-files-deferred, scripts-vendor, scripts-per-once, scripts-per-boot, scripts-per-instance, scripts-user, final-message, power-state-change]
system_info:
  default_user:
    {name: ec2-user, lock_passwd: true, gecos: EC2 Default User, groups: [adm, systemd-journal], sudo: ['ALL=(ALL) NOPASSWD:ALL'], shell: /bin/bash}
Y
    echo 'datasource: Ec2' >"$1/etc/cloud/ds-identify.cfg"
    echo 'UseDNS no' >"$1/etc/ssh/sshd_config.d/10-pocket.conf"
    printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\nAudit=no\nReadKMsg=no\nForwardToConsole=no\n' \
        >"$1/etc/systemd/journald.conf.d/pocket.conf"
    # "no" means yes here: pip does not compile what it installs, which takes most of its time.
    printf '[global]\nno-index = true\nfind-links = /opt/wheels\n[install]\nno-compile = no\n' >"$1/etc/pip.conf"
    # Units that need a machine of its own, or that wake up in the middle of a test.
    for unit in console-getty.service getty@.service e2scrub_reap.service e2scrub_all.timer fstrim.timer apt-daily.timer \
        apt-daily-upgrade.timer dpkg-db-backup.timer sys-kernel-debug.mount sys-kernel-tracing.mount \
        sys-kernel-config.mount sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount \
        systemd-sysctl.service systemd-modules-load.service modprobe@.service systemd-binfmt.service \
        systemd-journal-flush.service; do
        ln -s /dev/null "$1/etc/systemd/system/$unit"
    done
}

if [ ! -e "$base.tar.zst" ]; then
    say "building the root of the pocket cloud's hosts (once, about two minutes)"
    overlay "$work/overlay"
    machine="$(uname -m)"
    "$venv/bin/pip" download --quiet --disable-pip-version-check --only-binary=:all: --implementation cp --python-version 3.11 \
        --platform "manylinux_2_28_$machine" --platform "manylinux_2_27_$machine" --platform "manylinux_2_17_$machine" \
        --platform "manylinux2014_$machine" --dest "$work/overlay/opt/wheels" --requirement "$cloud/image.txt" >&2 &
    wheels=$!
    # Removed last: keys and ids that each host makes for itself, and the DHCP client that cloud-init would wait for.
    sources | mmdebstrap --quiet --variant=minbase --mode=root \
        --include=openssh-server,cloud-init,sudo,python3,python3-venv,iproute2,iputils-ping,ca-certificates,procps,rsync,curl,xz-utils,bzip2,unzip,systemd-sysv,dbus,libpam-systemd \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='rm -f "$1"/etc/ssh/ssh_host_* "$1"/var/lib/dbus/machine-id "$1"/usr/sbin/dhclient "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/var/lib/apt/lists/*Packages*' \
        --customize-hook=': >"$1"/etc/machine-id; echo nameserver 127.0.0.1 >"$1"/etc/resolv.conf' \
        bookworm "$work/root" - >&2 || { say "cannot build the root of the pocket cloud's hosts: mmdebstrap failed (see above)"; exit 1; }
    wait "$wheels" || { say "cannot download the wheels of $cloud/image.txt"; exit 1; }
    cp -a "$work/overlay/." "$work/root/"
    tar --zstd -C "$work/root" -cf "$work/base.tar.zst" .
    mv "$work/base.tar.zst" "$base.tar.zst"
else
    mkdir "$work/root"
    tar --zstd -C "$work/root" -xpf "$base.tar.zst"
fi
# The marker lies beside the root, so that no host sees it.
mkdir "$work/base"
mv "$work/root" "$work/base/root"
touch "$work/base/complete"
rm -rf "$base"
mv "$work/base" "$base"
echo "$base"
