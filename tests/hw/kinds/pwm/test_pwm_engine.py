"""Commands of the core against the procedures in integers: calibration, drift compensation, write-verify."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.hw.config import load_chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.kinds.pwm.blocks import PwmCoreReference
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.core import PwmCore
from mho.hw.kinds.pwm.engine.layout import Bank, Command, pack_command
from mho.hw.kinds.pwm.engine.procedure import Fitter
from mho.macro_models import load_device
from mho.macro_models.integer.pwm.calibration import stored_vectors
from mho.macro_models.integer.pwm.programming import WriteParameters
from mho.macro_models.pwm.model import PwmModel
from mho.macro_models.pwm.programming import ProgrammedRows, read_number, target_counts
from tests.hw.amaranth_bench import put, simulate
from tests.hw.kinds.pwm.macro_process import macro_process


def fitted_code(scale: int, limit: int, slope: int, *, wide: bool) -> int:
    """The code that the fitter finds."""
    largest = 0
    for bit in range(16 if wide else 8)[::-1]:
        trial = largest | 1 << bit
        if (2 * trial - 1) * slope <= 2 * scale * limit:
            largest = trial
    return largest


def make_model(chip: Any, *, time_s: float = 0.0, fresh: bool = False) -> PwmModel:
    config, rng = chip.macro_config(), np.random.default_rng(5)
    weights = np.zeros(config.cell_map.shape) if fresh else rng.uniform(0.0, 10.35, config.cell_map.shape)
    return PwmModel(config, weights, device=load_device("pcm-hermes-1dev"), seed=3, core=1, time_s=time_s)


def words_of(values: Any, dtype: str) -> list[int]:
    return np.ascontiguousarray(np.asarray(values).astype(dtype)).view("<u4").tolist()


def run_commands(
    chip: Any, model: PwmModel, commands: Sequence[tuple[int, list[int]]], settings: Sequence[tuple[int, int]] = (),
    rows: tuple[Any, Any] = (None, None), deadline: int = 500_000,
) -> tuple[list[int], list[int], PwmCoreReference]:
    """Words of the core and of its reference."""
    cfg = PwmCoreConfig.from_chip(chip)
    dut: Any = PwmCore(cfg)
    received: list[int] = []
    reference = PwmCoreReference(cfg, PwmModel.from_state(model.state()))
    reference.commands.rows = rows[1]
    for address, word in settings:
        reference.masks.write(address, word)
    expected = [word for descriptor, words in commands for word in reference.run(descriptor, words)]

    async def feed(ctx: Any) -> None:
        for address, word in settings:
            await put(ctx, dut.mask, {"addr": address, "data": word})
        for descriptor, words in commands:
            await put(ctx, dut.op, descriptor)
            for word in words:
                await put(ctx, dut.i, word)
        while len(received) < len(expected):
            await ctx.tick()
        await ctx.tick().repeat(3)
        assert (ctx.get(dut.status.busy), ctx.get(dut.status.error), ctx.get(dut.status.mvms)) == (0, 0, 0)

    async def catch(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        async for _, _, valid, ready, word in ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload):
            if valid and ready:
                received.append(word)

    macro = macro_process(dut, cfg, PwmModel.from_state(model.state()), rows=rows[0])
    simulate(dut, feed, background=[catch], processes=[macro], deadline=deadline)
    return received, expected, reference


# The bench of `mho verify core` runs these commands in Verilator, too, for each kind of window.
@pytest.mark.long
def test_the_core_calibrates_itself_as_its_reference() -> None:
    chip = load_chip("pwm16-core", {"programming.engine": True, "read.phases": 1})
    model = make_model(chip)
    commands = [(pack_command(Command.CALIBRATE), [])]
    commands += [(pack_command(Command.READ, bank=bank), []) for bank in (Bank.TRIM_LOW, Bank.TRIM_HIGH)]
    received, expected, reference = run_commands(chip, model, commands)
    assert received == expected
    calibration, solved = reference.masks.calibration, model.calibrated()
    assert np.array_equal(calibration.trim.gain, solved.trim.gain)
    assert np.array_equal(calibration.trim.curve, solved.trim.curve)
    assert np.array_equal(calibration.digital.gain, solved.digital.gain)
    assert np.array_equal(calibration.digital.offset, solved.digital.offset)
    assert len(set(solved.digital.gain.tolist())) > 3


@pytest.mark.long
@pytest.mark.parametrize("how", [Command.COLUMN, Command.AFFINE])
def test_the_core_makes_up_for_drift_as_its_reference(how: Command) -> None:
    chip = load_chip("pwm16-core", {"programming.engine": True, "read.phases": 1})
    late = make_model(chip, time_s=86400.0)
    calibration = make_model(chip).calibration
    cfg = PwmCoreConfig.from_chip(chip)
    vectors, rng = stored_vectors(16)[:3], np.random.default_rng(7)
    stored = rng.integers(-3000, 3001, (3, 16))
    step = 900

    def measured(session: int) -> list[tuple[int, list[int]]]:
        return [
            (pack_command(Command.MEASURE, number=(1 << 63) + (session << 32) + k, step_code=step),
             words_of(x, "i1") + words_of(right, "<i2"))
            for k, (x, right) in enumerate(zip(vectors, stored, strict=True))
        ]

    commands = [*measured(1), (pack_command(Command.RANGE), []), *measured(2), (pack_command(how), [])]
    commands.append((pack_command(Command.READ, bank=Bank.RANGE), []))
    settings = PwmCoreReference(cfg, late).masks.calibration_words(calibration)
    received, expected, reference = run_commands(chip, late, commands, settings)
    assert received == expected
    assert reference.masks.range_code != 1 << 15
    assert not np.array_equal(reference.masks.gain, calibration.digital.gain)


@pytest.mark.slow
def test_the_core_programs_a_line_as_its_reference() -> None:
    chip = load_chip("pwm16-core", {"programming.engine": True, "read.phases": 1, "programming.t_pulse_ns": 3.0})
    model = make_model(chip, fresh=True)
    parameters = WriteParameters(iterations=5)
    first, second = (ProgrammedRows(PwmModel.from_state(model.state()), parameters) for _ in range(2))
    rng = np.random.default_rng(9)
    wanted_uS = rng.uniform(0.0, 10.35, (2, 16)) * (rng.random((2, 16)) < 0.7)
    targets = target_counts(PwmChip.of(chip).macro_config(), wanted_uS, parameters)
    skip = np.stack([rng.random(16) < 0.2, np.arange(16) < 15])  # of the second line the last device alone
    cfg = PwmCoreConfig.from_chip(chip)
    settings = PwmCoreReference(cfg, model).masks.calibration_words(model.calibration)
    commands = []
    for line, target, left in zip((6, 61), targets, skip, strict=True):
        number = read_number(line)
        commands.append((pack_command(Command.PROGRAM, number=number, step_code=first.step_code),
                         words_of(target | left.astype(np.int64) << 15, "<u2")))
        commands.append((pack_command(Command.READ, bank=Bank.PULSES), []))
    settings.append((cfg.writing_at, parameters.word))
    received, expected, _ = run_commands(chip, model, commands, settings, (first, second))
    assert received == expected
    assert np.array_equal(first.cells, second.cells)
    assert (second.cells[6] > 0).sum() > 4


@given(st.integers(0, 2**16 - 1), st.integers(-(2**44), 2**44), st.integers(-(2**43), 2**43), st.booleans())
def test_the_search_is_a_rounded_quotient(scale: int, limit: int, slope: int, wide: bool) -> None:
    code = fitted_code(scale, limit, slope, wide=wide)
    if slope > 0 and 0 <= (right := (2 * scale * limit // slope + 1) // 2) < (1 << 16 if wide else 256):
        assert code == right


def test_the_fitter_finds_the_code_of_its_reference() -> None:
    dut, rng = Fitter(), np.random.default_rng(2)

    async def bench(ctx: Any) -> None:
        for number in range(12):
            scale, wide = int(rng.integers(2**16)), number % 2
            limit, slope = (int(rng.integers(-(2**bits), 2**bits)) for bits in (40, 43 if number < 6 else 38))
            for name, value in {"scale": scale, "limit": limit, "slope": slope, "wide": wide}.items():
                ctx.set(getattr(dut, name), value)
            ctx.set(dut.fit, 1)
            await ctx.tick()
            ctx.set(dut.fit, 0)
            _ = await ctx.tick().until(dut.fitted)
            assert ctx.get(dut.code) == fitted_code(scale, limit, slope, wide=bool(wide))

    simulate(dut, bench)
