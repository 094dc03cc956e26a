"""What does not fit the memory is refused before the work, with both numbers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mho
from mho.compiler import CompileOptions, FloatNetwork, compile_model
from mho.compiler.calibration.calibrate import images_used
from mho.compiler.calibration.trials.influence import some_images, weight_noise
from mho.compiler.footprint import compile_bytes
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.mapping import place
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from tests.compiler.importer.onnx_models import build, node, random_perceptron

X = np.random.default_rng(0).normal(size=(8, 20)).astype(np.float32)
OPTIONS = CompileOptions(seeds=1, samples=8)


def compiled() -> mho.Net:
    model = random_perceptron([20, 24, 3])
    return mho.Net(compile_model(model, load_chip("tnsa16-core"), calibrate=X, options=OPTIONS))


def test_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.macro_models.files.memory.available_bytes", lambda: 10_000)
    sentence = r"^compiling net with 8 inputs for \d+ cores would need about [\d.]+ [kM]B of memory, and 10 kB are"
    with pytest.raises(InputError, match=sentence):
        compiled()


@pytest.fixture(scope="module")
def net() -> mho.Net:
    return compiled()


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [100_000, 2**32])
def test_runs(net: mho.Net, seeds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.macro_models.files.memory.available_bytes", lambda: 500_000_000)
    sentence = rf"^a run of 8 images and {seeds} seeds would need about .*B of memory, and 500 MB are available; take"
    with pytest.raises(InputError, match=sentence):
        net.run(X, seeds=seeds)
    assert net.run(X, seeds=2).outputs.shape == (2, 8, 3)


PEAK = """
import json, sys
from pathlib import Path
import numpy as np
import mho.compiler.passes, mho, mho.runs.running, mho.sim.executor, mho.sim.functional
from mho.compiler import CompileOptions, FloatNetwork, compile_model
from mho.compiler.calibration.calibrate import images_used
from mho.compiler.calibration.trials.influence import some_images
from mho.hw.config import load_chip
from tests.compiler.importer.onnx_models import build, node, random_perceptron

def resident(field):
    return next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field))

def check(needed, what, instead):
    if what.startswith(sys.argv[1]):
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
        started.append((needed, resident("VmRSS")))

# What is imported and compiled once, whatever the work, is no part of an estimate.
few, options = np.zeros((4, 20), "f4"), CompileOptions(seeds=1, samples=4)
first = compile_model(random_perceptron([20, 24, 3]), load_chip("tnsa16-core"), calibrate=few, options=options)
mho.Net(first).run(few)

started = []
mho.compiler.passes.check_memory = mho.runs.running.check_memory = check
if sys.argv[1] == "compiling":
    sizes, samples, seeds = json.loads(sys.argv[2])
    x = np.random.default_rng(0).normal(size=(samples, sizes[0])).astype("f4")
    compile_model(
        random_perceptron(sizes), load_chip("neurram-core"), calibrate=x,
        options=CompileOptions(seeds=seeds, samples=samples),
    )
else:
    images, seeds = json.loads(sys.argv[2])
    net = mho.load(sys.argv[3])
    net.run(np.random.default_rng(0).normal(size=(images, 784)).astype("f4"), seeds=seeds)
print(started[0][0], resident("VmHWM") - started[0][1])
"""
"""Prints an estimate, and by how much memory grew from there to its peak."""


def compare(*arguments: str) -> None:
    ran = subprocess.run([sys.executable, "-c", PEAK, *arguments], capture_output=True, text=True, check=True)
    estimate, peak = map(int, ran.stdout.split())
    assert peak / 2 < estimate < 1.25 * peak


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [pytest.param("[[96, 64, 10], 2000, 4]", marks=pytest.mark.long), "[[256, 256, 10], 32, 2]"]
)
def test_peak_of_a_compilation(case: str) -> None:
    compare("compiling", case)


@pytest.mark.long
@pytest.mark.parametrize("case", ["[8, 100]", "[10000, 1]"])
def test_peaks_of_runs(case: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(8, 784)).astype(np.float32)
    path = tmp_path / "net.mho"
    compile_model(random_perceptron([784, 64, 10]), load_chip("neurram-core"), calibrate=x, options=OPTIONS).save(path)
    compare("a run", case, str(path))


def test_gradients_by_weights_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = import_onnx(random_perceptron([20, 24, 3])), X.astype(np.float64)
    whole = weight_noise(network, x)
    monkeypatch.setattr("mho.compiler.calibration.trials.influence.MOST_NUMBERS", 3 * 20 * 24)
    assert weight_noise(network, x) == pytest.approx(whole, rel=1e-12)


def test_values_of_many_inputs_are_bounded() -> None:
    """Elements of an input's values times inputs: of large values fewer inputs are held, at least one."""
    small, large = (import_onnx(expanded(size)) for size in (256, 1 << 14))
    assert (images_used(small, 256), images_used(large, 256)) == (256, 2**27 // large.elements)
    assert len(some_images(large, 256, 200, 100)) == 2**27 // large.elements < 100
    assert compile_bytes_of(large, 256) < 4e9


def compile_bytes_of(network: FloatNetwork, images: int) -> int:
    placement = place([layer.shape for layer in network.layers], load_chip("neurram-core").macro_config().cell_map)
    return compile_bytes(network, placement, 4, images)


def expanded(size: int) -> bytes:
    """Between two layers each of 64 outputs is there so many times, its square and its cube."""
    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=(64, 8)).astype("f4"), "b": rng.normal(size=(3, 64)).astype("f4"),
               "column": np.array([-1, 64, 1]), "wide": np.array([1, 64, size])}
    nodes = [
        node("Gemm", "x a", "h", transB=1), node("Reshape", "h column", "c"), node("Expand", "c wide", "e"),
        node("Mul", "e e", "m"), node("Mul", "m e", "n"), node("ReduceMax", "n", "r", axes=[2], keepdims=0),
        node("Gemm", "r b", "y", transB=1),
    ]
    return build(nodes, weights, shape=("batch", 8), output=("batch", 3)).SerializeToString()
