"""The noise of a shift register at the pins: codes and analog cycles are those of the device ``lfsr``."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.hw.core.layout import pack, pack_inputs
from mho.hw.core.masks import MaskFile
from mho.hw.emulator import PinEmulatorConfig, PinLevelCore, TableCache, cell_loads, noise_loads
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models.integer.operation import Converter, Direction, Masks, MvmOperation
from mho.macro_models.tnsa.model import TnsaModel
from mho.sim.core.bench.stimulus import Stimulus, make_stimulus
from tests.hw.amaranth_bench import get, put, simulate
from tests.hw.emulator.emulator_bench import Script, build, replay
from tests.hw.emulator.test_emulator import FROZEN, programmed


def noisy(lines: int, **overrides: Any) -> tuple[TnsaCoreConfig, TnsaModel]:
    """A core of 8 bits whose noise is well beyond a step of the converter."""
    return programmed(lines, 8, "lfsr", FROZEN | {"read-noise"}, **overrides)


def expected_codes(core: TnsaCoreConfig, model: TnsaModel, stimulus: Stimulus) -> tuple[NDArray[np.int16], int]:
    """Codes and analog cycles of a stimulus."""
    result = model.mvm(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
    return result.codes, int(core.analog_cycles(stimulus.op, result.steps).sum())


def kind(op: MvmOperation) -> tuple[Direction, int, Converter]:
    return op.direction, op.segments, op.converter


async def convert(
    ctx: Any, dut: PinLevelCore, stimulus: Stimulus, file: MaskFile, cache: TableCache
) -> NDArray[np.int16]:
    """Run the first vector of a stimulus."""
    for mask, value in enumerate(stimulus.masks.rows):
        for addr, word in file.words(mask, value):
            await put(ctx, dut.mask, {"addr": addr, "data": word})
    for word in cache.loads(stimulus.op, stimulus.masks):
        await put(ctx, dut.load, word.payload())
    await put(ctx, dut.op, pack(stimulus.op, int(stimulus.op_id[0])))
    for word in pack_inputs(stimulus.x[0]):
        await put(ctx, dut.i, word)
    words = [await get(ctx, dut.o) for _ in range(dut.cfg.core.output_words)]
    return np.array(words, dtype="<u4").view("<i2")


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [8, pytest.param(16, marks=pytest.mark.slow)])
def test_the_core_gives_the_codes_of_the_device(lanes: int) -> None:
    core, model = noisy(16)
    cfg = PinEmulatorConfig(core=core, lanes=lanes, converters=4, verify_bits=None, noise=True)
    dut, cache, file = PinLevelCore(cfg), TableCache(cfg, model), MaskFile(core)
    _, still = programmed(16, 8, "lfsr", FROZEN)
    kinds, analog, changed = set(), 0, 0

    async def bench(ctx: Any) -> None:
        nonlocal analog, changed
        for word in (*cell_loads(cfg, model.cells), *noise_loads(cfg, model)):
            await put(ctx, dut.load, word.payload())
        for number in range(14):
            stimulus = make_stimulus([model], 36, number, vectors=1)
            codes, cycles = expected_codes(core, model, stimulus)
            found = await convert(ctx, dut, stimulus, file, cache)
            np.testing.assert_array_equal(found, codes[0], err_msg=str(stimulus))
            analog += cycles
            changed += bool((codes != expected_codes(core, still, stimulus)[0]).any())
            kinds.add(kind(stimulus.op))
        assert ctx.get(dut.status.cycles_analog) == analog

    simulate(dut, bench, deadline=200_000)
    assert len(kinds) == 8
    assert changed > 5


def hold(cfg: PinEmulatorConfig, model: TnsaModel, stimulus: Stimulus) -> int:
    """Cycles for which the first compare holds."""
    dut, cache, file = PinLevelCore(cfg), TableCache(cfg, model), MaskFile(cfg.core)
    holds = []

    async def bench(ctx: Any) -> None:
        await convert(ctx, dut, stimulus, file, cache)

    async def observe(ctx: Any) -> None:
        length = 0
        async for _, _, held in ctx.tick().sample(dut.core.macro.hold):
            if length and not held:
                holds.append(length)
            length = length + 1 if held else 0

    simulate(dut, bench, background=[observe], deadline=2000)
    return holds[0]


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("lanes", [8, 16])
@pytest.mark.slow
def test_noise_holds_the_core_for_as_long_as_it_says(lanes: int, direction: Direction) -> None:
    core, model = noisy(16)
    op = MvmOperation(direction=direction, converter=Converter.BINARY)
    stimulus = replace(make_stimulus([model], 1, 0, vectors=1), op=op, masks=Masks.reset(16))
    stimulus = replace(stimulus, x=np.ones((1, 16 if direction is Direction.BACKWARD else 8), dtype=np.int64))
    cfg = PinEmulatorConfig(core=core, lanes=lanes, verify_bits=None, noise=True)
    quiet = replace(cfg, noise=False)
    held = hold(cfg, model, stimulus)
    assert held - hold(quiet, model, stimulus) == cfg.draw_hold + cfg.noise_cycles
    assert held <= cfg.accumulate_hold


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.long
def test_the_generated_verilog_gives_the_codes_of_the_device(tmp_path: Path) -> None:
    core, model = noisy(64)
    cfg = PinEmulatorConfig(core=core, lanes=16, slots=4, noise=True)
    script, expected, analog, kinds = Script(cfg), [], 0, set()
    script.load([*cell_loads(cfg, model.cells), *noise_loads(cfg, model)])
    cache = TableCache(cfg, model)
    for number in range(40):
        stimulus = make_stimulus([model], 5, number, vectors=2)
        script.idle()  # masks of operations that wait, and tables of operations under way, must stay
        script.masks(stimulus.masks)
        script.load(cache.loads(stimulus.op, stimulus.masks))
        for x, op_id in zip(stimulus.x, stimulus.op_id, strict=True):
            script.operation(stimulus.op, x, int(op_id), pause=stimulus.gap % 3)
        codes, cycles = expected_codes(core, model, stimulus)
        expected += list(codes)
        analog += cycles
        kinds.add(kind(stimulus.op))
    run = replay(build(cfg, tmp_path), script)
    np.testing.assert_array_equal(run.codes, expected)
    assert (run.error, run.cycles_analog) == (0, analog)
    assert len(kinds) == 8
