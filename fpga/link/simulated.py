"""The host link through the pins of verilated Verilog, and a chip behind it: random accesses beside programs."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from mho.fpga.link.client import LinkClient
from mho.fpga.link.transport import BusFault
from mho.hw.chip.map import ChipParts
from mho.hw.chip.tops import ChipTop
from mho.hw.config import Chip
from mho.hw.host.link.format import Status
from mho.hw.host.link.tasks import Read, Write
from mho.hw.host.link.uart import UartConfig
from mho.sim.build.bench import Bench
from mho.sim.chip.programs import programs_of
from mho.sim.chip.simulation import build_apart
from mho.sim.chip.traffic import Expected
from mho.sim.chip.verify import ChipReport, require_tiles, run_programs


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


_UART = UartConfig(clock_hz=24_000_000, baud=3_000_000)
_TOP = "mho_uart_chip_top"


class LinkBus:
    """A :class:`mho.sim.chip.simulation.ChipBus` at the other end of the line.

    Accesses share requests, up to one that must fail, and neighbouring words a command. What fails is told with the
    accesses before it that were done; if it is another one than that, or fails otherwise, the answers show it.

    Parameters
    ----------
    client
        The line, which is open.
    """

    def __init__(self, client: LinkClient) -> None:
        self.client = client

    def answer(self, accesses: Sequence[Expected]) -> list[tuple[bool, int]]:
        """As there."""
        answers: list[tuple[bool, int]] = []
        while len(answers) < len(accesses):
            first = len(answers)
            end = next((k for k in range(first, len(accesses)) if accesses[k].error), len(accesses) - 1)
            answers += self._some(accesses[first : end + 1])
        return answers

    def _some(self, accesses: Sequence[Expected]) -> list[tuple[bool, int]]:
        """Answers of the accesses that were done: all, or those up to one that failed."""
        try:
            read, done, failed = b"".join(map(bytes, self.client.execute(_tasks(accesses)))), len(accesses), []
        except BusFault as fault:
            if fault.status is not Status.BUS_ERROR or fault.address != accesses[fault.done].address:
                raise
            read, done, failed = fault.read, fault.done, [(True, 0)]
        words = iter(np.frombuffer(read, "<u4").tolist())
        return [(False, next(words) if access.data is None else 0) for access in accesses[:done]] + failed


def _tasks(accesses: Sequence[Expected]) -> list[Read | Write]:
    """Commands: one for each run of words that are neighbours and are read, or written alike."""
    runs: list[list[Expected]] = []
    for access in accesses:
        if runs and _follows(runs[-1][-1], access):
            runs[-1].append(access)
        else:
            runs.append([access])
    return [
        Read(run[0].address, len(run)) if run[0].data is None
        else Write(run[0].address, [access.data or 0 for access in run], strobe=run[0].strobe)
        for run in runs
    ]


def _follows(last: Expected, access: Expected) -> bool:
    alike = (last.data is None) == (access.data is None) and (access.data is None or last.strobe == access.strobe)
    return alike and access.address == last.address + 4


def verify_line(
    chip: Chip, *, accesses: int, seed: int = 0, progress: Callable[[int, int], object] = lambda *_: None
) -> ChipReport:
    """Run programs on the Verilog of a chip while its host reads and writes over the serial line.

    A bit of the line lasts 8 cycles.

    Raises InputError if the chip has other tiles. Raises ToolError if anything is not as expected, or a tool is missing
    or fails.

    Parameters
    ----------
    chip
        A chip of at least three tiles, or of one.
    accesses, seed, progress
        As of :func:`mho.sim.chip.verify.verify_chip`.
    """
    parts = require_tiles(chip)
    line, numbers = PinsTransport(_build(chip, parts), _UART), count(1)
    try:
        client = LinkClient(line, patience=60, wait=0.02, nonce=lambda: next(numbers))
        client.open()
        errors, images = run_programs(LinkBus(client), programs_of(chip), accesses, seed=seed, progress=progress)
        return ChipReport.of(
            parts, host="serial line", accesses=accesses, errors=errors, images=images, cells=0,
            cycles=round(line.now() * _UART.clock_hz),
        )
    finally:
        line.close()


def _build(chip: Chip, parts: ChipParts) -> Path:
    """Folder of the simulator, from the cache or built now."""
    return build_apart("chip-line", chip, lambda: ChipTop(parts, wrap="uart", line=_UART), _TOP)
