"""Programming a core by the reference, and what goes to a simulator and back."""

import pickle

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.macro_models import load_device
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError
from mho.sim.core.batch import Batch, BatchResult
from mho.sim.core.bench.write_stimulus import make_write_stimulus
from mho.sim.functional import FunctionalBackend
from mho.sim.programming.cosim import SHORT_PULSE, SHORT_WAIT, shortened, write_job
from mho.sim.programming.write_verify import program_core, target_codes

CHIP = load_chip("tnsa16-core")
DEVICE = load_device("rram-neurram")
TARGETS = np.random.default_rng(0).uniform(1.0, 40.0, (16, 16))


def test_the_functional_backend_programs_as_the_reference():
    backend = FunctionalBackend()
    assert isinstance(backend, FunctionalBackend)
    backend.open(CHIP, [])
    skip = np.random.default_rng(1).random((16, 16)) < 0.1
    mine = program_core(CHIP, 2, DEVICE, 7, TARGETS, skip)
    run = program_core(CHIP, 2, DEVICE, 7, TARGETS, skip, programmer=backend)
    np.testing.assert_array_equal(mine.pulses, run.pulses)
    np.testing.assert_array_equal(mine.g_uS, run.g_uS)
    assert mine.cycles == run.cycles
    assert mine.counters["sets"] + mine.counters["resets"] == len(mine.pulses) > 1000
    assert (abs(mine.g_uS - TARGETS)[~skip] < 1.0).mean() > 0.99
    assert not mine.counts[:, skip].any()


def test_an_array_goes_on_from_its_state():
    array = PulseArray(CHIP.pulse_config(), device=DEVICE, seed=3, core=1)
    program_core(CHIP, 1, DEVICE, 3, TARGETS, array=array)
    copy = PulseArray.from_state(array.state())
    np.testing.assert_array_equal(copy.relaxed_uS(3600.0), array.relaxed_uS(3600.0))
    again = [program_core(CHIP, 1, DEVICE, 3, TARGETS + 0.5, array=start) for start in (array, copy)]
    np.testing.assert_array_equal(again[0].pulses, again[1].pulses)
    np.testing.assert_array_equal(again[0].g_uS, again[1].g_uS)


def test_targets_that_cannot_be():
    for value, text in ((-0.1, "-0.1"), (50.5, "50.5"), (np.nan, "nan")):
        with pytest.raises(InputError, match=rf"^tnsa16-core: targets must be 0 to 50 uS, not {text}$"):
            target_codes(CHIP, [[1.0, value]])
    with pytest.raises(InputError, match=r"^tnsa16-core: targets must be of shape \(16, 16\), not \(16, 8\)$"):
        program_core(CHIP, 0, DEVICE, 1, TARGETS[:, :8])


def test_short_pulses_are_never_longer():
    p = shortened(WriteVerifyParameters(set_cycles=1, reset_cycles=500, wait_cycles=3))
    assert (p.set_cycles, p.reset_cycles, p.form_cycles, p.wait_cycles) == (1, SHORT_PULSE, SHORT_PULSE, 3)
    assert shortened(WriteVerifyParameters()).wait_cycles == SHORT_WAIT


def test_a_batch_that_programs_survives_its_message():
    stimulus = make_write_stimulus(CHIP, 5, 2)
    nothing = np.zeros((0, 4), dtype=np.uint32)
    job = write_job(CHIP, stimulus.array(), stimulus.targets, stimulus.skip, stimulus.parameters)
    batch = Batch(ops=nothing, masks=nothing[:, :2], inputs=nothing[:, 0], outputs=0, operations=0, write=job)
    received = pickle.loads(pickle.dumps(batch))
    assert received.write is not None
    np.testing.assert_array_equal(received.write.targets, job.targets)
    np.testing.assert_array_equal(received.write.array.g_uS, job.array.g_uS)
    assert (received.write.passes, received.write.longest_cycles) == (job.passes, job.longest_cycles)
    result = BatchResult.empty(received)
    assert result.write is not None
    result.write.state = received.write.array.changes()
    back = pickle.loads(pickle.dumps(result))
    assert back.write is not None
    assert back.write.pulses.dtype == result.write.pulses.dtype
    np.testing.assert_array_equal(back.write.state["left"], job.array.left)
