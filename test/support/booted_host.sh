#!/bin/bash
# Boots the systemd of this machine in namespaces, on a copy of its root that vanishes with it.
#   booted_host.sh FOLDER RELYD NODE    FOLDER is empty, RELYD the tree with the built daemon
set -eu
folder=$1 relyd=$2 node=$3

if [ "${4:-}" != inside ]; then
  # A control group of its own, which systemd finds as the root of all.
  mount --make-rprivate /
  mkdir "$folder/cgroup"
  mount -t cgroup2 cgroup2 "$folder/cgroup"
  mkdir -p "$folder/cgroup/$(basename "$folder")"
  echo $$ > "$folder/cgroup/$(basename "$folder")/cgroup.procs"
  exec unshare --kill-child --fork --mount --pid --uts --ipc --cgroup bash "$0" "$folder" "$relyd" "$node" inside
fi

mount -t tmpfs none "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
root=$folder/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"
# Nothing of the machine itself may be set: neither its kernel nor its devices.
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
mount -t sysfs -o ro sys "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for path in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$path"; done
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"

# A host on which nothing is enabled, and relyd installed for all.
rm -rf "$root/etc/systemd/system" "$root/etc/relyd" "$root/var/lib/relyd" "$root/var/log/journal"
mkdir -p "$root/etc/systemd/system" "$root/usr/lib/relyd"
: > "$root/etc/fstab"
printf '[Unit]\nWants=systemd-journald.service\n' > "$root/etc/systemd/system/booted.target"
for unit in systemd-{udevd,udev-trigger,sysctl,modules-load,random-seed,remount-fs}.service \
  systemd-udevd-{control,kernel}.socket systemd-tmpfiles-setup-dev.service kmod-static-nodes.service \
  dev-hugepages.mount dev-mqueue.mount sys-kernel-{debug,tracing,config}.mount \
  sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount; do
  ln -s /dev/null "$root/etc/systemd/system/$unit"
done
mount --bind "$relyd" "$root/usr/lib/relyd"
mkdir -p "$root/usr/local/bin"
touch "$root/usr/local/bin/node"
mount --bind "$node" "$root/usr/local/bin/node"
# As npm does for what a package names in `bin`.
chmod +x "$relyd/daemon/dist/main.js"
ln -sf ../../lib/relyd/daemon/dist/main.js "$root/usr/local/bin/relyd"

# Not chroot: a unit may make user namespaces (PrivateUsers=) at the real root only. Shared, as
# credentials come into the host by it.
mkdir -p "$root/oldroot"
cd "$root"
pivot_root . oldroot
umount -l /oldroot
mount --make-rshared /
export container=relyd
exec /lib/systemd/systemd --unit=booted.target --log-target=journal --show-status=0
