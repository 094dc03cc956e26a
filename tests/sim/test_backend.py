import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models import Masks, load_device
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from mho.macro_models.tnsa.model import TnsaModel
from mho.sim.functional import FunctionalBackend


@pytest.mark.parametrize("converter", Converter)
@pytest.mark.parametrize("in_bits", [4, 7])
def test_functional_gives_the_model_and_the_cycles_of_the_core(converter, in_bits):
    chip = load_chip("tnsa16-core")
    rng = np.random.default_rng(3)
    model = TnsaModel(chip.macro_config(), rng.uniform(1, 40, (16, 16)), device=load_device("ideal"), seed=0, core=0)
    backend = FunctionalBackend()
    backend.open(chip, [model])
    op = TnsaOperation(in_bits=in_bits, converter=converter)
    x, masks, ids = rng.integers(-7, 8, (9, 8)), Masks.reset(16), np.arange(9)
    result, expected = backend.mvm(0, op, masks, x, ids), model.mvm(op, masks, x, ids)
    assert np.array_equal(result.codes, expected.codes)
    assert np.array_equal(result.steps, expected.steps)
    cfg = TnsaCoreConfig.from_chip(chip)
    assert np.array_equal(result.cycles, cfg.cycles(op, expected.steps))
    assert np.array_equal(result.analog, cfg.analog_cycles(op, expected.steps))
    backend.close()
    backend.close()
    with pytest.raises(RuntimeError, match="must be open"):
        backend.mvm(0, op, masks, x, ids)
