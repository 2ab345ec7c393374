#!/bin/sh
# The master of a dayfly run, at every boot: what it is goes to the disk, and its unit is started.
# Not below /var/lib/dayfly: agents of steps on the master clean up there.
set -u
folder=/var/lib/dayfly-master
umask 077
mkdir -p "$folder"
cat >"$folder/order.json" <<'END_OF_FILE'
@ORDER@
END_OF_FILE
cat >"$folder/start.py" <<'END_OF_FILE'
@START@
END_OF_FILE
cat >/etc/systemd/system/dayfly-master.service <<'END_OF_FILE'
[Unit]
Description=dayfly: the master of a run
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=30min
StartLimitBurst=6
StartLimitAction=poweroff

[Service]
Type=exec
ExecStart=/usr/bin/python3 -I /var/lib/dayfly-master/start.py
# Not SuccessAction: systemd takes it at each restart too.
ExecStopPost=/bin/sh -c '[ "$SERVICE_RESULT" != success ] || systemctl --no-block poweroff'
Environment=HOME=/root XDG_STATE_HOME=/var/lib/dayfly-master DAYFLY_MACHINE_ROLE=1
WorkingDirectory=/
StandardOutput=append:/var/lib/dayfly-master/master.log
StandardError=append:/var/lib/dayfly-master/master.log
Restart=on-failure
RestartSec=2
TimeoutStopSec=15
KillMode=process
OOMPolicy=continue
LimitNOFILE=65536
TasksMax=infinity
END_OF_FILE
chmod 644 /etc/systemd/system/dayfly-master.service
systemctl daemon-reload
systemctl start --no-block dayfly-master.service
