"""A host's serial console: a terminal of which the last 64 KB stay."""

import os
import threading

KEPT = 64 * 1024


class Console:
    """Written by the host, read by GetConsoleOutput; it stays through reboots and after the end."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        self.path = os.ttyname(self._slave)
        self._text = bytearray()
        self._lock = threading.Lock()
        self._open = True
        threading.Thread(target=self._read, daemon=True).start()

    def text(self) -> str:
        with self._lock:
            return self._text.decode("utf-8", "replace").replace("\r\n", "\n")

    def write(self, text: str) -> None:
        """What the firmware would say."""
        with self._lock:
            self._keep(text.encode())

    def close(self) -> None:
        """No more will come; the reader meets the end of the terminal once the last host process is gone."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._slave)

    def _keep(self, data: bytes) -> None:
        self._text += data
        del self._text[:-KEPT]

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 4096)
            except OSError:
                break
            if not data:
                break
            with self._lock:
                self._keep(data)
        os.close(self._master)
