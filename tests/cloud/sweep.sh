# Waits for the end of the pocket cloud with this process id, then removes its control groups.
tail --pid="$1" -s 0.2 -f /dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
    find /sys/fs/cgroup -depth -type d \( -path "*/dayfly-pocket-$1" -o -path "*/dayfly-pocket-$1/*" \) -exec rmdir {} + 2>/dev/null
    [ -n "$(find /sys/fs/cgroup -type d -name "dayfly-pocket-$1" -print -quit)" ] || exit 0
    sleep 0.3
done
