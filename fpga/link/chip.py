"""A simulated chip of tiles behind its serial line: random accesses beside programs."""

import json
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from fpga.link.client import LinkClient
from fpga.link.errors import BusFault
from fpga.link.simulated import PinsTransport
from hw.board.chip import UartChip
from hw.chip import ChipParts
from hw.config import Chip
from hw.host.link.tasks import Read, Write
from hw.host.link.uart import UartConfig
from sim.build.bench import cached_bench
from sim.build.verilate import hardware_hash
from sim.chip.programs import Programs
from sim.chip.simulation import chip_text
from sim.chip.traffic import Expected
from sim.chip.verify import ChipReport, require_tiles, run_programs

__all__ = ["LinkBus", "verify_line"]

_UART = UartConfig(clock_hz=24_000_000, baud=3_000_000)
_TOP = "mho_uart_chip_top"


class LinkBus:
    """A :class:`sim.chip.simulation.ChipBus` at the other end of the line; legal accesses share requests.

    Parameters
    ----------
    client
        The line, which is open.
    """

    def __init__(self, client: LinkClient) -> None:
        self.client = client

    def answer(self, accesses: Sequence[Expected]) -> list[tuple[bool, int]]:
        """As there."""
        found: list[tuple[bool, int]] = []
        together: list[Expected] = []
        for one in [*accesses, None]:
            if one is not None and not one.error:
                together.append(one)
                continue
            found += self._several(together)
            together = []
            if one is not None:
                found.append(self._alone(one))
        return found

    def _several(self, accesses: Sequence[Expected]) -> list[tuple[bool, int]]:
        words = self.client.execute([_task(one) for one in accesses])
        return [(False, int(got[0]) if one.data is None else 0) for one, got in zip(accesses, words, strict=True)]

    def _alone(self, one: Expected) -> tuple[bool, int]:
        try:
            return False, self._several([one])[0][1]
        except BusFault:
            return True, 0


def _task(one: Expected) -> Read | Write:
    return Read(one.address) if one.data is None else Write(one.address, one.data, strobe=one.strobe)


def verify_line(
    chip: Chip, *, accesses: int, seed: int = 0, progress: Callable[[int, int], object] = lambda *_: None
) -> ChipReport:
    """Run two programs on the Verilog of a chip while its host reads and writes over the serial line.

    A bit of the line lasts 8 cycles.

    Parameters
    ----------
    chip
        A chip of at least three tiles.
    accesses, seed, progress
        As of :func:`sim.chip.verify.verify_chip`.

    Raises
    ------
    InputError
        If the chip has fewer tiles.
    ToolError
        If anything is not as expected, or a tool is missing or fails.
    """
    parts = require_tiles(chip)
    line, numbers = PinsTransport(_build(chip), _UART), count(1)
    try:
        client = LinkClient(line, patience=60, wait=0.02, nonce=lambda: next(numbers))
        client.open()
        errors, images = run_programs(LinkBus(client), Programs(chip), accesses, seed=seed, progress=progress)
        return ChipReport.of(
            parts, host="serial line", accesses=accesses, errors=errors, images=images, cells=0,
            cycles=round(line.now() * _UART.clock_hz),
        )
    finally:
        line.close()


def _build(chip: Chip) -> Path:
    """Folder of the simulator, from the cache or built now."""
    key = [json.dumps(chip.hardware("core", "noc", "tile").to_dict(), sort_keys=True), hardware_hash(), str(_UART)]
    return cached_bench(
        "chip-line", key, lambda: chip_text(chip, UartChip(ChipParts.from_chip(chip), _UART), _TOP), top=_TOP
    )
