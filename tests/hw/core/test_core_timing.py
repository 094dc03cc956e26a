"""One home of cycles: what is said before a product, counted in it, and shown by the core's own counter are one."""

import numpy as np
import pytest

from mho.hw.config import default_device, load_chip, preset_names
from mho.hw.kinds import core_blocks, timing
from mho.macro_models import Masks, family
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.core.cosim import CosimBackend
from mho.sim.functional import FunctionalBackend


def operations(name: str) -> list[MvmOperation]:
    chip = load_chip(name)
    return [chip.operation(in_bits=bits, in_signed=True, out_bits=None) for bits in (2, 4, 8)]


@pytest.mark.parametrize("name", ["tnsa16-core", "pwm16-core", "neurram-core", "hermes-core"])
def test_cycles_are_those_at_the_pins_and_a_constant_for_each_conversion(name: str) -> None:
    took = timing(load_chip(name))
    for op in operations(name):
        steps = np.random.default_rng(0).integers(0, op.max_steps, (5, op.segments))
        parts = took.conversion_cycles(op, steps)
        assert parts.shape == (5, parts.shape[-1])
        np.testing.assert_array_equal(took.analog_cycles(op, steps), parts.sum(axis=1))
        np.testing.assert_array_equal(took.cycles(op, steps), took.whole_cycles(op, parts.sum(axis=1)))
        assert took.cycles(op, steps).max() <= took.worst_cycles(op)
        assert (took.cycles(op, steps) > took.analog_cycles(op, steps)).all()


def test_every_kind_with_verilog_says_how_results_leave() -> None:
    for name in preset_names():
        blocks = core_blocks(load_chip(name))
        drain = blocks.cfg.drain
        assert drain.row_words * drain.rows == blocks.cfg.output_words


@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.parametrize("name", ["tnsa16-core", "pwm16-core"])
def test_functional_and_cosim_count_the_same_cycles(name: str) -> None:
    chip = load_chip(name)
    config, kind = chip.macro_config(), family(chip.core.kind)
    rng = np.random.default_rng(1)
    targets = rng.uniform(1, 20, config.cell_map.shape)
    model = kind.model(config, targets, device=default_device(chip), seed=0, core=0)
    masks = Masks.reset(*config.cell_map.shape)
    backends = FunctionalBackend(), CosimBackend()
    try:
        for backend in backends:
            backend.open(chip, [model])
        for op in operations(name):
            low, high = op.input_range
            x = rng.integers(low, high + 1, (4, config.inputs(op.direction)))
            functional, cosim = (backend.mvm(0, op, masks, x, 5) for backend in backends)
            np.testing.assert_array_equal(cosim.codes, functional.codes)
            np.testing.assert_array_equal(cosim.cycles, functional.cycles)
            np.testing.assert_array_equal(cosim.analog, functional.analog)
    finally:
        for backend in backends:
            backend.close()
