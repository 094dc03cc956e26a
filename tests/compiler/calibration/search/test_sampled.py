"""A large layer is searched on some of its outputs; what is taken is for all of them."""

from dataclasses import replace

import numpy as np
import pytest

from mho.compiler import CompileOptions, compile_model
from mho.compiler.calibration.search import sampled as module
from mho.compiler.calibration.search.sampled import MOST_OUTPUTS, MOST_PRODUCTS, sampled
from mho.compiler.calibration.trials.bench import Bench
from mho.compiler.calibration.trials.candidates import Site
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.mapping import place
from mho.compiler.model import FloatNetwork
from mho.hw.config import load_chip
from mho.macro_models import load_device
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import build, node
from tests.sim.outputs import float_outputs

CHIP = load_chip("tnsa16-core")


def network(channels: int, groups: int, seed: int = 0) -> FloatNetwork:
    rng = np.random.default_rng(seed)
    weights = {
        "k": rng.normal(size=(channels, 2, 1, 1)).astype("f4"),
        "l": (rng.normal(size=(channels, channels // groups, 3, 3)) / 3 / np.sqrt(channels // groups)).astype("f4"),
    }
    body = [
        node("Conv", "x k", "a"), node("Relu", "a", "r"),
        node("Conv", "r l", "c", pads=[1] * 4, group=groups), node("GlobalAveragePool", "c", "y"),
    ]
    return import_onnx(build(body, weights, shape=("N", 2, 4, 4), output=("N", channels, 1, 1)))


@pytest.mark.parametrize("groups", [1, 24])
def test_blocks_of_some_outputs_hold_all_of_their_rows(groups: int) -> None:
    net, x = network(24, groups), np.random.default_rng(1).uniform(size=(8, 32))
    placement = place([layer.shape for layer in net.layers], CHIP.macro_config().cell_map, cores=CHIP.cores)
    bench = Bench(net, placement, CHIP, load_device("rram-neurram"), CompileOptions(seeds=3), x)
    layer = net.layers[1]
    site = Site(
        index=1, layer=layer, inputs=np.zeros((8, layer.inputs)), wanted=np.zeros((8, 24)),
        values=np.zeros((4, 8, layer.inputs)), stand=bench.stand,
    )
    subset = sampled(bench, site)
    outputs = np.asarray(subset.stand.outputs)
    blocks = subset.stand.placement.of_layer(1)
    assert 0 < len(outputs) < 24
    assert (subset.wanted.shape, len(subset.values)) == ((8, len(outputs)), 3)
    assert len({(b.core, b.line_select) for b in blocks}) == len(blocks)
    for k, output in enumerate(outputs):
        parts = [(b.first, len(b.rows), (b.outputs == k).sum()) for b in blocks if k in b.outputs]
        assert parts == [
            (b.first, len(b.rows), (b.outputs == output).sum()) for b in placement.of_layer(1) if output in b.outputs
        ]
        assert all(max(b.columns[b.outputs == k]) < 16 for b in blocks if k in b.outputs)
    assert max(len(np.unique(b.outputs)) for b in blocks) <= MOST_OUTPUTS
    few = replace(site, index=0)
    assert len(placement.of_layer(0)) <= MOST_PRODUCTS
    assert sampled(bench, few) is few


@pytest.mark.long
def test_some_outputs_do_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors are those of a search on all of them, a quarter more at most in the mean of some networks."""
    ratios = [np.divide(*errors_of(network(24, 1, seed), monkeypatch)) for seed in range(6)]
    assert np.mean(ratios) < 1.25


def errors_of(net: FloatNetwork, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Errors of a network after a day: of a search on some outputs, and on all."""
    x = np.random.default_rng(2).uniform(size=(96, 32)).astype(np.float32)
    errors = []
    for limit in (MOST_PRODUCTS, 1 << 20):
        monkeypatch.setattr(module, "MOST_PRODUCTS", limit)
        compiled = compile_model(net, CHIP, calibrate=x[:64], options=CompileOptions(seeds=2))
        expected = float_outputs(compiled, x).reshape(96, -1)
        got = [execute(compiled, FunctionalBackend(), x, seed=s, time_s=86_400.0).outputs for s in range(4)]
        lost = np.stack(got).reshape(4, 96, -1) - expected
        errors.append(float(np.sqrt((lost**2).mean()) / expected.std(axis=0).mean()))
    return errors
