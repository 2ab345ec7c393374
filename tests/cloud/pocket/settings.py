"""What one pocket cloud is set to; `start` passes these on as POCKET_… variables, where a test may set them."""

import os
from dataclasses import dataclass


@dataclass
class Settings:
    """The name in upper case after POCKET_ is the variable that sets it."""

    region: str = "eu-west-1"
    gateway: str = "10.77.0.1"
    api_port: int = 5000
    control_port: int = 5001
    base: str = ""                    # the folder with the root of every host
    pending_seconds: float = 0.5      # at least this long an instance is pending
    shutdown_seconds: float = 5.0     # what an orderly shutdown may take before the machine is switched off
    disk_mb: int = 1024               # size of a host's disk, held in memory
    memory_mb: int = 2048

    @property
    def endpoint(self) -> str:
        return f"http://{self.gateway}:{self.api_port}"

    @property
    def control(self) -> str:
        return f"http://{self.gateway}:{self.control_port}"

    @classmethod
    def from_environment(cls) -> "Settings":
        settings = cls()
        for name, default in vars(settings).items():
            text = os.environ.get("POCKET_" + name.upper())
            if text is not None:
                setattr(settings, name, type(default)(text))
        return settings
