"""Durations and limits that are registers: the core follows them as its reference does."""

from typing import Any

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.core.layout import pack, pack_inputs
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.kinds.tnsa.bring_up.trim import TrimLayout, trim_fields, trimmed
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.core import TnsaCore, tnsa_port
from mho.macro_models.errors import InputError
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from tests.hw.amaranth_bench import collect, put, random_inputs, random_operation, simulate
from tests.hw.exact_array import ExactArray
from tests.hw.kinds.tnsa.timeline import TimedReference

CFG = TnsaCoreConfig(
    lines=16, reset_cycles=1, plane_cycles=3, sample_cycles=2, compare_cycles=2, decrement_cycles=1, trim=True
)


def _values(rng: np.random.Generator, cfg: TnsaCoreConfig) -> dict[str, int]:
    """Durations anywhere in their ranges, the ends often; wide limits."""
    values = {}
    for field in trim_fields(cfg):
        if field.name.endswith("_cycles"):
            inner = int(rng.integers(field.least, field.most + 1))
            values[field.name] = int(rng.choice([field.least, inner, field.most]))
    return values


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_an_operation_takes_the_durations_of_its_start(seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = ExactArray.random(16, rng)
    reference, dut = TimedReference(CFG, array), TnsaCore(CFG)
    layout = TrimLayout(CFG)
    ops = [random_operation(rng, out_bits=int(rng.integers(1, 6))) for _ in range(12)]
    inputs = [pack_inputs(random_inputs(op, 16, rng)[0]) for op in ops]
    words: list[int] = []
    expected: list[int] = []

    async def drive(ctx: Any) -> None:
        for op, x in zip(ops, inputs, strict=True):
            values = _values(rng, CFG)
            # Written while the operation before this one runs or rests.
            ctx.set(dut.trim, layout.const({**layout.at_reset, **values}))
            reference.trim(**values)
            before = ctx.get(dut.status.cycles_analog)
            expected.extend(reference.run(pack(op), x))
            await put(ctx, dut.op, pack(op))
            for word in x:
                await put(ctx, dut.i, word)
            await ctx.tick().until(dut.macro.precharge)
            # Written while it runs: of no effect on it.
            for _ in range(int(rng.integers(4))):
                ctx.set(dut.trim, layout.const({**layout.at_reset, **_values(rng, CFG)}))
                await ctx.tick()
            await ctx.tick().until(dut.status.done)
            spent = ctx.get(dut.status.cycles_analog) - before
            assert spent == reference.now.analog_cycles(op, reference.steps[-1]), op
        assert ctx.get(dut.status.cycles_total) == reference.cycles
        assert ctx.get(dut.status.cycles_analog) == reference.cycles_analog

    simulate(dut, drive, collect(dut.o, 8 * len(ops), words), processes=[array.process(dut.macro)])
    assert words == expected
    untrimmed = sum(int(CFG.analog_cycles(op, steps)) for op, steps in zip(ops, reference.steps, strict=True))
    assert reference.cycles_analog != untrimmed


def test_an_operation_beyond_the_limits_is_dropped() -> None:
    rng = np.random.default_rng(4)
    array = ExactArray.random(16, rng)
    reference, dut = TimedReference(CFG, array), TnsaCore(CFG)
    layout = TrimLayout(CFG)
    words: list[int] = []
    good = TnsaOperation(in_bits=3, out_bits=5, step_code=9)
    x = pack_inputs(random_inputs(good, 16, rng)[0])
    limits = {"most_in_bits": 3, "most_out_bits": 5}
    reference.trim(**limits)
    wide = [TnsaOperation(in_bits=4, out_bits=5), TnsaOperation(in_bits=3, out_bits=6)]
    assert not any(reference.run(pack(op), x) for op in wide)

    async def drive(ctx: Any) -> None:
        ctx.set(dut.trim, layout.const({**layout.at_reset, **limits}))
        for op in (*wide, good):
            await put(ctx, dut.op, pack(op))
        assert ctx.get(dut.status.error) == reference.error == 1
        for word in x:
            await put(ctx, dut.i, word)

    simulate(dut, drive, collect(dut.o, 8, words), processes=[array.process(dut.macro)])
    assert words == reference.run(pack(good), x)


def test_core_that_is_not_trimmed_is_as_its_description_says() -> None:
    fixed = TnsaCoreConfig(lines=16)
    assert trim_fields(fixed) == ()
    assert "trim" not in tnsa_port(fixed).members
    with pytest.raises(InputError, match=r"^a trimmed value must be one of none, not 'sample_cycles'$"):
        trimmed(fixed, {"sample_cycles": 3})


def test_registers_are_as_wide_as_four_times_the_description() -> None:
    chip = load_chip("neurram-core")
    fields = {f.name: f for f in trim_fields(TnsaCoreConfig.from_chip(chip), WriteVerifyConfig.from_chip(chip))}
    assert {name: (f.reset, f.least, f.most) for name, f in fields.items()} == {
        "reset_cycles": (10, 1, 63), "plane_cycles": (2, 1, 7), "sample_cycles": (10, 1, 63),
        "compare_cycles": (2, 2, 7), "decrement_cycles": (2, 1, 7), "setup_cycles": (10, 1, 63),
        "verify_cycles": (20, 2, 127),
        "most_in_bits": (8, 1, 8), "most_out_bits": (8, 1, 8),
    }
    longest = TnsaCoreConfig(lines=16, sample_cycles=65535, trim=True)
    assert max(f.most for f in trim_fields(longest)) == 65535


@pytest.mark.parametrize(("written", "in_force"), [(0, 2), (1, 2), (2, 2), (7, 7), (8, 7), (65535, 7)])
def test_reference_saturates_as_the_registers_do(written: int, in_force: int) -> None:
    cfg = TnsaCoreConfig(lines=16, trim=True)
    assert trimmed(cfg, {"compare_cycles": written}).compare_cycles == in_force
