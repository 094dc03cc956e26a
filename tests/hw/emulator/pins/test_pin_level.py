from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.core.layout import pack, pack_inputs
from mho.hw.core.masks import MaskFile
from mho.hw.core.write_verify import WriteVerifyConfig, WriteVerifyParameters, cycles, program
from mho.hw.emulator import (
    LoadWord,
    PinEmulatorConfig,
    PinLevelCore,
    TableCache,
    cell_loads,
    law_loads,
    record_loads,
    table_words,
)
from mho.hw.emulator.pins.config import LOG_DEPTH
from mho.hw.emulator.pins.writes import PULSE_HOLD, READ_HOLD
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models import load_device
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Converter, Masks, MvmOperation
from mho.macro_models.integer.pulse import Polarity
from mho.sim.core.bench.stimulus import make_stimulus
from tests.hw.amaranth_bench import get, put, simulate
from tests.hw.emulator.emulator_bench import Script, build, replay
from tests.hw.emulator.pins.pin_bench import build_program, run_program
from tests.hw.emulator.test_emulator import programmed


def small(**fields: Any) -> PinEmulatorConfig:
    return PinEmulatorConfig(core=TnsaCoreConfig(lines=16), **{"verify_bits": None, **fields})


async def convert(ctx: Any, dut: PinLevelCore, loads: list[LoadWord], op: MvmOperation) -> list[int]:
    """Load a table, multiply a vector of ones with the cells; the words of the output."""
    for word in loads:
        await put(ctx, dut.load, word.payload())
    await put(ctx, dut.op, pack(op))
    for word in pack_inputs(np.ones(dut.cfg.core.lines // 2, dtype=np.int64)):
        await put(ctx, dut.i, word)
    return [await get(ctx, dut.o) for _ in range(dut.cfg.core.output_words)]


@pytest.mark.slow
@pytest.mark.parametrize(("lanes", "converters"), [(8, 4), pytest.param(16, 16, marks=pytest.mark.slow)])
def test_the_core_gives_the_codes_of_a_programmed_core(lanes: int, converters: int) -> None:
    core, model = programmed(16, 8)
    cfg = small(lanes=lanes, converters=converters)
    dut, cache, file = PinLevelCore(cfg), TableCache(cfg, model), MaskFile(core)
    analog = 0

    async def bench(ctx: Any) -> None:
        nonlocal analog
        for word in cell_loads(cfg, model.cells):
            await put(ctx, dut.load, word.payload())
        for number in range(20):
            stimulus = make_stimulus([model], 11, number, vectors=1)
            for mask, value in enumerate(stimulus.masks.rows):
                for addr, word in file.words(mask, value):
                    await put(ctx, dut.mask, {"addr": addr, "data": word})
            for word in cache.loads(stimulus.op, stimulus.masks):
                await put(ctx, dut.load, word.payload())
            await put(ctx, dut.op, pack(stimulus.op, number))
            for word in pack_inputs(stimulus.x[0]):
                await put(ctx, dut.i, word)
            words = [await get(ctx, dut.o) for _ in range(core.output_words)]
            expected = model.mvm(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
            codes = np.array(words, dtype="<u4").view("<i2")
            np.testing.assert_array_equal(codes, expected.codes[0], err_msg=str(stimulus))
            analog += int(core.analog_cycles(stimulus.op, expected.steps)[0])
        assert not ctx.get(dut.status.error)
        assert ctx.get(dut.status.cycles_analog) == analog

    simulate(dut, bench, deadline=200_000)


def test_the_macro_holds_the_core_for_as_long_as_it_says() -> None:
    _, model = programmed(16, 8)
    cfg = small(converters=4)
    dut, cache = PinLevelCore(cfg), TableCache(cfg, model)
    op = MvmOperation(converter=Converter.BINARY, out_bits=6)
    holds = []

    async def bench(ctx: Any) -> None:
        await convert(ctx, dut, cache.loads(op, Masks.reset(16)), op)

    async def observe(ctx: Any) -> None:
        length = 0
        async for _, _, hold in ctx.tick().sample(dut.core.macro.hold):
            if length and not hold:
                holds.append(length)
            length = length + 1 if hold else 0

    simulate(dut, bench, background=[observe], deadline=2000)
    assert holds[0] <= cfg.accumulate_hold
    assert holds[1:] == [cfg.decrement_hold] * 5


@pytest.mark.slow
def test_a_conversion_without_a_table_is_an_error() -> None:
    _, model = programmed(16, 8)
    cfg = small()
    dut, op, masks = PinLevelCore(cfg), MvmOperation(), Masks.reset(16)
    other = Masks(np.arange(16) < 8, masks.lines, masks.bl_skip, masks.sl_skip)
    errors = []

    async def bench(ctx: Any) -> None:
        for loads in (TableCache(cfg, model).loads(op, masks), TableCache(cfg, model).loads(op, other)):
            await convert(ctx, dut, loads, op)
            errors.append(ctx.get(dut.status.error))

    simulate(dut, bench, deadline=10_000)
    assert errors == [0, 1]  # the second table is for other word lines than those that are on


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.long
def test_the_generated_verilog_gives_the_codes_of_a_programmed_core(tmp_path: Path) -> None:
    core, model = programmed(64, 8)
    cfg = PinEmulatorConfig(core=core, lanes=16, slots=4, verify_bits=None)
    script, expected, analog = Script(cfg), [], 0
    script.load(cell_loads(cfg, model.cells))
    cache = TableCache(cfg, model)
    for number in range(40):
        stimulus = make_stimulus([model], 5, number, vectors=2)
        script.idle()  # masks of operations that wait, and tables of operations under way, must stay
        script.masks(stimulus.masks)
        script.load(cache.loads(stimulus.op, stimulus.masks))
        for x in stimulus.x:
            script.operation(stimulus.op, x, pause=stimulus.gap % 3)
        result = model.mvm(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
        expected += list(result.codes)
        analog += int(core.analog_cycles(stimulus.op, result.steps).sum())
    run = replay(build(cfg, tmp_path), script)
    np.testing.assert_array_equal(run.codes, expected)
    assert (run.error, run.cycles_analog) == (0, analog)
    assert run.cycles_hold > 0


def programmable(lines: int, seed: int, fresh: bool) -> PulseArray:
    """Cells of which some are stuck, weak, or would be if they were formed."""
    device = load_device("rram-neurram")
    device = replace(
        device, stuck=replace(device.stuck, fraction=0.02, values_uS=(0.0, 60.0)),
        pulse=replace(device.pulse, weak_fraction=0.05, weak_factor=0.01),
    )
    scales = replace(load_chip("neurram-core").pulse_config(), lines=lines)
    return PulseArray(scales, device=device, seed=seed, core=3, fresh=fresh)


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "log_from", "timing"),
    # At a board the same engine and cells are in every run of the tests.
    [
        pytest.param(64, 0, {}, marks=pytest.mark.long),
        pytest.param(16, 500_000, {"setup_cycles": 1, "verify_cycles": 2}, marks=pytest.mark.long),
    ],
)
def test_the_core_programs_its_cells_as_the_reference(
    lines: int, log_from: int, timing: dict[str, int], tmp_path: Path
) -> None:
    verify_bits = 10
    cfg = PinEmulatorConfig(core=TnsaCoreConfig(lines=lines), g_bits=8, lanes=16, verify_bits=verify_bits)
    write = WriteVerifyConfig(lines=lines, verify_bits=verify_bits, **timing)
    rng = np.random.default_rng(lines)
    simulator = build_program(cfg, write, tmp_path)
    for parameters in (
        WriteVerifyParameters(passes=1, set_cycles=1, reset_cycles=3),
        WriteVerifyParameters(passes=1, form=True, form_cycles=2),
    ):
        array = programmable(lines, int(rng.integers(2**32)), parameters.form)
        widths = parameters.set_cycles, parameters.reset_cycles, parameters.form_cycles
        top = 25 if parameters.form else 2**verify_bits * 4 // 5
        targets, skip = rng.integers(20, top, (lines, lines)), rng.random((lines, lines)) < 0.1
        loads = [*table_words(), *law_loads(array.law_words(widths)), *record_loads(cfg, array.records())]
        expected = program(write, parameters, targets, array, skip)
        run = run_program(simulator, cfg, write, parameters, loads, targets, skip, log_from)
        for name, column in (("polarity", 0), ("amplitude", 1), ("cycles", 2)):
            np.testing.assert_array_equal(run.pulses[:, column], expected.pulses[name])
        assert len(expected.pulses) > lines
        cells = expected.pulses["row"].astype(np.int64) * lines + expected.pulses["col"]
        np.testing.assert_array_equal(run.log, np.stack([cells, run.pulses[:, 0], run.pulses[:, 1]], axis=1))
        np.testing.assert_array_equal(run.codes, expected.codes)
        np.testing.assert_array_equal(run.faults, expected.faults)
        np.testing.assert_array_equal(run.counts, expected.counts)
        np.testing.assert_array_equal(run.records, array.records())
        reads = int(expected.reads.sum())
        assert run.cycles_total - run.cycles_hold == cycles(write, parameters, reads, expected.pulses)
        held = len(expected.pulses) * PULSE_HOLD + reads * READ_HOLD
        # Where the log was full, pulses waited, and none was lost.
        full = log_from > 0 and len(expected.pulses) > LOG_DEPTH
        assert (run.cycles_hold > held) if full else (run.cycles_hold == held)
    assert (expected.pulses["polarity"] == Polarity.FORM).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"memory": "spram"}, r"^memory must be block at the level of the pins, not 'spram'$"),
        ({"converters": 3}, r"^converters must be a power of two between 2 and 16, not 3$"),
        ({"verify_bits": 13}, r"^verify_bits must be between 8 and 12, not 13$"),
    ],
)
def test_illegal_parameters(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**fields)
