"""The digital unit beside its integers: codes at both ends, and halves."""

from typing import Any

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.core.layout import OUTPUTS_PER_WORD
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.core import DigitalUnit
from mho.hw.kinds.pwm.settings import COLUMN_BITS
from mho.macro_models.integer.pwm.converter import COUNTER_BITS, DigitalUnits
from mho.macro_models.integer.pwm.operation import PwmOperation
from tests.hw.amaranth_bench import collect, simulate


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("out_bits", [2, 5, 8])
def test_codes_are_those_of_the_integers(relu: bool, out_bits: int) -> None:
    cfg = PwmCoreConfig.from_chip(load_chip("pwm16-core"))
    n, lanes = cfg.lines, cfg.lanes
    op = PwmOperation(out_bits=out_bits, relu=relu)
    rng = np.random.default_rng(out_bits)
    results = []
    for _ in range(8):
        # Products from one half to the ends of the codes and one beyond; gain 128 makes a half of each odd difference.
        targets = rng.choice([-op.top_code - 1, -op.top_code, op.top_code, op.top_code + 1, 0, 1], n)
        difference = np.where(rng.random(n) < 0.5, 2 * targets, rng.integers(-2 * op.top_code, 2 * op.top_code + 1, n))
        negative = rng.integers(1000, 2000, n)
        units = DigitalUnits(gain=np.full(n, 128, np.int32), offset=rng.integers(-2, 3, n).astype(np.int32))
        results.append((units, negative + difference, negative, rng.random(n) < 0.9))
    expected = [
        units.compute(op, positive.astype(float), negative.astype(float), on)
        for units, positive, negative, on in results
    ]
    dut = DigitalUnit(cfg)
    words: list[int] = []
    shown: list[int] = [0]

    def packed(values: Any, bits: int) -> int:
        return sum((int(v) & (1 << bits) - 1) << bits * k for k, v in enumerate(values))

    async def macro(ctx: Any) -> None:
        row = 0
        while True:
            units, positive, negative, _ = results[shown[0]]
            at = slice(row * lanes, (row + 1) * lanes)
            columns = [int(g) | (int(o) & 255) << 8 for g, o in zip(units.gain[at], units.offset[at], strict=True)]
            ctx.set(dut.columns, packed(columns, COLUMN_BITS))
            ctx.set(dut.count_pos, packed(positive[at], COUNTER_BITS))
            ctx.set(dut.count_neg, packed(negative[at], COUNTER_BITS))
            row = ctx.get(dut.row)
            await ctx.tick()

    async def drive(ctx: Any) -> None:
        ctx.set(dut.result, {"out_bits": out_bits, "relu": relu, "words": {"first": 0, "last": cfg.output_words - 1}})
        for number, (_, _, _, on) in enumerate(results):
            while not ctx.get(dut.free):
                await ctx.tick()
            shown[0] = number
            ctx.set(dut.enabled, packed(on, 1))
            ctx.set(dut.finish, 1)
            await ctx.tick()
            ctx.set(dut.finish, 0)

    simulate(dut, drive, collect(dut.o, len(results) * cfg.output_words, words, lambda: 0), background=[macro])
    bits = 32 // OUTPUTS_PER_WORD
    codes = [(word >> bits * k & 0xFFFF ^ 0x8000) - 0x8000 for word in words for k in range(OUTPUTS_PER_WORD)]
    assert codes == np.concatenate(expected).tolist()
