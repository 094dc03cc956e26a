"""A compiled network in co-simulation beside the functional backend."""

import numpy as np

from mho.compiler import Network
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array


def check_same_bits(net: Network, x: Array) -> None:
    """All codes and outputs of some inputs, on one chip after a day, must be equal."""
    from mho.sim.core.cosim import CosimBackend

    expected = execute(net, FunctionalBackend(), x, seed=2, time_s=86_400.0, codes_of=len(x))
    backend = CosimBackend()
    try:
        got = execute(net, backend, x, seed=2, time_s=86_400.0, codes_of=len(x))
    finally:
        backend.close()
    assert all(np.array_equal(got.codes[at], expected.codes[at]) for at in expected.codes)
    assert np.array_equal(got.outputs, expected.outputs)
