"""A core with resistive wires behind the pins of generated Verilog: the bits of the model, lazily and at pin level."""

from collections.abc import Iterator

import numpy as np
import pytest

from mho.hw.config import Chip, load_chip
from mho.macro_models import Masks
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.sim.core.bench.stimulus import make_models
from mho.sim.core.bench.verify import verify_core
from mho.sim.core.cosim import CosimBackend
from mho.sim.functional import FunctionalBackend

pytestmark = pytest.mark.cosim

WIRES = {"wires.r_row_ohm": 20.0, "wires.r_column_ohm": 7.0, "wires.r_driver_ohm": 500.0}
SETTLING = {"wires.settling": True, "timing.t_sample_ns": 10}


@pytest.mark.slow
@pytest.mark.parametrize("changes", [WIRES, SETTLING, WIRES | SETTLING], ids=["wires", "settling", "both"])
def test_random_operations_at_the_pins(changes: dict[str, float]) -> None:
    report = verify_core(load_chip("tnsa16-core", changes), operations=40)
    assert report.pin_level >= 10
    assert report.transposed == 0


@pytest.fixture(scope="module")
def backends() -> Iterator[tuple[Chip, FunctionalBackend, CosimBackend]]:
    # A host has the cores of a mesh as it has those of a chip of one: simulated is a core without its tile.
    chip = load_chip("tnsa64-core", WIRES | {"mesh.columns": 2})
    functional, cosim = FunctionalBackend(), CosimBackend()
    models = make_models(chip, ["ideal", "rram-neurram"], 5)
    functional.open(chip, models)
    cosim.open(chip, models)
    yield chip, functional, cosim
    cosim.close()


@pytest.mark.slow
@pytest.mark.parametrize("direction", Direction)
def test_backends_agree(backends: tuple[Chip, FunctionalBackend, CosimBackend], direction: Direction) -> None:
    chip, functional, cosim = backends
    rng = np.random.default_rng(6)
    width = chip.lines if direction is Direction.BACKWARD else chip.lines // 2
    for core in (0, 1):
        masks = Masks.reset(chip.lines)
        masks.wl[1] = rng.random(chip.lines) < 0.7
        for select in (0, 1):
            op = TnsaOperation(direction=direction, in_bits=4, out_bits=6, step_code=150, wl_select=select)
            x, ids = rng.integers(-7, 8, (8, width)), rng.integers(0, 2**63, 8, dtype=np.uint64)
            expected, result = (b.mvm(core, op, masks, x, ids) for b in (functional, cosim))
            assert np.array_equal(result.codes, expected.codes)
            assert np.array_equal(result.steps, expected.steps)
            assert len(np.unique(result.codes)) > 10
