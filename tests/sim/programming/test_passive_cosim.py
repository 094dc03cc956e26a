"""Cells without transistors behind the pins of the generated Verilog: it disturbs those that the reference disturbs."""

from dataclasses import replace

import pytest

from mho.hw.config import load_chip
from mho.hw.kinds.array.config import ArrayCoreConfig
from mho.sim.build.simulators import verilator_build
from mho.sim.core.bench.stimulus import make_models
from mho.sim.core.bench.write_stimulus import check_run, check_stop, make_write_stimulus
from mho.sim.core.cosim_core import CosimCore
from mho.sim.core.process import Simulation

pytestmark = [pytest.mark.cosim, pytest.mark.slow]

SMALL = {"core.rows": 16, "core.columns": 16, "adc.lanes": 2}


@pytest.mark.parametrize(("scheme", "floats"), [("half", True), pytest.param("third", False, marks=pytest.mark.long)])
def test_disturbed_cells_are_those_of_the_reference(scheme, floats):
    chip = load_chip("passive-64", {**SMALL, "programming.bias": scheme, "programming.float_lines": floats})
    models = make_models(chip, ("ideal", chip.device), seed=5)
    simulation = Simulation(verilator_build(chip), timeout_s=60)
    try:
        for index, model in enumerate(models):
            simulation.put_core(index, model)
        core = CosimCore(simulation, ArrayCoreConfig.from_chip(chip))
        disturbed = set()
        for number in range(8):
            stimulus = make_write_stimulus(chip, 31, number)
            # Widths that differ, as each kind of pulse disturbs by its own.
            wide = replace(stimulus.parameters, passes=1, set_cycles=70, reset_cycles=40, form_cycles=20)
            if number > 4:
                wide = replace(wide, form=True, form_start=150, form_ceiling=255, max_pulses=20)
            run, _ = check_run(core, replace(stimulus, parameters=wide, fresh=number > 4 or stimulus.fresh))
            if run.array.disturbed.any():
                disturbed.add(wide.form)
        assert disturbed == {False, True}
        check_stop(core, make_write_stimulus(chip, 31, 3, pauses=False), 19)
    finally:
        simulation.close()
