"""Every operator that the importer knows, in a compiled network: the same bits in Verilog as by the model.

A test of the page of operators holds that no operator is missing.
"""

from functools import cache

import numpy as np
import pytest

from mho.compiler import CompileOptions, Network, compile_model, import_onnx
from mho.compiler.importer.operators import OPERATORS
from mho.hw.config import load_chip
from tests.compiler.importer.onnx_models import Array
from tests.compiler.importer.operator_models import INPUTS, model_of, part_of
from tests.compiler.importer.operator_table import GROUPS
from tests.compiler.same_bits import check_same_bits

CONSTANT = OPERATORS["constant"][1]
"""Operators that are nowhere when a network has been read."""


@cache
def compiled(name: str) -> tuple[Network, Array]:
    x = np.random.default_rng(1).normal(size=(6, INPUTS)).clip(-2, 2).astype("f4")
    network = import_onnx(model_of(GROUPS[name]))
    x = x.reshape(-1, *network.input_shape)
    options = CompileOptions(seeds=1, copies=1, in_bits=5)
    return compile_model(network, load_chip("tnsa16-core"), calibrate=x, device="rram-neurram", options=options), x


@pytest.mark.slow
def test_every_operator_is_in_a_model() -> None:
    listed = [kind for _, operators in OPERATORS.values() for kind in operators]
    assert sorted(kind for kinds in GROUPS.values() for kind in kinds) == sorted(set(listed) - CONSTANT)
    for kinds in GROUPS.values():
        for kind in kinds:
            part = part_of(kind)
            assert kind in {node.op_type for node in part.nodes} or kind == "ZipMap"


@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS)
def test_the_same_bits_in_verilog(name: str) -> None:
    net, x = compiled(name)
    check_same_bits(net, x[:1])
