"""Updates of all cells at once: trains as the reference has them, in the Verilog and in two simulators."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mho.hw.config import Chip, chip_from_dict, load_chip
from mho.hw.config.kinds.array import ArrayChip
from mho.hw.core.layout import OpLayout, pack, pack_inputs
from mho.hw.emulator.kinds import emulator_of
from mho.hw.kinds import core_blocks, shape
from mho.macro_models.devices import load_device
from mho.macro_models.devices.sections.update import Update
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Masks
from mho.macro_models.integer.update import ParallelUpdate
from mho.macro_models.kinds.array import ArrayModel
from mho.sim.build.simulators import icarus_build, verilator_build
from mho.sim.core.cosim_core import CosimCore
from mho.sim.core.process import Simulation
from tests.hw.kinds.array.configurations import random_chip

KEYS = {"core.weights": "offset", "programming.update": True}
BATCH = 25
"""Updates in a batch; the pauses of the next are longer."""
CELLS = Update(model="soft", g_min_uS=1.0, g_max_uS=40.0, up_uS=1.9, down_uS=2.2, cycle_spread=0.4, cell_spread=0.6)


def random_update_chip(seed: int) -> Chip:
    """Any array of single cells, with pulses of one to thirty cycles."""
    content = random_chip(seed, 48).to_dict()
    content["core"]["weights"] = "offset"
    content["programming"] |= {"update": True, "engine": True, "t_update_ns": 10.0 * (seed * 7 % 30)}
    lines = content["core"]["columns"]
    content["adc"] |= {"columns": min(content["adc"]["columns"], lines & -lines), "lanes": 2}
    return chip_from_dict(content)


def model_of(chip: Chip, seed: int = 3) -> ArrayModel:
    """Cells around the middle of their window that answer to pulses."""
    config = ArrayChip.of(chip).macro_config()
    g_uS = np.random.default_rng(seed).uniform(15.0, 25.0, (config.rows, config.columns))
    device = replace(load_device("ideal"), update=CELLS)
    return ArrayModel.from_measured(config, g_uS, device=device, seed=seed, core=1)


def random_updates(chip: Chip, count: int, seed: int) -> Iterator[tuple[int, list[int]]]:
    """Descriptors and the words of their codes."""
    rng, config = np.random.default_rng(seed), ArrayChip.of(chip).macro_config()
    for number in range(count):
        update = ParallelUpdate(slots=int(rng.integers(1, 6)), halvings=int(rng.integers(0, 8)) // 3)
        codes = rng.integers(-127, 128, config.rows + config.columns) * (rng.random(config.rows + config.columns) < 0.5)
        yield pack(update, int(rng.integers(0, 2**63)) + number), pack_inputs(codes)


@contextmanager
def simulated_core(chip: Chip, simulator: str, model: ArrayModel) -> Iterator[CosimCore]:
    build = verilator_build if simulator == "verilator" else icarus_build
    simulation = Simulation(build(chip.core_alone))
    try:
        simulation.put_core(0, model)
        yield CosimCore.of(simulation, chip)
    finally:
        simulation.close()


def check_updates(chip: Chip, simulator: str, count: int, seed: int = 0) -> None:
    """Cells, cycles, and a product behind the updates, which sees what they have moved."""
    descriptors, inputs = zip(*random_updates(chip, count, seed), strict=True)
    model, expected = model_of(chip), model_of(chip)
    reference: Any = core_blocks(chip).reference(expected)
    for descriptor, words in zip(descriptors, inputs, strict=True):
        assert reference.run(descriptor, words) == []
    op, masks = chip.operation(in_bits=4, in_signed=True), Masks.reset(*model.cells.shape)
    x = np.random.default_rng(seed).integers(-7, 8, (3, model.config.rows))
    with simulated_core(chip, simulator, model) as core:
        batches = [
            core.operate(descriptors[k : k + BATCH], inputs[k : k + BATCH], (), gap=k, hold=k, seed=seed, outputs=0)
            for k in range(0, count, BATCH)
        ]
        run = core.run(op, masks, x, 7)
    np.testing.assert_array_equal(batches[-1].pulsed["counts"], expected.answering.counts)
    np.testing.assert_array_equal(batches[-1].pulsed["g_uS"], expected.answering.g_uS)
    assert expected.answering.counts.sum() > count
    total, analog, held = np.sum([batch.cycles for batch in batches], axis=0).tolist()
    assert (total - held, analog) == (reference.cycles, reference.cycles_analog)
    np.testing.assert_array_equal(run.codes, expected.mvm(op, masks, x, 7).codes)


@pytest.mark.slow
@pytest.mark.cosim
def test_two_hundred_updates() -> None:
    check_updates(load_chip("array-32", KEYS), "verilator", 200)


@pytest.mark.long
@pytest.mark.cosim("verilator", "iverilog", "vvp", "cocotb")
@pytest.mark.parametrize("seed", range(40))
def test_any_description(seed: int) -> None:
    check_updates(random_update_chip(seed), "verilator", 200, seed)
    if seed < 4:
        check_updates(random_update_chip(seed), "icarus", 200, seed)


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.parametrize("seed", [1, 6])
def test_in_icarus(seed: int) -> None:
    check_updates(random_update_chip(seed), "icarus", 12, seed)


@pytest.mark.parametrize(("keys", "sentence"), [
    ({"core.weights": "pairs"}, "core.weights must be offset where programming.update is true, .* not pairs"),
    ({"programming.engine": False}, "programming.engine must be true where programming.update is true, .* not false"),
    ({"tile.programs": True}, "tile.programs must be false where programming.update is true, .* not true"),
])
def test_what_has_no_updates_is_refused(keys: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load_chip("array-32", KEYS | keys)


def test_other_devices_and_emulators_have_none() -> None:
    chip = load_chip("array-32", KEYS)
    with pytest.raises(InputError, match=r"a device must have a section \[update\] for updates of all cells"):
        ArrayModel(chip.macro_config(), np.full((32, 32), 9.0), device=load_device("ideal"), seed=0, core=0).pulse(
            np.ones(32, bool), np.ones(32, bool), 1)
    with pytest.raises(InputError, match=r"programming.update must be false for an emulator of the array, not true"):
        emulator_of(chip).fields(chip, shape(chip))


def test_a_model_that_was_pulsed_is_what_its_state_says() -> None:
    model = model_of(load_chip("array-32", KEYS))
    rows, columns = np.arange(32) % 3 == 0, np.arange(32) % 5 == 0
    before = model.answering.g_uS.copy()
    model.pulse(rows, columns, -1)
    np.testing.assert_array_equal(model.answering.g_uS != before, np.outer(rows, columns))
    assert (model.answering.g_uS - before).sum() < 0
    np.testing.assert_array_equal(model.answering.counts, np.outer(rows, columns))
    again = ArrayModel.from_state(model.state())
    for each in (model, again):
        each.pulse(columns, rows, 1)
    np.testing.assert_array_equal(again.answering.g_uS, model.answering.g_uS)


def test_an_illegal_update_is_dropped() -> None:
    chip = load_chip("array-32", KEYS)
    reference: Any = core_blocks(chip).reference(model_of(chip))
    good = pack(ParallelUpdate(slots=2), 5)
    slots = OpLayout()["step_code"].offset
    assert reference.run(good ^ 2 << slots, [0] * 16) == []
    assert reference.error
