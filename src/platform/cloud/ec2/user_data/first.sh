#!/bin/sh
# The machine ends by itself when its run does not need it any more.
units=/run/systemd/system
mkdir -p /run/dayfly $units
# The first lease counts from here, once in each boot: the clock of a boot need not begin with it (a container's does not).
if [ ! -s /run/dayfly/first-lease ]; then
    read -r now _ </proc/uptime
    echo $((${now%.*} * 1000 + @LEASE_MS@)) >/run/dayfly/first-lease
fi
