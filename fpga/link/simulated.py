"""The host link through the pins of verilated Verilog; time passes only while somebody waits."""

from collections.abc import Callable
from pathlib import Path

from mho.hw.host.link.uart import UartConfig
from mho.sim.build.bench import Bench


class PinsTransport:
    """A line to the pins of a simulation.

    Raises ToolError from all methods, if the simulation ended.

    Parameters
    ----------
    folder
        Of a bench (:mod:`mho.sim.build.bench`) whose design has the pins ``rx`` and ``tx``.
    uart
        Clock and rate of the line.
    to_device, to_host
        What the line does to the bytes.
    """

    name = "simulation"

    def __init__(
        self, folder: Path, uart: UartConfig, *,
        to_device: Callable[[bytes], bytes] = bytes, to_host: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self.uart = uart
        self.byte_s = 10 / uart.baud
        self._to_device, self._to_host = to_device, to_host
        self._cycles = 0
        self._bench = Bench(folder)
        self._bench.line("rx", "tx", uart.period)
        self._bench.reset()

    def write(self, data: bytes) -> None:
        """Send ``data``, after what is still being sent."""
        self._bench.send(self._to_device(data))

    def read(self, timeout: float) -> bytes:
        """What comes, or nothing after ``timeout`` seconds of the simulation."""
        cycles, data = self._bench.listen(max(int(timeout * self.uart.clock_hz), 1))
        self._cycles += cycles
        return self._to_host(data)

    def now(self) -> float:
        """Seconds of the simulation."""
        return self._cycles / self.uart.clock_hz

    def run(self, cycles: int) -> None:
        """Let time pass."""
        self._bench.run(cycles)
        self._cycles += cycles

    def reset_link(self, cycles: int = 3) -> None:
        """Reset the device's end of the link, whatever it is doing; the whole board where that cannot be done alone."""
        port = next(name for name in ("link_reset", "rst_n", "rst") if name in self._bench.ports)
        on = int(port != "rst_n")
        self._bench.set(port, on)
        self.run(cycles)
        self._bench.set(port, 1 - on)

    def reopen(self) -> None:
        """What is on its way stays there."""

    def close(self) -> None:
        """End the simulation."""
        self._bench.close()
