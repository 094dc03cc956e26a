# amaranth: UnusedElaboratable=no
"""The load port as words of an address space: writes go through once, reads where there is something to read."""

from typing import Any

import numpy as np

from mho.hw.board.config import BoardConfig, address_width, load_base
from mho.hw.board.load_port import LoadPort, load_address_width, load_offset
from mho.hw.config import load_chip
from mho.hw.emulator.config import CELLS, EXTRA, TABLES, TAGS
from mho.hw.emulator.kinds.tnsa.config import LINES
from mho.hw.emulator.pulses.records import CONSTANTS, LOG, LOG_LEVEL, LOG_WINDOW, NORMALS, records_from
from mho.macro_models.integer.pulse import RECORD_WORDS
from tests.hw.amaranth_bench import simulate


def config(preset: str = "tnsa16-core", *, programs: bool = True) -> Any:
    return BoardConfig(chip=load_chip(preset), programs=programs).emulator


PIN = config()
RECORDS = records_from(PIN)
END = RECORDS + RECORD_WORDS * PIN.lines**2
READABLE = (LOG_LEVEL, LOG, LOG + 77, LOG + LOG_WINDOW - 1, RECORDS, RECORDS + 5, END - 1)
SILENT = (0, CONSTANTS, LOG_LEVEL - 1, LOG_LEVEL + 1, LOG - 1, LOG + LOG_WINDOW, LINES, NORMALS, RECORDS - 1, END)


class Emulator:
    """What is behind a load port: takes words, and gives each peek a number of its own, with pauses."""

    def __init__(self, dut: LoadPort, rng: np.random.Generator) -> None:
        self.dut, self.rng = dut, rng
        self.loads: list[tuple[int, int, int]] = []
        self.peeks: list[int] = []

    async def process(self, ctx: Any) -> None:
        load = self.dut.load
        reads = "peek" in self.dut.signature.members
        signals = [load.valid, load.ready, load.p.region, load.p.index, load.p.data]
        signals += [self.dut.peek.valid, self.dut.peek.ready, self.dut.peek.payload] if reads else []
        coming = None
        async for _, _, *values in ctx.tick().sample(*signals):
            if values[0] and values[1]:
                self.loads.append(tuple(values[2:5]))
            ctx.set(load.ready, int(self.rng.integers(2)))
            if not reads:
                continue
            # The word is there in the second cycle after the transfer, and not in the first.
            if coming is not None:
                ctx.set(self.dut.peeked, coming)
                coming = None
            if values[5] and values[6]:
                self.peeks.append(values[7])
                coming = 1000 + len(self.peeks)
                ctx.set(self.dut.peeked, 0)
            ctx.set(self.dut.peek.ready, int(self.rng.integers(2)))


def access(cfg: Any, accesses: list[tuple[int, bool, int, int]]) -> tuple[Emulator, list[tuple[bool, int]]]:
    """Carry out (address, write, data, strobe) on a load port; (error, word) of each, and what came out behind."""
    rng = np.random.default_rng(len(accesses))
    dut = LoadPort(cfg)
    emulator, answers = Emulator(dut, rng), []

    async def bench(ctx: Any) -> None:
        request, response = dut.bus.request, dut.bus.response
        for address, write, data, strobe in accesses:
            for name, value in (("address", address >> 2), ("write", write), ("data", data), ("strobe", strobe)):
                ctx.set(getattr(request.p, name), value)
            ctx.set(request.valid, 1)
            await ctx.tick().until(request.ready)
            # What a fast initiator shows next must not be taken before the answer.
            early = bool(rng.integers(2))
            ctx.set(request.valid, early)
            for _ in range(int(rng.integers(4)) if not early else 0):
                await ctx.tick()
            ctx.set(response.ready, 1)
            error, word = await ctx.tick().sample(response.p.error, response.p.data).until(response.valid)
            ctx.set(response.ready, 0)
            answers.append((bool(error), int(word)))

    simulate(dut, bench, processes=(emulator.process,))
    return emulator, answers


def test_reads_give_the_word_that_the_emulator_has_for_them_once() -> None:
    rng = np.random.default_rng(3)
    accesses, expected, loads, peeks = [], [], [], []
    for _ in range(400):
        kind, region = (int(value) for value in rng.integers(4, size=2))
        index, data = int(rng.choice((*READABLE, *SILENT))), int(rng.integers(2**32))
        strobe = 15 if kind < 3 else int(rng.integers(15))
        region = EXTRA if kind == 0 else region
        accesses.append((load_offset(PIN, region, index), kind >= 2, data, strobe))
        answer = (True, 0)
        if kind < 2 and region == EXTRA and index in READABLE:
            peeks.append(index)
            answer = (False, 1000 + len(peeks))
        elif kind == 2:
            loads.append((region, index, data))
            answer = (False, 0)
        expected.append(answer)
    emulator, answers = access(PIN, accesses)
    assert answers == expected
    assert emulator.loads == loads
    assert emulator.peeks == peeks
    assert set(peeks) == set(READABLE)


def test_without_cells_to_program_nothing_can_be_read() -> None:
    cfg = config(programs=False)
    assert not {"peek", "peeked"} & set(LoadPort(cfg).signature.members)
    indices = (0, min(LOG, cfg.load_words - 1), cfg.load_words - 1)
    reads = [(load_offset(cfg, region, k), False, 0, 15) for region in (CELLS, TABLES, TAGS, EXTRA) for k in indices]
    emulator, answers = access(cfg, [*reads, (load_offset(cfg, CELLS, 3), True, 5, 15)])
    assert answers == [(True, 0)] * len(reads) + [(False, 0)]
    assert emulator.loads == [(CELLS, 3, 5)]


def test_the_load_port_is_the_upper_half_of_the_address_space() -> None:
    cases = {("tnsa16-core", False): 21, ("neurram-core", False): 21, ("ulx3s-85f", True): 21,
             ("neurram-core", True): 25}
    for (preset, programs), width in cases.items():
        cfg = config(preset, programs=programs)
        assert (load_base(cfg), address_width(cfg)) == (1 << width - 1, width)
        assert load_address_width(cfg) <= width - 1
