"""Cells that drift, and cells with traps, give the same codes on every backend that has their noise."""

from dataclasses import replace

import numpy as np
import pytest

from mho.compiler.network import Network
from mho.compiler.passes import compile_model
from mho.hw.config import load_chip
from mho.macro_models.devices import Device, load_device
from mho.macro_models.devices.checks import CAUSES
from mho.macro_models.devices.sections.noise import Telegraph
from mho.sim.core.cosim import CosimBackend
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import build, node

CHIP = load_chip("tnsa16-core", {"cells.g_min_uS": 0, "cells.g_max_uS": 25, "cells.g_full_scale_uS": 31})
DAY_S = 86400.0
TRAPPED = replace(
    load_device("pcm-generic"), telegraph=Telegraph(fraction=(0.3,), amplitude_uS=(1.0, 4.0), spread=0.5)
)
X = np.random.default_rng(4).standard_normal((12, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> Network:
    rng = np.random.default_rng(3)
    weights = {
        "w0": rng.standard_normal((6, 8)).astype(np.float32), "b0": rng.standard_normal(8).astype(np.float32),
        "w1": rng.standard_normal((8, 4)).astype(np.float32), "b1": rng.standard_normal(4).astype(np.float32),
    }
    nodes = [node("Gemm", "x w0 b0", "h"), node("Relu", "h", "r"), node("Gemm", "r w1 b1", "y")]
    model = build(nodes, weights).SerializeToString()
    return compile_model(model, CHIP, calibrate=X, device="pcm-generic")


def outputs(network: Network, backend, **options) -> np.ndarray:
    try:
        return execute(network, backend, X, seed=7, **options).outputs
    finally:
        backend.close()


def test_drift_and_noise_change_what_a_network_gives(network: Network) -> None:
    now, day = (outputs(network, FunctionalBackend(), time_s=t) for t in (0.0, DAY_S))
    quiet = outputs(network, FunctionalBackend(), time_s=DAY_S, causes=frozenset(CAUSES) - {"read-noise"})
    assert not np.array_equal(now, day)
    assert not np.array_equal(quiet, day)
    assert np.array_equal(day, outputs(network, FunctionalBackend(), time_s=DAY_S, batch=5))


def test_traps_change_what_a_network_gives_and_batches_do_not(network: Network) -> None:
    trapped = outputs(network, FunctionalBackend(), device=TRAPPED)
    assert not np.array_equal(trapped, outputs(network, FunctionalBackend()))
    assert np.array_equal(trapped, outputs(network, FunctionalBackend(), device=TRAPPED, batch=5))


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("device", [None, TRAPPED], ids=["drift", "traps"])
def test_cosim_gives_the_same_after_a_day(network: Network, device: Device | None) -> None:
    drifted, expected = (
        outputs(network, backend, device=device, time_s=DAY_S)
        for backend in (CosimBackend(timeout_s=120), FunctionalBackend())
    )
    assert np.array_equal(drifted, expected)
