#!/bin/sh
# Powers this machine off at its hard end. Times are seconds since 1970.
end=@DEADLINE@
now=$(date +%s)
[ "$now" -lt "$end" ] && exit 0
for file in /var/lib/dayfly/@RUN@/*/deadline /root/.dayfly/@RUN@/*/deadline /home/*/.dayfly/@RUN@/*/deadline; do
    [ -f "$file" ] || continue
    text=$(tr -d ' \n' <"$file")
    at=${text##*\"unix_ms\":}
    at=${at%%[!0-9]*}
    at=${at%???}
    [ -n "$at" ] && [ "$at" -gt "$end" ] 2>/dev/null && end=$at
done
[ "$now" -lt "$end" ] && exit 0
echo "dayfly: this machine has reached its hard end" >/dev/kmsg
systemctl poweroff --force || poweroff -f
