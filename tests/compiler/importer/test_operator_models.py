"""Every operator that the importer knows, in floating point, against onnxruntime."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from mho.compiler import import_onnx
from mho.compiler.importer.operators import OPERATORS
from tests.compiler.importer.operator_models import INPUTS, NOT_THERE, model_of

pytestmark = pytest.mark.slow

ROUNDED = 0.08
"""Of what is quantised, the rounding is left out."""
KINDS = [kind for kind in OPERATORS if kind != "constant"]
ZERO = ("GroupNormalization", "MeanVarianceNormalization")
"""Their means are 0, but for rounding."""


def sessions(operators: frozenset[str]) -> Mapping[str, Any]:
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    return {
        name: onnxruntime.InferenceSession(model_of([name]).SerializeToString(), providers=["CPUExecutionProvider"])
        for name in sorted(operators - NOT_THERE)
    }


@pytest.mark.parametrize("kind", KINDS)
def test_as_onnxruntime(kind: str) -> None:
    x = np.random.default_rng(5).normal(size=(4, 1, INPUTS)).astype("f4")
    for name, session in sessions(OPERATORS[kind][1]).items():
        network = import_onnx(model_of([name]))
        expected = np.concatenate([session.run(None, {"x": sample})[0] for sample in x])
        got = network.compute(x.reshape(4, *network.input_shape)).reshape(expected.shape)
        rounded = kind == "abbreviations" or name in ("QuantizeLinear", "DequantizeLinear")
        size = max(float(np.abs(expected).max()), 1e-2 if name in ZERO else 0.0)
        assert np.abs(got - expected).max() <= (ROUNDED if rounded else 2e-3) * size, name


def test_elements_that_a_mover_computes_with_are_the_hosts() -> None:
    """ScatterND that keeps the larger: its elements are no choice by their number."""
    network = import_onnx(model_of(["ScatterND"]))
    steps = [getattr(step.operation, "operators", ()) for step in network.steps]
    assert any("ScatterND" in names for names in steps)
