"""The emulated transposable macro at the pins of its core: codes, cycles and cells are those of the models."""

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.back import rtlil
from numpy.typing import NDArray

from mho.hw.config import load_chip
from mho.hw.core.layout import pack, pack_inputs
from mho.hw.core.masks import MaskFile
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.reference import cycles, program
from mho.hw.emulator.config import EXTRA, LoadWord
from mho.hw.emulator.kind import CoreLoads
from mho.hw.emulator.kinds.tnsa import EMULATOR
from mho.hw.emulator.kinds.tnsa.config import TnsaEmulatorConfig
from mho.hw.emulator.kinds.tnsa.emulator import line_table
from mho.hw.emulator.macro import EmulatedCore
from mho.hw.emulator.pulses.records import CONSTANTS, LOG_DEPTH, records_from, table_words
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models import load_device
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction, Masks
from mho.macro_models.integer.pulse import Polarity
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from mho.macro_models.tnsa.model import TnsaModel
from mho.sim.core.bench.stimulus import Stimulus, make_stimulus
from tests.hw.amaranth_bench import get, put, simulate
from tests.hw.emulator.emulator_bench import FROZEN, Script, build, core_loads, emulated_core, programmed, replay
from tests.hw.emulator.pulses.program_bench import build_program, run_program

NOISY = "lfsr", FROZEN | {"read-noise"}
"""Read noise well beyond a step of the converter."""


def small(lines: int = 16, **fields: Any) -> TnsaEmulatorConfig:
    return TnsaEmulatorConfig.of(TnsaCoreConfig(lines=lines), **fields)


