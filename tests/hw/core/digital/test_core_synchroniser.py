"""Pins of the macro in a clock of their own: looked at only when they have to stand."""

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Value

from mho.hw.config import SYNCHRONISER_CYCLES, load_chip
from mho.hw.core.layout import pack, pack_inputs
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.core import TnsaCore
from mho.macro_models.errors import InputError
from tests.hw.amaranth_bench import collect, feed, random_inputs, random_operation, simulate
from tests.hw.exact_array import ExactArray
from tests.hw.kinds.tnsa.timeline import TimedReference

STROBES = ("precharge", "sample", "compare", "decrement")


def _chip(pins: tuple[str, ...], cycles: int = 2) -> Any:
    durations = {f"timing.t_{name}_ns": 10 * cycles for name in ("reset", "plane", "sample", "compare", "decrement")}
    return load_chip("tnsa16-core", {**durations, "core.synchronise": list(pins), "core.trim": False})


def _run(cfg: TnsaCoreConfig, macro: Any, seed: int) -> tuple[dict[str, int], TimedReference]:
    """Random operations with the process that ``macro(array, pins)`` gives at the pins; checks their codes."""
    rng = np.random.default_rng(seed)
    array = ExactArray.random(16, rng)
    reference, dut, words, expected = TimedReference(cfg, array), TnsaCore(cfg), list[int](), list[int]()
    ops = [random_operation(rng, out_bits=int(rng.integers(1, 6))) for _ in range(8)]
    inputs = [pack_inputs(random_inputs(op, 16, rng)[0]) for op in ops]
    for op, x in zip(ops, inputs, strict=True):
        expected += reference.run(pack(op), x)
    status: dict[str, int] = {}

    async def observe(ctx: Any) -> None:
        for _ in ops:
            await ctx.tick().until(dut.status.done)
        status.update({name: ctx.get(getattr(dut.status, name)) for name in ("cycles_analog", "cycles_hold")})

    simulate(
        dut, observe, collect(dut.o, len(expected), words), feed(dut.op, [pack(op) for op in ops]),
        feed(dut.i, [word for x in inputs for word in x]),
        processes=macro(array, dut.macro),
    )
    assert words == expected
    return status, reference


@pytest.mark.slow
@pytest.mark.parametrize("pins", [(), ("cmp",), ("cmp", "hold")])
@pytest.mark.parametrize("macro_cycles", [2, 5])
def test_cmp_may_be_anything_but_where_it_is_looked_at(pins: tuple[str, ...], macro_cycles: int) -> None:
    cfg = TnsaCoreConfig.from_chip(_chip(pins, macro_cycles))
    assert cfg.compare_cycles == macro_cycles + SYNCHRONISER_CYCLES * bool(pins)
    rng = np.random.default_rng(macro_cycles)

    def macro(array: ExactArray, at: Any) -> list[Any]:
        # The strobe is in the first cycle of the compare, the last that the macro has is `macro_cycles - 1` later.
        return [array.process(at, show=lambda age, cmp: cmp if age == macro_cycles - 1 else int(rng.integers(2**16)))]

    status, reference = _run(cfg, macro, macro_cycles)
    assert status == {"cycles_analog": reference.cycles_analog, "cycles_hold": 0}


@pytest.mark.slow
@pytest.mark.parametrize("pins", [(), ("hold",)])
@pytest.mark.parametrize("macro_cycles", [2, 4])
def test_hold_in_the_last_cycle_of_the_macro_lengthens_its_operation(pins: tuple[str, ...], macro_cycles: int) -> None:
    cfg = TnsaCoreConfig.from_chip(_chip(pins, macro_cycles))
    assert cfg.reset_cycles == cfg.plane_cycles == macro_cycles + SYNCHRONISER_CYCLES * len(pins)
    rng = np.random.default_rng(macro_cycles)
    held_cycles = 0

    def macro(array: ExactArray, at: Any) -> list[Any]:
        async def hold(ctx: Any) -> None:
            nonlocal held_cycles
            wait = left = 0
            async for _, _, *strobes in ctx.tick().sample(*(getattr(at, name) for name in STROBES)):
                if any(strobes):
                    assert not left, "an operation begins while the macro holds the last"
                    wait, left = macro_cycles - 1, int(rng.integers(4))
                up = wait <= 1 and left > 0
                wait, left = wait - 1, left - up
                held_cycles += up
                ctx.set(at.hold, up)

        return [array.process(at), hold]

    status, reference = _run(cfg, macro, macro_cycles)
    assert status["cycles_analog"] == reference.cycles_analog
    assert status["cycles_hold"] == held_cycles > 50


@pytest.mark.slow
@pytest.mark.parametrize("pins", [(), ("verify_valid",), ("hold", "verify_valid")])
def test_verify_read_waits_for_valid_and_takes_the_code_with_it(pins: tuple[str, ...]) -> None:
    chip = _chip(pins)
    cfg, write = TnsaCoreConfig.from_chip(chip), WriteVerifyConfig.from_chip(chip)
    plain = WriteVerifyConfig.from_chip(_chip(()))
    assert write.verify_cycles == plain.verify_cycles + SYNCHRONISER_CYCLES * bool(pins)
    assert write.setup_cycles == plain.setup_cycles + SYNCHRONISER_CYCLES * ("hold" in pins)
    dut, rng = TnsaCore(cfg, write), np.random.default_rng(7)
    read = rng.random(256) < 0.15
    code = [int(value) for value in rng.integers(1, 2**write.verify_bits, 256)]
    cells: list[Any] = []
    reads: list[int] = []

    async def macro(ctx: Any) -> None:
        at, left, wl, sl = dut.macro, 0, 0, 0
        async for _, _, verify, row, col in ctx.tick().sample(at.verify, at.write_wl, at.write_sl):
            left -= 1
            if verify:
                wl, sl, left = row.bit_length() - 1, col.bit_length() - 1, int(rng.integers(1, 60))
                reads.append(left)
            # Valid is 0 from the cycle after the strobe on, and the code is anything until it is 1 again.
            ctx.set(at.verify_valid, left <= 0)
            ctx.set(at.verify_code, code[16 * wl + sl] if left <= 0 else int(rng.integers(2**write.verify_bits)))

    async def start(ctx: Any) -> None:
        parameters = WriteVerifyParameters(passes=1, confirmations=0, max_pulses=0)
        ctx.set(Value.cast(dut.parameters), parameters.pack(write))
        # The engine sees the pin that enables programming two cycles later.
        await ctx.tick().repeat(3)
        ctx.set(dut.write_start, 1)
        await ctx.tick()
        ctx.set(dut.write_start, 0)

    targets = [{"code": 0, "skip": int(not is_read)} for is_read in read]
    simulate(dut, start, feed(dut.target, targets), collect(dut.cell, 256, cells), processes=[macro])
    assert [cell.code for cell in cells] == [value * int(is_read) for value, is_read in zip(code, read, strict=True)]
    assert min(reads) < write.verify_cycles < max(reads)


def test_description_names_pins_that_can_be_synchronised() -> None:
    sentence = r'core\.synchronise must be a list of cmp, hold or verify_valid, not \["cnp"\]$'
    with pytest.raises(InputError, match=sentence):
        load_chip("tnsa16-core", {"core.synchronise": ["cnp"]})
