# The first process of a host: makes its root of the common one, then becomes its init.
#
# The host shares the kernel with the machine that tests run on, and its root must not be able to change that machine:
# /proc/sys is read-only but for the host's own network, /sys is read-only, kernel memory and kernel log are masked, and
# capabilities over clock, modules and raw devices are gone. Which devices can be opened, a control group says.
#
# From host.py: INSTANCE NAME BASE DISK CONSOLE INIT DROP_MKNOD DELAY
set -e
umask 022
sleep "$DELAY"
mount --make-rprivate /
root=$DISK/root
mount -t overlay -o "lowerdir=$BASE/root,upperdir=$DISK/upper,workdir=$DISK/work,volatile" overlay "$root"
cd "$root"

mount -t proc -o nosuid,nodev,noexec proc proc
cat /proc/sys/kernel/random/uuid >"$DISK/boot_id"
mount --bind "$DISK/boot_id" proc/sys/kernel/random/boot_id
mount --rbind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro,nosuid,nodev,noexec proc/sys
for file in sysrq-trigger kcore kmsg; do
    if [ -e proc/$file ]; then mount --bind /dev/null proc/$file; fi
done

mount -t tmpfs -o mode=755 tmpfs dev
for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 dev/${node%:*} c 1 ${node#*:}; done
mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
: >dev/console
mount --bind "$CONSOLE" dev/console

mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp

# The real sysfs, read-only, with the one file by which cloud-init knows EC2.
mount -t tmpfs -o mode=755 tmpfs sys
mkdir sys/.real
mount -t sysfs -o ro sysfs sys/.real
for folder in block bus class dev devices firmware fs kernel module power; do
    mkdir sys/$folder
    mount --bind sys/.real/$folder sys/$folder
done
mkdir sys/hypervisor
echo "ec2e1916-9099-7caf-fd21-$(printf %s "$INSTANCE" | tail -c 12)" >sys/hypervisor/uuid
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -o remount,ro sys
for folder in debug tracing config security; do
    if [ -d sys/kernel/$folder ]; then mount -t tmpfs -o ro,mode=000 tmpfs sys/kernel/$folder; fi
done

hostname "$NAME"
pivot_root . mnt
umount -l /mnt
# shellcheck disable=SC2086 # INIT may be a program and its arguments
exec env -i PATH="$PATH" TERM=linux container=pocket setpriv --inh-caps=-all \
    --bounding-set="-sys_time,-sys_module,-sys_rawio,-mac_admin,-mac_override,-syslog,-wake_alarm,-audit_control,-audit_read,-block_suspend,-bpf,-perfmon$DROP_MKNOD" \
    $INIT </dev/null >/dev/console 2>&1