def expected_codes(core: TnsaCoreConfig, model: TnsaModel, stimulus: Stimulus) -> tuple[NDArray[np.int16], int]:
    """Codes and analog cycles of a stimulus."""
    result = model.mvm(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
    return result.codes, int(core.analog_cycles(stimulus.op, result.steps).sum())


async def convert(ctx: Any, dut: EmulatedCore, stimulus: Stimulus, loads: CoreLoads) -> NDArray[np.int16]:
    """Run the first vector of a stimulus."""
    file = MaskFile(dut.cfg.core)
    for mask, value in enumerate(stimulus.masks.rows):
        for addr, word in file.words(mask, value):
            await put(ctx, dut.mask, {"addr": addr, "data": word})
    for word in loads.before(stimulus.op, stimulus.masks):
        await put(ctx, dut.load, asdict(word))
    await put(ctx, dut.op, pack(stimulus.op, int(stimulus.op_id[0])))
    for word in pack_inputs(stimulus.x[0]):
        await put(ctx, dut.i, word)
    words = [await get(ctx, dut.o) for _ in range(dut.cfg.core.output_words)]
    return np.array(words, dtype="<u4").view("<i2")


@pytest.mark.slow
@pytest.mark.parametrize(("lanes", "g_bits", "noise", "serial"), [
    (8, 8, True, False), (16, 4, False, False), (8, 8, True, True), (4, 4, False, True),
])
def test_the_core_gives_the_codes_of_a_programmed_core(lanes: int, g_bits: int, noise: bool, serial: bool) -> None:
    core, model = programmed(16, g_bits, *(NOISY if noise else ()))
    _, still = programmed(16, g_bits, "lfsr", FROZEN)
    cfg = TnsaEmulatorConfig.of(core, g_bits=g_bits, lanes=lanes, noise=noise, serial=serial)
    EMULATOR.check(cfg, model)
    dut, (loads, first) = emulated_core(cfg), core_loads(cfg, model)
    kinds, analog, changed = set(), 0, 0

    async def bench(ctx: Any) -> None:
        nonlocal analog, changed
        for word in first:
            await put(ctx, dut.load, asdict(word))
        for number in range(16):
            stimulus = make_stimulus([model], 45, number, vectors=1)
            codes, duration = expected_codes(core, model, stimulus)
            np.testing.assert_array_equal(await convert(ctx, dut, stimulus, loads), codes[0], err_msg=str(stimulus))
            analog += duration
            changed += bool((codes != expected_codes(core, still, stimulus)[0]).any())
            kinds.add((stimulus.op.direction, stimulus.op.segments, stimulus.op.converter))
        assert not ctx.get(dut.status.error)
        assert ctx.get(dut.status.cycles_analog) == analog

    simulate(dut, bench, deadline=200_000)
    assert len(kinds) == 8
    assert changed > 5 or not noise


@pytest.mark.slow
@pytest.mark.parametrize(("lanes", "noise"), [(8, False), (16, True)])
def test_the_macro_holds_the_core_for_as_long_as_it_says(lanes: int, noise: bool) -> None:
    core, model = programmed(16, 8)
    cfg = TnsaEmulatorConfig.of(core, lanes=lanes, noise=noise)
    dut, (loads, _), holds = emulated_core(cfg), core_loads(cfg, model), []
    op = TnsaOperation(direction=Direction.BACKWARD, converter=Converter.BINARY, in_bits=4, out_bits=6)
    stimulus = replace(make_stimulus([model], 1, 0, vectors=1), op=op, masks=Masks.reset(16), x=np.ones((1, 16), int))

    async def bench(ctx: Any) -> None:
        await convert(ctx, dut, stimulus, loads)

    async def observe(ctx: Any) -> None:
        length = 0
        async for _, _, hold in ctx.tick().sample(dut.core.macro.hold):
            if length and not hold:
                holds.append(length)
            length = length + 1 if hold else 0

    simulate(dut, bench, background=[observe], deadline=5000)
    plane, charges = cfg.groups * (cfg.rows + 2) + 1, 4 * cfg.lines + 3 + 14 * cfg.noise
    assert holds == [plane] * 3 + [charges] + [cfg.converter_groups + 3] * 5


def test_no_value_is_wider_than_a_word_of_cells() -> None:
    """A shift by an index of 16 bits would have 65,536, and a design of a board took half an hour to be written."""
    cfg = small(32, lanes=32)
    assert cfg.word_bits > cfg.chunk_bits
    widths = [int(width) for width in re.findall(r"\bwidth (\d+)", rtlil.convert(emulated_core(cfg)))]
    assert max(widths) <= 2 * max(cfg.word_bits, cfg.lanes * cfg.sum_bits)


def test_a_conversion_without_a_table_is_an_error() -> None:
    core, model = programmed(16, 8)
    cfg = TnsaEmulatorConfig.of(core)
    dut, masks, errors = emulated_core(cfg), Masks.reset(16), []
    other_masks = Masks(np.arange(16) < 8, masks.lines, masks.bl_skip, masks.sl_skip)
    stimulus = replace(
        make_stimulus([model], 1, 0, vectors=1), op=TnsaOperation(in_bits=2, early_stop=True), masks=masks,
        x=np.ones((1, 8), int),
    )

    class Other(CoreLoads):
        def before(self, op: TnsaOperation, masks: Masks) -> list[Any]:
            return super().before(op, other_masks)

    async def bench(ctx: Any) -> None:
        for loads in (CoreLoads(EMULATOR, cfg, model), Other(EMULATOR, cfg, model)):
            for word in loads.first():
                await put(ctx, dut.load, asdict(word))
            await convert(ctx, dut, stimulus, loads)
            errors.append(ctx.get(dut.status.error))

    simulate(dut, bench, deadline=10_000)
    assert errors == [0, 1]  # the second table is for other word lines than those that are on


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
@pytest.mark.parametrize(("lines", "lanes", "g_bits", "operations", "serial"), [
    (16, 8, 12, 200, False),
    pytest.param(256, 8, 8, 12, True, marks=pytest.mark.long),
    pytest.param(64, 16, 8, 40, False, marks=pytest.mark.long),
])
def test_the_generated_verilog_gives_the_codes_of_a_programmed_core(
    lines: int, lanes: int, g_bits: int, operations: int, serial: bool, tmp_path: Path
) -> None:
    core, model = programmed(lines, g_bits, *NOISY)
    memory = "spram" if serial else "block"
    cfg = TnsaEmulatorConfig.of(
        core, g_bits=g_bits, lanes=lanes, slots=4, memory=memory, noise=True, serial=serial
    )
    script, expected, analog = Script(cfg), [], 0
    loads, first = core_loads(cfg, model)
    script.load(first)
    for number in range(operations):
        stimulus = make_stimulus([model], 5, number, vectors=2)
        script.idle()  # masks of operations that wait, and tables of operations under way, must stay
        script.masks(stimulus.masks)
        script.load(loads.before(stimulus.op, stimulus.masks))
        for x, op_id in zip(stimulus.x, stimulus.op_id, strict=True):
            script.operation(stimulus.op, x, int(op_id), pause=stimulus.gap % 3)
        codes, duration = expected_codes(core, model, stimulus)
        expected += list(codes)
        analog += duration
    run = replay(build(cfg, tmp_path), script)
    np.testing.assert_array_equal(run.codes, expected)
    assert (run.error, run.cycles_analog) == (0, analog)
    assert (run.cycles_hold > 0) != serial


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
    write = WriteVerifyConfig(lines=lines, verify_bits=verify_bits, **timing)
    cfg = TnsaEmulatorConfig.of(TnsaCoreConfig(lines=lines), write, lanes=16)
    rng = np.random.default_rng(lines)
    simulator = build_program(cfg, tmp_path)
    for parameters in (
        WriteVerifyParameters(passes=1, set_cycles=1, reset_cycles=3),
        WriteVerifyParameters(passes=1, form=True, form_cycles=2),
    ):
        array = programmable(lines, int(rng.integers(2**32)), parameters.form)
        widths = parameters.set_cycles, parameters.reset_cycles, parameters.form_cycles
        top = 25 if parameters.form else 2**verify_bits * 4 // 5
        targets, skip = rng.integers(20, top, (lines, lines)), rng.random((lines, lines)) < 0.1
        loads = [
            *table_words(), *(LoadWord(EXTRA, CONSTANTS + k, word) for k, word in enumerate(array.law_words(widths))),
            *(LoadWord(EXTRA, records_from(cfg) + k, word) for k, word in enumerate(array.records().ravel().tolist())),
        ]
        expected = program(write, parameters, targets, array, skip)
        run = run_program(simulator, cfg, parameters, loads, targets, skip, log_from)
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
        hold_cycles = len(expected.pulses) * (76 + 3 * cfg.matrices) + reads * 67
        # Where the log was full, pulses waited, and none was lost.
        full = log_from > 0 and len(expected.pulses) > LOG_DEPTH
        assert (run.cycles_hold > hold_cycles) if full else (run.cycles_hold == hold_cycles)
    assert (expected.pulses["polarity"] == Polarity.FORM).all()


def test_a_table_is_loaded_once_while_its_word_lines_stay() -> None:
    core, model = programmed(16, 8)
    cfg = TnsaEmulatorConfig.of(core)
    loads, masks = CoreLoads(EMULATOR, cfg, model), Masks.reset(16)
    ops = [TnsaOperation(step_code=code) for code in (10, 20, 30)]
    table = 64 + 1 + 2  # words of the lines, those that are on, the tag before and behind
    assert [len(loads.before(ops[k], masks)) for k in (0, 1, 0, 2, 0, 1)] == [table, table, 0, table, 0, table]
    other_masks = Masks(np.arange(16) < 8, masks.lines, masks.bl_skip, masks.sl_skip)
    assert len(loads.before(ops[1], other_masks)) == table
    assert loads.before(ops[1], other_masks) == []


@pytest.mark.parametrize(("fields", "message"), [
    ({"lanes": 24}, r"^lanes must be a power of two that divides 64, not 24$"),
    ({"slots": 3}, r"^slots must be a power of two, not 3$"),
    ({"memory": "flash"}, r"^memory must be one of block, spram, not 'flash'$"),
])
def test_illegal_parameters(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(64, **fields)


@pytest.mark.parametrize(("causes", "overrides", "message"), [
    (
        FROZEN | {"read-noise"}, {},
        r"^the emulator has no read noise of cells: leave that cause out \(without read-noise\), or ",
    ),
    (
        FROZEN | {"wire"}, {"wires.r_row_ohm": 1.0},
        r"^the emulator has perfect wires: leave that cause out \(without wire\)$",
    ),
    (
        FROZEN, {"neuron.amplifier_gain": 100.0},
        r"^the emulator has ideal amplifiers: leave that cause out \(without adc\), or ",
    ),
])
def test_a_core_that_cannot_be_emulated(causes: frozenset[str], overrides: dict[str, Any], message: str) -> None:
    core, model = programmed(16, 8, causes=causes, **overrides)
    with pytest.raises(InputError, match=message):
        EMULATOR.check(TnsaEmulatorConfig.of(core), model)


def test_the_noise_of_a_shift_register_needs_one_in_the_emulator() -> None:
    core, model = programmed(16, 8, *NOISY)
    EMULATOR.check(TnsaEmulatorConfig.of(core, noise=True), model)
    with pytest.raises(InputError, match=r"^the emulator was built without a shift register for read noise: leave "):
        EMULATOR.check(TnsaEmulatorConfig.of(core), model)
    with pytest.raises(InputError, match=r"^cells must have 10 bits where there is read noise, not 8$"):
        EMULATOR.check(TnsaEmulatorConfig.of(core, g_bits=10, noise=True), model)


def test_a_core_of_wider_cells() -> None:
    core, model = programmed(16, 12)
    with pytest.raises(InputError, match=r"^the emulator holds 16 lines of 8 bits a cell, not 16 lines of 12 bits "):
        EMULATOR.check(TnsaEmulatorConfig.of(core), model)


def test_offsets_that_do_not_fit() -> None:
    ones = np.ones(16, dtype=np.int64)
    with pytest.raises(InputError, match=r"^offsets of the converters must be within 4080 codes, not 4081$"):
        line_table(small(), (2 * 4081 + 1) * ones, ones, ones)
