"""A chip of tiles behind the host link: random accesses over the serial line beside programs."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from fpga.link.client import LinkClient
from fpga.link.errors import BusFault
from fpga.link.simulated import PinsTransport
from hw.board.chip import UartChip
from hw.chip import ChipParts
from hw.config import load_chip
from hw.host.link.tasks import Read, Write
from hw.host.link.uart import UartConfig
from sim.build.bench import build_bench
from sim.chip.simulation import chip_text
from sim.chip.traffic import Expected
from sim.chip.verify import check_programs, start_programs, with_traffic

CHIP = load_chip("tnsa16-core", {"mesh.columns": 3})
UART = UartConfig(clock_hz=24_000_000, baud=3_000_000)


class LinkBus:
    """A :class:`sim.chip.simulation.ChipBus` at the other end of the line; legal accesses share requests."""

    def __init__(self, client: LinkClient) -> None:
        self.client = client

    def answer(self, accesses: Sequence[Expected]) -> list[tuple[bool, int]]:
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


def run(folder: Path, accesses: int) -> int:
    """Random accesses over the line beside programs; the images that the programs made."""
    parts = ChipParts.from_chip(CHIP)
    build_bench(folder, chip_text(CHIP, UartChip(parts, UART), "mho_uart_chip_top"), "mho_uart_chip_top")
    line, numbers = PinsTransport(folder, UART), count(1)
    try:
        bus = LinkBus(LinkClient(line, patience=60, wait=0.02, nonce=lambda: next(numbers)))
        bus.client.open()
        start_programs(bus, parts)
        with_traffic(bus, parts, accesses)
        return check_programs(bus, parts)
    finally:
        line.close()


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make")
def test_random_accesses_over_the_line_beside_programs(tmp_path: Path) -> None:
    assert run(tmp_path, 500) > 10
