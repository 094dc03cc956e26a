"""Networks on phase-change cores whose devices were programmed row by row."""

from pathlib import Path

import numpy as np
import pytest

from mho.compiler.network import Network
from mho.compiler.options import CompileOptions
from mho.compiler.passes import compile_model
from mho.hw.config import load_chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.macro_models.devices import load_device
from mho.macro_models.errors import InputError
from mho.runs.backends import backend_of
from mho.runs.writing import program_net
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from mho.sim.programming.instance import Cells
from tests.compiler.importer.onnx_models import build, node
from tests.sim.outputs import float_outputs

X = np.random.default_rng(4).standard_normal((64, 6)).astype(np.float32)
OPTIONS = {"pulse_law": None, "seed": 2, "measured": None, "pulses": None, "progress": None}


@pytest.fixture(scope="module")
def network() -> Network:
    weights = {"w0": np.random.default_rng(3).standard_normal((6, 8)).astype(np.float32)}
    model = build([node("MatMul", "x w0", "y")], weights).SerializeToString()
    return compile_model(model, load_chip("pwm16-core"), calibrate=X, options=CompileOptions(tolerance=0.02))


@pytest.fixture(scope="module")
def cells(network: Network) -> Cells:
    return program_net(network, device=load_device("pcm-hermes-1dev"), backend=backend_of("functional"), **OPTIONS)


@pytest.mark.slow
def test_devices_end_within_the_margin(network: Network, cells: Cells) -> None:
    chip = PwmChip.of(network.chip)
    (core,) = cells.cores
    assert core.g_uS.shape == (64, 16)
    assert cells.report["within"] >= 0.97
    near = ~core.faults & (core.target_uS > 0.0)
    band = cells.report["accept_uS"] + chip.cells.g_max_uS * 0.25  # converters leave a spread of their own
    assert np.abs(core.g_uS - core.target_uS)[near].max() < band
    assert core.pulses.max() <= chip.programming.iterations


def test_a_network_runs_on_the_cells_of_a_file_and_they_drift(network: Network, cells: Cells, tmp_path: Path) -> None:
    cells.save(tmp_path / "cells.npz")
    read = Cells.load(tmp_path / "cells.npz")
    assert read.sha256 == cells.sha256
    expected = float_outputs(network, X)

    def error(time_s: float, how: str) -> float:
        outputs = execute(network, FunctionalBackend(), X, cells=read, time_s=time_s, compensation=how).outputs
        return float(np.sqrt(((outputs - expected) ** 2).mean() / (expected**2).mean()))

    assert error(0.0, "none") < 0.3
    assert error(3e7, "none") > error(3e7, "affine")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"form": True}, r"form is not for cores of kind pwm, which write whole rows$"),
     ({"backend": "cosim"}, r"^pwm16-core: programming.engine must be true for a core to program its cells itself$"),
     ({"backend": "fpga-sim"}, r"backend must be functional or cosim for cores of kind pwm, not fpga-sim$")],
)
def test_what_is_for_other_cells_is_refused(network: Network, change: dict, sentence: str) -> None:
    options = {"device": load_device("pcm-hermes-1dev"), "backend": "functional", **OPTIONS, **change}
    options["backend"] = backend_of(options["backend"])
    with pytest.raises(InputError, match=sentence):
        program_net(network, **options)


@pytest.mark.long
@pytest.mark.cosim
@pytest.mark.parametrize("phases", [1, 4])
def test_the_engine_in_verilog_leaves_the_same_cells(phases: int) -> None:
    chip = load_chip("pwm16-core", {"programming.engine": True, "read.phases": phases})
    weights = {"w0": np.random.default_rng(3).standard_normal((6, 8)).astype(np.float32)}
    model = build([node("MatMul", "x w0", "y")], weights).SerializeToString()
    net = compile_model(model, chip, calibrate=X, options=CompileOptions(tolerance=0.02))
    numpy_cells, verilog_cells = (
        program_net(net, device=load_device("pcm-hermes-1dev"), backend=backend_of(backend), **OPTIONS).cores[0]
        for backend in ("functional", "cosim")
    )
    assert np.array_equal(numpy_cells.g_uS, verilog_cells.g_uS)
    assert np.array_equal(numpy_cells.pulses, verilog_cells.pulses)
    assert np.array_equal(numpy_cells.faults, verilog_cells.faults)
    assert numpy_cells.pulses.max() > 1
