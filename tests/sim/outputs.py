"""Outputs that results are compared with: those of the model in floating point, and those of ideal cells."""

from typing import Any

from numpy.typing import NDArray

from mho.compiler import Network
from mho.compiler.inputs import load_inputs
from mho.compiler.job import check_shape
from mho.compiler.model.evaluated import host_work
from mho.sim.executor import Execution, execute


def float_outputs(network: Network, x: Any) -> NDArray[Any]:
    """The model in floating point."""
    inputs = check_shape(load_inputs(x), network.model)
    with host_work(len(inputs)):
        return network.model.compute(inputs)


def quantised_outputs(network: Network, backend: Any, x: Any, **options: Any) -> Execution:
    """The network on ideal cells and converters: what quantisation alone does."""
    return execute(network, backend, x, device="ideal", time_s=0.0, **options)
