"""The core against its reference: codes, cycles, refusals; the settings against their file."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mho.hw.config import load_chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.core.layout import pack
from mho.hw.kinds.pwm.blocks import PwmCoreReference
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.core import PwmCore
from mho.hw.kinds.pwm.settings import SettingsFile
from mho.macro_models import load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pwm.converter import Trim, pack_trim, unpack_trim
from mho.macro_models.integer.pwm.operation import PwmOperation
from mho.macro_models.pwm.model import PwmModel
from tests.hw.amaranth_bench import put, simulate
from tests.hw.kinds.pwm.macro_process import macro_process

SMALL = load_chip("pwm16-core")


def random_operation(rng: np.random.Generator) -> tuple[PwmOperation, NDArray[np.int64]]:
    signed = bool(rng.integers(2))
    op = PwmOperation(
        in_bits=int(rng.integers(1, 8 + signed)), in_signed=signed, out_bits=int(rng.integers(1, 9)),
        relu=bool(rng.integers(2)), wl_select=int(rng.integers(8)), line_select=int(rng.integers(8)),
        step_code=int(rng.integers(50, 1500)),
    )
    low, high = op.input_range
    return op, rng.integers(low, high + 1, 16)


@pytest.mark.slow
@pytest.mark.parametrize(("phases", "lanes", "count"), [(1, 2, 3), (4, 4, 2)])
def test_products_are_those_of_the_reference(phases: int, lanes: int, count: int) -> None:
    chip = load_chip("pwm16-core", {"read.phases": phases, "digital.lanes": lanes})
    rng, cfg, config = np.random.default_rng(phases), PwmCoreConfig.from_chip(chip), PwmChip.of(chip).macro_config()
    cells = rng.uniform(0.0, 10.0, config.cell_map.shape)
    model = PwmModel(config, cells, device=load_device("pcm-generic"), seed=7, core=0, time_s=86400.0)
    reference = PwmCoreReference(cfg, PwmModel.from_state(model.state()))
    settings = reference.masks.calibration_words(model.calibration)
    for mask in range(18):
        settings += reference.masks.words(mask, rng.random(cfg.mask_lines) < (0.8 if mask < 16 else 0.1))
    for address, word in settings:
        reference.masks.write(address, word)
    operations = [random_operation(rng) for _ in range(count)]
    descriptors = [pack(op, int(rng.integers(2**62))) for op, _ in operations]
    inputs = [np.ascontiguousarray(x.astype(np.uint8)).view("<u4").tolist() for _, x in operations]
    expected = [word for op, words in zip(descriptors, inputs, strict=True) for word in reference.run(op, words)]
    dut: Any = PwmCore(cfg)
    received: list[int] = []

    async def feed(ctx: Any) -> None:
        for address, word in settings:
            await put(ctx, dut.mask, {"addr": address, "data": word})
        # An operation that is not legal is dropped.
        await put(ctx, dut.op, descriptors[0] | 1)
        for op, words in zip(descriptors, inputs, strict=True):
            await put(ctx, dut.op, op)
            for word in words:
                await put(ctx, dut.i, word)
        while len(received) < len(expected):
            await ctx.tick()
        await ctx.tick().repeat(3)
        status = dut.status
        assert ctx.get(status.cycles_total) - ctx.get(status.cycles_hold) == reference.cycles
        assert ctx.get(status.cycles_analog) == reference.cycles_analog
        assert (ctx.get(status.mvms), ctx.get(status.busy), ctx.get(status.error)) == (count, 0, 1)

    async def catch(ctx: Any) -> None:
        async for _, _, valid, ready, word in ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload):
            if valid and ready:
                received.append(word)
            ctx.set(dut.o.ready, int(rng.integers(4) != 0))

    macro = macro_process(dut, cfg, PwmModel.from_state(model.state()), hold=lambda: int(rng.integers(16) == 0))
    simulate(dut, feed, background=[catch], processes=[macro])
    assert received == expected
    assert len(set(expected)) > 2


@given(st.integers(0, 2**32 - 1))
def test_what_calibration_found_is_what_the_settings_hold(seed: int) -> None:
    rng, cfg = np.random.default_rng(seed), PwmCoreConfig.from_chip(SMALL)
    trim = Trim(
        gain=rng.integers(-64, 64, (2, 16)).astype(np.int32), curve=rng.integers(-8, 8, (2, 16)).astype(np.int32)
    )
    again = unpack_trim(pack_trim(trim))
    assert np.array_equal(again.gain, trim.gain)
    assert np.array_equal(again.curve, trim.curve)
    source, restored = SettingsFile(cfg), SettingsFile(cfg)
    for address in rng.integers(0, cfg.range_at + 1, 40).tolist():
        source.write(address, int(rng.integers(2**32)))
    for address, word in restored.calibration_words(source.calibration):
        restored.write(address, word)
    assert restored.calibration_words(source.calibration) == []


def test_configurations_that_cannot_be_are_refused() -> None:
    cfg = PwmCoreConfig.from_chip(SMALL)
    with pytest.raises(InputError, match=r"^lanes must be .* at most 8, a divisor of lines, not 16$"):
        replace(cfg, lanes=16)
    with pytest.raises(InputError, match=r"^window_cycles must be 256, not 128$"):
        replace(cfg, lsb_cycles=2)


def test_what_a_core_of_this_kind_has_not_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown key core\.manual; a core of this kind has no such registers"):
        load_chip("pwm16-core", {"core.manual": True})
