"""Machines that are only timers: the rules can be tested without root and without seconds of boot."""

import threading


class NoHosts:
    """Answers the rules as real hosts would: running soon after launch, ended soon after terminate."""

    def __init__(self, pending_seconds: float = 0.0, shutdown_seconds: float = 0.0):
        self.pending_seconds, self.shutdown_seconds = pending_seconds, shutdown_seconds
        self.on_running = lambda instance: None
        self.on_ended = lambda instance, how: None
        self.credentials_for = lambda profile_arn: None
        self.notices: dict[str, float] = {}
        self.rebooted: list[str] = []

    def launched(self, instance) -> None:
        self._later(self.pending_seconds, lambda: self.on_running(instance))

    start = launched

    def terminate(self, instance) -> None:
        self._later(self.shutdown_seconds, lambda: self.on_ended(instance, "poweroff"))

    stop = terminate

    def reboot(self, instance) -> None:
        self.rebooted.append(instance.id)
        self._later(self.shutdown_seconds, lambda: self.on_ended(instance, "reboot"))

    def console(self, instance) -> str:
        return f"boot of {instance.id}\n"

    def spot_notice(self, instance, when: float) -> None:
        self.notices[instance.id] = when

    def ends(self, instance, how: str) -> None:
        """The machine powers off ("poweroff"), reboots or crashes by itself."""
        self.on_ended(instance, how)

    @staticmethod
    def _later(seconds: float, work) -> None:
        timer = threading.Timer(seconds, work)
        timer.daemon = True
        timer.start()
