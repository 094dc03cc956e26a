"""What carries the bytes of the host link: a serial port, or anything like it."""

import errno
import time
from types import ModuleType
from typing import Any, Protocol

from mho.fpga.link.errors import BoardLost
from mho.macro_models.errors import InputError, ToolError

__all__ = ["UDEV_RULE", "SerialTransport", "Transport"]

UDEV_RULE = 'SUBSYSTEM=="tty", ATTRS{idVendor}=="0403", MODE="0660", TAG+="uaccess"'
"""Gives the user at the screen access to the FTDI chips on most boards."""

_SLICE_S = 0.05
"""How long one read of the port waits at most."""


class Transport(Protocol):
    """A line of bytes to a board."""

    name: str
    """For messages."""
    byte_s: float
    """Seconds a byte takes."""

    def write(self, data: bytes) -> None:
        """Send ``data``."""
        ...

    def read(self, timeout: float) -> bytes:
        """What has come, at least one byte; or nothing after ``timeout`` seconds."""
        ...

    def now(self) -> float:
        """Seconds of the clock that timeouts are measured with."""
        ...

    def reopen(self) -> None:
        """Forget what has come; open the line again if it was lost.

        Raises
        ------
        ToolError
            If that is not possible (yet).
        """
        ...

    def close(self) -> None:
        """Give the line back."""
        ...


def _pyserial() -> ModuleType:
    try:
        import serial
    except ImportError as error:
        raise ToolError("pyserial is missing; install it with: pip install 'mho[fpga]'") from error
    return serial


def _ports() -> str:
    from serial.tools.list_ports import comports

    return ", ".join(sorted(port.device for port in comports())) or "none"


class SerialTransport:
    """A serial port, also a pseudo-terminal; nobody else can open it at the same time.

    Parameters
    ----------
    port
        Its name: ``/dev/ttyUSB1``, ``COM3``.
    baud
        Bits per second.

    Raises
    ------
    InputError
        If the rate is not possible.
    ToolError
        If there is no such port, it is in use, or the user may not open it.
    """

    def __init__(self, port: str, baud: int = 1_000_000) -> None:
        if baud < 1:
            raise InputError(f"baud rate must be at least 1, not {baud}")
        self.name, self.baud = port, baud
        self.byte_s = 10 / baud
        self._serial: Any = None
        self.reopen()

    def reopen(self) -> None:
        """Open the port, or forget what has come."""
        serial = _pyserial()
        if self._serial is not None and self._usable():
            return
        self.close()
        try:
            self._serial = serial.Serial(self.name, self.baud, timeout=_SLICE_S, write_timeout=5, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise ToolError(self._sentence(error)) from error
        try:
            self._serial.set_low_latency_mode(True)  # else some adapters keep bytes for 16 ms
        except (AttributeError, OSError, ValueError, NotImplementedError):
            pass
        self._usable()

    def _usable(self) -> bool:
        try:
            self._serial.reset_input_buffer()
        except (OSError, _pyserial().SerialException):
            return False
        return True

    def _sentence(self, error: Exception) -> str:
        number = getattr(error, "errno", None)
        if number in (errno.EACCES, errno.EPERM):
            return (
                f"{self.name}: no permission to open it; add yourself to the group of the device (dialout), or put "
                f"this line into /etc/udev/rules.d/70-mho.rules and plug the board in again: {UDEV_RULE}"
            )
        if number == errno.EBUSY or "lock" in str(error):
            return f"{self.name}: another program has it open"
        if number == errno.ENOENT or isinstance(error, FileNotFoundError):
            return f"{self.name}: no such port; ports that exist: {_ports()}"
        return f"{self.name}: {str(error).splitlines()[0]}"

    def write(self, data: bytes) -> None:
        """Send ``data``."""
        try:
            self._open().write(data)
        except (OSError, _pyserial().SerialException) as error:
            raise self._lost() from error

    def read(self, timeout: float) -> bytes:
        """What has come, at least one byte; or nothing after ``timeout`` seconds."""
        port, end = self._open(), self.now() + timeout
        try:
            while True:
                data = port.read(1)
                if data:
                    return data + port.read(port.in_waiting)
                if self.now() >= end:
                    return b""
        except (OSError, TypeError, _pyserial().SerialException) as error:
            raise self._lost() from error

    def _open(self) -> Any:
        if self._serial is None:
            raise self._lost()
        return self._serial

    def _lost(self) -> BoardLost:
        self.close()
        return BoardLost(f"{self.name}: the board was unplugged or switched off")

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()

    def close(self) -> None:
        """Give the port back."""
        port, self._serial = self._serial, None
        if port is not None:
            try:
                port.close()
            except OSError:
                pass
