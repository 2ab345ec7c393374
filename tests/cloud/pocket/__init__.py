"""A cloud in one box: EC2 and its neighbours by moto, every instance a real machine with systemd, cloud-init and sshd.

`main` starts it. `world` is what all hosts share, `host` is one of them, `imds` what it learns about itself, `faults`
what can befall it; `machines` joins them with moto's instances, whose rules are in `rules`; `control` is how a test
looks and meddles.
"""
