"""Cells of a weight on tiles: copies of layers for the error that is asked for."""

import numpy as np
import pytest

from mho.compiler import CompileOptions, summarise
from mho.compiler.passes import compile_for_chip
from mho.hw.config import load_chip
from tests.compiler.importer.onnx_models import build, node


@pytest.mark.slow
def test_an_error_that_is_asked_for_takes_the_cells_that_are_free() -> None:
    """On tiles as elsewhere: more columns, then more pieces, and what is reached is said; also that it is not."""
    rng = np.random.default_rng(3)
    weights = {"a": rng.normal(size=(16, 6)).astype("f4"), "b": rng.normal(size=(6, 16)).astype("f4")}
    nodes = [node("MatMul", "x a", "h"), node("MatMul", "h b", "y")]
    model = build(nodes, weights, shape=("batch", 16), output=("batch", 16)).SerializeToString()
    x = rng.uniform(-1, 1, size=(24, 16)).astype("f4")
    chip = load_chip("tnsa64-2x2")
    reached, lost, cells = [], [], []
    for error in (1.0, 0.06, 0.001):
        compiled = compile_for_chip(model, chip, calibrate=x, options=CompileOptions(error=error, seeds=2, samples=24))
        summary = summarise(compiled)
        [output] = summary["outputs"]
        lost.append(output["error_aged"])
        cells.append(summary["cells_used"])
        if error == 1.0:
            assert summary["redundancy"] is None
            continue
        assert summary["redundancy"]["wanted"] == error
        reached.append(summary["redundancy"]["reached"])
        short = [sentence for sentence in summary["warnings"] if "of the outputs, not 0.1%" in sentence]
        assert len(short) == (error == 0.001)
        assert (reached[-1] <= error) is (not short)
    assert reached[1] < reached[0]
    assert cells[0] < cells[1] < cells[2]
    assert lost[2] < lost[1] < lost[0]
    assert lost[2] < 0.6 * lost[0]
