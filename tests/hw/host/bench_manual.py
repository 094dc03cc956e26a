"""The macro's pins driven by software, one after the other. Runs inside the simulator (see test_bus.py)."""

import cocotb
from cocotb.triggers import RisingEdge

from mho.macro_models.integer.operation import Direction
from tests.hw.host.bench_core import BACKWARD as SEARCH
from tests.hw.host.bench_core import CELLS, FORWARD, LINES, Host, begin, decrements, expected, macro, vector

PRECHARGE, SAMPLE, COMPARE, DECREMENT, VERIFY, SET, RESET = 1, 2, 4, 8, 16, 1 << 5, 2 << 5
BACKWARD, LATCH, WRITE_MODE = 1, 2, 1 << 8


async def enter(host: Host) -> None:
    await host.write("manual_control", 1)
    while not await host.read("manual_status") & 1:
        pass


async def rows(host: Host, positive: int, negative: int, word_lines: int) -> None:
    for name, value in (("positive", positive), ("negative", negative), ("word_lines", word_lines)):
        await host.write(f"manual_{name}", value)


async def convert(host: Host, direction: Direction, step_code: int, limit: int) -> tuple[int, list[int]]:
    """Compare, then decrement until the last line has flipped: signs, and the decrements of each line before that."""
    level = BACKWARD * direction
    await host.write("manual_amounts", step_code)
    await host.write("manual_levels", level | LATCH)
    await host.write("manual_strobe", COMPARE)
    signs = await host.read("manual_cmp")
    await host.write("manual_levels", level)
    counts = [limit] * LINES
    for step in range(limit):
        await host.write("manual_strobe", DECREMENT)
        await host.write("manual_strobe", COMPARE)
        flipped = await host.read("manual_cmp") ^ signs
        counts = [min(n, step) if flipped >> k & 1 else n for k, n in enumerate(counts)]
    return signs, counts


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def test_a_product_by_hand(dut) -> None:
    """Planes 1 and 0 of an input, sampled twice and once; decrements are counted here."""
    host = await begin(dut)
    await enter(host)
    limit = 9
    for direction, op in ((Direction.FORWARD, FORWARD), (Direction.BACKWARD, SEARCH)):
        x = vector(op, 5) % 4
        level = BACKWARD * direction
        sums = CELLS @ x if direction else x @ (CELLS[::2] - CELLS[1::2])
        charges = [2 * int(total) + 1 for total in sums]
        load = CELLS.sum(axis=direction).max()
        step_code = int(max(map(abs, charges)) / limit / load * 2**13)
        await host.write("manual_levels", level)
        await host.write("manual_strobe", PRECHARGE)
        for plane in (1, 0):
            lines = sum((int(code) >> plane & 1) << k * (2 - direction) for k, code in enumerate(x))
            await rows(host, lines, 0 if direction else lines << 1, 0xFFFF)
            await host.write("manual_levels", level | plane << 2)
            for _ in range(2**plane):
                await host.write("manual_strobe", SAMPLE)
        await rows(host, 0, 0, 0xFFFF)
        signs, counts = await convert(host, direction, step_code, limit)
        assert signs == sum((charge < 0) << k for k, charge in enumerate(charges))
        steps = decrements(direction, step_code, CELLS)
        assert counts == [min(abs(charge) // step, limit) for charge, step in zip(charges, steps, strict=True)]
        assert len(set(counts)) > 1
    await host.write("manual_control", 0)
    x = vector(FORWARD, 1)
    await host.describe(FORWARD)
    await host.give(x)
    await host.start()
    assert await host.take() == expected(FORWARD, x)


async def read_cell(host: Host) -> int:
    await host.write("manual_strobe", VERIFY)
    while not (value := await host.read("manual_status")) & 8:
        pass
    return value >> 4 & 0xFFF


async def widths(dut, measured: list[int]) -> None:
    """Widths of the pulses at the macro, in cycles."""
    pins, width = macro(dut), 0
    while True:
        await RisingEdge(dut.clk)
        if pins.set_pulse.value == 1 or pins.reset_pulse.value == 1:
            width += 1
        elif width:
            measured.append(width)
            width = 0


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def test_a_cell_is_programmed_by_hand(dut) -> None:
    """Pulses of both kinds move the cell that is read back; without the pin there is none."""
    host = await begin(dut)
    measured: list[int] = []
    watch = cocotb.start_soon(widths(dut, measured))
    await enter(host)
    await host.write("manual_levels", WRITE_MODE)
    await rows(host, 1 << 3, 1 << 9, 1 << 3)
    await host.write("manual_pulse_time", 0)
    assert await host.read("manual_pulse_time") == 1
    await host.write("manual_pulse_time", 20)
    codes = [await read_cell(host)]
    for kind in (SET, RESET):
        for amplitude in (100, 200):
            await host.write("manual_amounts", amplitude << 16)
            await host.write("manual_strobe", kind)
            while await host.read("manual_status") & 2:
                pass
            codes.append(await read_cell(host))
    assert measured == [20] * 4
    assert codes[0] <= codes[1] < codes[2] > codes[3], codes
    CELLS[3, 9] = codes[-1]
    dut.programming_enable.value = 0
    await host.write("manual_strobe", SET)
    assert not await host.read("manual_status") & 2
    assert len(measured) == 4
    watch.cancel()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def test_it_can_be_locked(dut) -> None:
    host = await begin(dut)
    # Strobes without it are none.
    await host.write("manual_strobe", PRECHARGE | SAMPLE)
    await host.write("manual_positive", 0xFFFF)
    assert macro(dut).bl_pos.value == 0
    await host.write("trim_lock", 1)
    await host.write("manual_control", 1)
    assert await host.read("manual_status") & 1 == 0
