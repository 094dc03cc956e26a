"""A core whose macro is cut off for tests. Runs inside the simulator (see test_bus.py)."""

import cocotb
from cocotb.triggers import FallingEdge

from mho.hw.config import load_chip
from mho.hw.kinds.tnsa.pins import MacroPins
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from tests.hw.host.bench_core import FORWARD, LINES, begin, expected, macro, vector

DRIVEN = [
    name for name in MacroPins.from_chip(load_chip("tnsa16-core")).members
    if name not in ("cmp", "hold", "verify_code", "verify_valid")
]


async def watch(dut, moved: set[str]) -> None:
    """Pins of the macro that are ever 1."""
    pins = [(name, getattr(macro(dut), name)) for name in DRIVEN]
    while True:
        await FallingEdge(dut.clk)
        moved.update(name for name, pin in pins if pin.value != 0)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def test_with_the_pin_the_macro_is_held_and_the_digital_side_sees_itself(dut) -> None:
    """A compare sees what was at the pins a cycle before: the word lines alone, so that these give the signs."""
    host = await begin(dut)
    word_lines = 0x5A3C
    await host.write("masks", word_lines, word=2)
    dut.test_mode.value = 1
    moved: set[str] = set()
    looking = cocotb.start_soon(watch(dut, moved))
    op = TnsaOperation(direction=Direction.FORWARD, in_bits=4, out_bits=6, step_code=3, wl_select=2, early_stop=False)
    await host.describe(op)
    await host.give(vector(op, 3))
    await host.start()
    full_scale = 2 * op.max_steps + 1
    assert await host.take() == [-full_scale if word_lines >> k & 1 else full_scale for k in range(LINES)]
    # A run of write-verify, and pulses by hand.
    await host.write("write_control", 1)
    await host.write("targets", 300)
    for _ in range(20):
        await host.read("write_status")
    await host.write("control", 2)
    await host.write("manual_control", 1)
    await host.write("manual_levels", 1 << 8)
    await host.write("manual_positive", 3)
    await host.write("manual_strobe", 1 << 5)
    await host.write("manual_control", 0)
    assert not moved
    looking.cancel()
    dut.test_mode.value = 0
    await host.write("control", 2)
    x = vector(FORWARD, 1)
    await host.wait("ready")
    await host.describe(FORWARD)
    await host.give(x)
    await host.start()
    assert await host.take() == expected(FORWARD, x)
