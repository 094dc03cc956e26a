"""Amplifiers that are not ideal behind the pins of generated Verilog: the model's bits, lazily and at pin level."""

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.macro_models import Masks
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.sim.core.bench.stimulus import make_models
from mho.sim.core.bench.verify import verify_core
from mho.sim.core.cosim import CosimBackend
from mho.sim.functional import FunctionalBackend

pytestmark = [pytest.mark.cosim, pytest.mark.slow]

GAIN = {"neuron.amplifier_gain": 300.0, "neuron.c_parasitic_fF": 10.0, "neuron.sigma_amplifier_offset_mV": 1.0}
NOISE = {"neuron.sampling_noise": True, "neuron.comparator_noise_mV": 0.3}


@pytest.mark.parametrize("keys", [GAIN, GAIN | NOISE])
def test_random_operations_at_the_pins(keys: dict[str, object]) -> None:
    report = verify_core(load_chip("tnsa16-core", keys), operations=20, devices=["rram-neurram"])
    assert report.pin_level >= 5
    assert set(report.counts["converter"]) == {"count"}


def test_backends_agree() -> None:
    chip = load_chip("tnsa64-core", GAIN | NOISE | {"wires.r_row_ohm": 5.0})
    backends = functional, cosim = FunctionalBackend(), CosimBackend()
    models = make_models(chip, ["rram-neurram"], 5)
    rng = np.random.default_rng(6)
    op, masks = TnsaOperation(in_bits=6, out_bits=7, step_code=300), Masks.reset(chip.lines)
    x, ids = rng.integers(-31, 32, (10, chip.lines // 2)), rng.integers(0, 2**63, 10, dtype=np.uint64)
    try:
        for backend in backends:
            backend.open(chip, models)
        expected, result = (b.mvm(0, op, masks, x, ids) for b in (functional, cosim))
    finally:
        cosim.close()
    assert np.array_equal(result.codes, expected.codes)
    assert np.array_equal(result.steps, expected.steps)
    assert len(np.unique(result.codes)) > 50
