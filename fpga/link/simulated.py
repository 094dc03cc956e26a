"""The host link through the pins of verilated Verilog; time passes only while somebody waits."""

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib import wiring

from hw.host.link.uart import UartConfig
from macro_models.errors import ToolError
from sim.build.children import Child
from sim.build.verilate import verilate

__all__ = ["PinsTransport", "build_pins"]

_MAIN = Path(__file__).resolve().parents[1] / "hdl" / "link_main.cpp"


def build_pins(top: wiring.Component, folder: Path) -> Path:
    """Verilate ``top``, whose pins are those of :class:`fpga.link.probe.ProbeTop`.

    Returns
    -------
    Path
        The program.

    Raises
    ------
    ToolError
        If Verilator is missing or fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "top.v").write_text(verilog.convert(top, name="top", emit_src=False), encoding="utf-8")
    return verilate(folder, [folder / "top.v", _MAIN], top="top")


class PinsTransport:
    """A line to the pins of a simulation.

    Parameters
    ----------
    program
        From :func:`build_pins`.
    uart
        Clock and rate of the line.
    to_device, to_host
        What the line does to the bytes.

    Raises
    ------
    ToolError
        From all methods, if the simulation ended.
    """

    name = "simulation"

    def __init__(
        self, program: Path, uart: UartConfig, *,
        to_device: Callable[[bytes], bytes] = bytes, to_host: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self.uart = uart
        self.byte_s = 10 / uart.baud
        self._to_device, self._to_host = to_device, to_host
        self._cycles = 0
        self._process = Child([program, str(uart.period)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _command(self, letter: bytes, number: int, data: bytes = b"") -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(letter + struct.pack("<I", number) + data)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise ToolError("the simulation ended") from error

    def write(self, data: bytes) -> None:
        """Send ``data``, after what is still being sent."""
        data = self._to_device(data)
        self._command(b"W", len(data), data)

    def read(self, timeout: float) -> bytes:
        """What comes, or nothing after ``timeout`` seconds of the simulation."""
        self._command(b"R", max(int(timeout * self.uart.clock_hz), 1))
        assert self._process.stdout is not None
        head = self._process.stdout.read(8)
        if len(head) < 8:
            raise ToolError("the simulation ended")
        cycles, count = struct.unpack("<II", head)
        self._cycles += cycles
        return self._to_host(self._process.stdout.read(count))

    def now(self) -> float:
        """Seconds of the simulation."""
        return self._cycles / self.uart.clock_hz

    def run(self, cycles: int) -> None:
        """Let time pass."""
        self._command(b"T", cycles)
        self._cycles += cycles

    def reset_link(self, cycles: int = 3) -> None:
        """Reset the device's end of the link, whatever it is doing."""
        self._command(b"X", cycles)
        self._cycles += cycles

    def reopen(self) -> None:
        """What is on its way stays there."""

    def close(self) -> None:
        """End the simulation."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.end(1.0)
