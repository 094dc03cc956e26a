"""A line in memory that damages bytes and has a clock of its own, to try the host link without waiting."""

from collections import deque
from collections.abc import Callable

import numpy as np

__all__ = ["ByteNoise", "MemoryTransport"]


class ByteNoise:
    """Drops, flips a bit of, or repeats some of the bytes of a line.

    Parameters
    ----------
    rate
        Probability that a byte is damaged; each of the three is as likely.
    rng
        Draws them.
    """

    def __init__(self, rate: float, rng: np.random.Generator) -> None:
        self.rate, self.rng = rate, rng
        self.damaged = 0
        """Bytes that were."""
        self._left = self._gap()

    def _gap(self) -> int:
        return int(self.rng.geometric(self.rate)) - 1 if self.rate else 1 << 62

    def __call__(self, data: bytes) -> bytes:
        """What comes out at the other end."""
        if len(data) <= self._left:
            self._left -= len(data)
            return data
        parts, at = [], 0
        while len(data) - at > self._left:
            at_fault = at + self._left
            byte = data[at_fault]
            fault, bit = self.rng.integers(3), int(self.rng.integers(8))
            damaged = b"" if fault == 0 else bytes([byte ^ 1 << bit]) if fault == 1 else bytes([byte, byte])
            parts += [data[at:at_fault], damaged]
            at, self._left = at_fault + 1, self._gap()
            self.damaged += 1
        self._left -= len(data) - at
        return b"".join([*parts, data[at:]])


class MemoryTransport:
    """A line to a device in memory; time passes only while somebody waits.

    Parameters
    ----------
    device
        What answers: bytes in, bytes out.
    to_device, to_host
        What the line does to the bytes.
    delay
        Seconds until an answer is there; answers keep their order.
    byte_s
        Seconds a byte takes.
    """

    name = "memory"

    def __init__(
        self, device: Callable[[bytes], bytes], *, to_device: Callable[[bytes], bytes] = bytes,
        to_host: Callable[[bytes], bytes] = bytes, delay: Callable[[], float] = lambda: 0.0, byte_s: float = 1e-5,
    ) -> None:
        self.device, self.byte_s = device, byte_s
        self._to_device, self._to_host, self._delay = to_device, to_host, delay
        self._coming: deque[tuple[float, bytes]] = deque()
        self._now = 0.0

    def write(self, data: bytes) -> None:
        """Send ``data``; the device answers at once."""
        self._now += self.byte_s * len(data)
        answer = self._to_host(self.device(self._to_device(data)))
        if answer:
            ready = self._now + self.byte_s * len(answer) + self._delay()
            self._coming.append((max(ready, self._coming[-1][0] if self._coming else 0.0), answer))

    def read(self, timeout: float) -> bytes:
        """The next answer, if it comes within ``timeout`` seconds."""
        end = self._now + timeout
        if self._coming and self._coming[0][0] <= end:
            ready, answer = self._coming.popleft()
            self._now = max(self._now, ready)
            return answer
        self._now = end
        return b""

    def now(self) -> float:
        """Seconds that have passed."""
        return self._now

    def reopen(self) -> None:
        """What is on its way stays there, as bytes in an adapter do."""

    def close(self) -> None:
        """Nothing."""
