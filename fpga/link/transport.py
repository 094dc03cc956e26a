"""What carries the bytes of the host link: a serial port, or anything like it; how long to wait for an answer."""

import errno
import time
from types import ModuleType
from typing import Any, Protocol

from mho.hw.host.link.format import Status
from mho.macro_models.errors import InputError, ToolError


class LinkError(ToolError):
    """Base of the failures of the link."""


class BoardLost(LinkError):
    """Nothing answers: unplugged, not programmed, another rate."""


class BoardReset(LinkError):
    """The board forgot the session: it was reset, or another program opened the link."""


class BusFault(LinkError):
    """An access failed on the board; those before it were done, those after it were not.

    Parameters
    ----------
    sentence
        What happened.
    address
        Byte address of the access.
    status
        What became of it.
    done
        Accesses before it that were done.
    read
        Words that these have read, of 4 bytes each, little endian.
    """

    def __init__(self, sentence: str, address: int, status: Status, done: int = 0, read: bytes = b"") -> None:
        super().__init__(sentence)
        self.address, self.status, self.done, self.read = address, status, done, read

    def behind(self, done: int, read: bytes) -> "BusFault":
        """The same after further accesses, those of earlier requests."""
        return BusFault(str(self), self.address, self.status, done + self.done, read + self.read)


HEADS = 44
"""Bytes of a request and its answer beside their words: those of one command."""

_SURE = 0.7
"""Damages in a request and its answer that are expected at most: half of them then come through."""

_PATIENT_S = 0.5
"""How much longer to wait where nothing says that answers are late."""

_REMEMBERED = 1 << 16
"""Bytes after which what was seen counts half."""


class Pace:
    """Waits as TCP does, from the mean and the deviation of the time to an answer, and shorter requests on a bad line.

    A request that is not answered in time was lost, and is sent again soon; or answers take longer than they did, which
    shows when one comes twice: only then waits grow.

    Parameters
    ----------
    byte_s
        Seconds that a byte takes on the line.
    first
        Seconds to wait for the first answer, beside its time on the line.
    longest
        Seconds to wait at most.
    """

    def __init__(self, byte_s: float, first: float, longest: float) -> None:
        self.turn_s = 0.0
        """Mean time until an answer begins, execution included; 0 until one was seen."""
        self._byte_s, self._least, self._longest = byte_s, first / 16, longest
        self._wait, self._spread_s, self._most = first, 0.0, max(2 * first, 1.0)
        self._grown = HEADS * 5 // 4
        self._bytes = self._lost = 0.0

    def wait(self, length: int) -> float:
        """Seconds until a request is sent again that is with its answer at most ``length`` bytes long."""
        return self._wait + self._byte_s * length

    def missed(self) -> None:
        """No answer came in that time."""
        self._wait = min(1.5 * self._wait, self._most)

    def answered(self, seconds: float, length: int, attempts: int) -> None:
        """An answer came, ``seconds`` after the request was sent ``attempts`` times; both are ``length`` bytes long."""
        self._lost += attempts - 1
        self._bytes += attempts * length
        if self._bytes > _REMEMBERED:
            self._bytes, self._lost = self._bytes / 2, self._lost / 2
        if attempts > 1:
            return  # nobody knows which of them was answered
        self._grown = max(self._grown, length)
        sample = max(seconds - self._byte_s * length, 0.0)
        if not self.turn_s:
            self.turn_s, self._spread_s = sample, sample / 2
        self._spread_s += (abs(sample - self.turn_s) - self._spread_s) / 4
        self.turn_s += (sample - self.turn_s) / 8
        self._wait = min(self.turn_s + max(4 * self._spread_s, self.turn_s / 4, self._least), self._longest)
        self._most = min(4 * self._wait, self._wait + _PATIENT_S, self._longest)

    def late(self) -> None:
        """An answer came that was not waited for any more: it was not lost."""
        self._lost = max(self._lost - 1, 0.0)
        self._most = min(2 * self._most, self._longest)

    @property
    def room(self) -> int:
        """Bytes of the next request and its answer: twice those that came through, fewer where many are damaged."""
        rate = self._lost / self._bytes if self._lost else 0.0
        return int(min(2 * self._grown, _SURE / rate if rate else 2 * self._grown))


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

        Raises ToolError if that is not possible (yet).
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

    Raises InputError if the rate is not possible. Raises ToolError if there is no such port, it is in use, or the user
    may not open it.

    Parameters
    ----------
    port
        Its name: ``/dev/ttyUSB1``, ``COM3``.
    baud
        Bits per second.
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
