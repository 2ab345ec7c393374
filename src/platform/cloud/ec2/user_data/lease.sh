#!/bin/sh
# Powers this machine off once nobody renews its lease. Times are milliseconds of this boot's clock.
boot=$(cat /proc/sys/kernel/random/boot_id)
read -r end </run/dayfly/first-lease || end=0
for file in /var/lib/dayfly/@RUN@/*/until /root/.dayfly/@RUN@/*/until /home/*/.dayfly/@RUN@/*/until; do
    [ -f "$file" ] || continue
    text=$(tr -d ' \n' <"$file")
    case $text in *"\"boot_id\":\"$boot\""*) ;; *) continue ;; esac
    at=${text##*\"boottime_ms\":}
    at=${at%%[!0-9]*}
    [ -n "$at" ] && [ "$at" -gt "$end" ] 2>/dev/null && end=$at
done
read -r now _ </proc/uptime
now=${now%.*}${now#*.}0
[ "$now" -lt "$end" ] && exit 0
echo "dayfly: the lease of this machine ran out" >/dev/kmsg
systemctl poweroff --force || poweroff -f
