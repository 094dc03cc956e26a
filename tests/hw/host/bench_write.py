"""Programming of cells through the registers of a core behind a bus. Runs inside the simulator (see test_bus.py)."""

import json
import os
from dataclasses import asdict, replace

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.reference import RECORD, blind_cycles, cycles, give_pulses, map_words, program
from mho.hw.host.core.write_map import FIFO_DEPTH, RESULT_PULSES, RESULT_VALID, WORD_FLAG
from mho.hw.host.registers import Register
from mho.macro_models.integer.pulse import Polarity
from mho.sim.programming.cosim import record_words
from tests.hw.host.bench_core import CELLS, FORWARD, LINES, MAP, Host, begin, expected, vector

CFG = WriteVerifyConfig(lines=LINES, **json.loads(os.environ["MHO_WRITE"]))
SHORT = WriteVerifyParameters(
    tolerance=5, confirmations=1, passes=2, wait_cycles=3, set_cycles=2, reset_cycles=3, form_cycles=1, max_reversals=3
)
DONE, ERROR, OVERRUN = 2, 4, 8


class IdealCells:
    """What stands behind the pins in the macro's model: cells that move by the amplitude."""

    def __init__(self) -> None:
        self.code = CELLS.reshape(-1).astype(np.int64)

    def verify(self, cells):
        return self.code[cells]

    def pulse(self, cells, polarity, amplitude, cycles):
        move = np.where(polarity == Polarity.RESET, -amplitude, amplitude)
        self.code[cells] = np.clip(self.code[cells] + move, 0, 2**CFG.verify_bits - 1)

    def relax(self, write_pass):
        pass


async def parameters(host: Host, p: WriteVerifyParameters) -> None:
    values = {name: int(value) for name, value in asdict(p).items()}
    for register in MAP.registers:
        if {placed.field.name for placed in register.placed} <= values.keys():
            await host.write(register.name, sum(values[f.field.name] << f.low for f in register.placed))


async def flags(host: Host) -> dict[str, int]:
    register = MAP["write_status"]
    assert isinstance(register, Register)
    value = await host.read("write_status")
    return {p.field.name: value >> p.low & (2**p.field.width - 1) for p in register.placed}


async def levels(host: Host) -> tuple[int, int]:
    value = await host.read("write_levels")
    return value & 127, value >> 7


async def stream(host: Host, words: list[int]) -> list[int]:
    """Give all targets and take as many results; every word of a window is the same queue."""
    results: list[int] = []
    sent = 0
    while len(results) < len(words):
        room, waiting = await levels(host)
        for word in range(min(room, len(words) - sent, 16)):
            await host.write("targets", words[sent], word=word)
            sent += 1
        for word in range(min(waiting, 16)):
            results.append(await host.read("results", word=word))
    return results


async def fault_map(host: Host) -> list[int]:
    words = []
    for row in range(LINES):
        await host.write("fault_row", row)
        words.append(await host.read("faults"))
    return words


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def test_parameters_after_reset_are_those_of_the_chip(dut) -> None:
    host = await begin(dut)
    expected = json.loads(os.environ["MHO_PARAMETERS"])
    parameters = {}
    for register in MAP.registers:
        value = await host.read(register.name)
        for placed in register.placed:
            if placed.field.name in expected:
                parameters[placed.field.name] = value >> placed.low & (2**placed.field.width - 1)
    assert parameters == expected


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def test_cells_are_programmed_while_an_operation_waits(dut) -> None:
    host = await begin(dut)
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 2**CFG.verify_bits, (LINES, LINES))
    skip = rng.random((LINES, LINES)) < 0.1
    cells = IdealCells()
    reference = program(CFG, SHORT, targets, cells, skip)
    await parameters(host, SHORT)
    await host.write("interrupt_enable", 1 << 2)
    await host.write("write_control", 1)
    assert (await flags(host))["busy"]
    x = vector(FORWARD, 5)
    await host.describe(FORWARD)
    await host.give(x.tolist())
    await host.start()
    words = [int(t) | int(s) << WORD_FLAG for t, s in zip(targets.flat, skip.flat, strict=True)] * SHORT.passes
    results = np.array(await stream(host, words), dtype=np.int64).reshape(SHORT.passes, LINES, LINES)
    np.testing.assert_array_equal(results & 0xFFF, reference.codes)
    np.testing.assert_array_equal(results >> WORD_FLAG & 1, reference.faults)
    np.testing.assert_array_equal(results >> RESULT_PULSES, reference.counts)
    assert (results >> RESULT_VALID & 1).all()
    if dut.irq.value == 0:
        await RisingEdge(dut.irq)
    assert await flags(host) == {"busy": 0, "done": 1, "error": 0, "overrun": 0, "write_pass": 1, "enabled": 1}
    kinds = np.bincount(reference.pulses["polarity"], minlength=3)
    assert [await host.read(f"write_{name}") for name in ("sets", "resets", "forms")] == kinds.tolist()
    assert await host.read("write_reads") == reference.reads.sum()
    assert await host.read("write_faults") == reference.faults[-1].sum() > 5
    assert await host.read("write_cycles_total_low") >= cycles(CFG, SHORT, int(reference.reads.sum()), reference.pulses)
    assert await fault_map(host) == map_words(CFG, reference.faults[-1])
    # The operation began when the run had ended, and took the cells as they were then.
    CELLS[:] = cells.code.reshape(LINES, LINES)
    assert await host.take() == expected(FORWARD, x)
    await host.write("write_status", DONE)
    assert dut.irq.value == 0


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def test_start_stop_and_what_is_refused(dut) -> None:
    host = await begin(dut)
    await parameters(host, SHORT)
    await host.write("set_width", 0)
    for _ in range(2):
        await host.write("write_control", 1)
        status = await flags(host)
        assert (status["busy"], status["error"]) == (0, 1)
        await host.write("write_status", ERROR)
        assert not (await flags(host))["error"]
    assert await host.read("results") == 0
    await parameters(host, replace(SHORT, max_pulses=0, confirmations=0))
    for _ in range(FIFO_DEPTH):
        await host.write("targets", 0)
    assert await levels(host) == (0, 0)
    await host.write("targets", 0)
    assert (await flags(host))["overrun"] == 1
    await host.write("write_status", OVERRUN)
    await host.write("write_control", 1)
    await host.write("write_control", 1)
    assert (await flags(host))["overrun"] == 1
    while (await levels(host))[1] < FIFO_DEPTH:
        pass
    await host.write("write_control", 2)
    for _ in range(20):
        if (await flags(host))["done"]:
            break
    assert not (await flags(host))["busy"]
    results = [await host.read("results", word=word) for word in range(FIFO_DEPTH)]
    assert all(result >> RESULT_VALID & 1 and result >> RESULT_PULSES == 0 for result in results)
    await host.write("control", 2)
    assert await levels(host) == (FIFO_DEPTH, 0)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def test_listed_cells_get_pulses_without_reads(dut) -> None:
    host = await begin(dut)
    blind = replace(SHORT, blind=True)
    await parameters(host, blind)
    records = np.array([(0, 3, 0, 2), (5, 0, 1, 1), (5, 9, 0, 3), (15, 15, 1, 4)], dtype=RECORD)
    cells = IdealCells()
    pulses = give_pulses(CFG, blind, records, cells)
    await host.write("write_control", 1)
    for word in record_words(CFG, records, WORD_FLAG).tolist():
        await host.write("targets", word)
    while (await flags(host))["busy"]:
        pass
    kinds = np.bincount(pulses["polarity"], minlength=3)
    assert [await host.read(f"write_{name}") for name in ("sets", "resets", "forms")] == kinds.tolist()
    assert await host.read("write_reads") == 0
    assert await host.read("write_cycles_total_low") >= blind_cycles(CFG, records, pulses)
    CELLS[:] = cells.code.reshape(LINES, LINES)
    x = vector(FORWARD, 6)
    await host.describe(FORWARD)
    await host.give(x.tolist())
    await host.start()
    assert await host.take() == expected(FORWARD, x)
