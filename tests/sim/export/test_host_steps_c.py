"""What a host does between and behind layers, in C as strict as gcc can be, beside what `functional` does."""

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.compiler import CompileOptions, Network
from mho.compiler.passes import compile_for_chip
from mho.compiler.tile.graph.host import Split
from mho.hw.config import Chip, load_chip
from mho.macro_models.errors import InputError
from mho.sim.export import c_files, list_network
from tests.compiler.importer.onnx_models import build, node

CHIP = load_chip("tnsa16-2x2")
MAIN = """\
#include "net.h"
void make(uint32_t k, int16_t *in, const int16_t *out) { net.steps[k].make(in, out); }
void finish(const int16_t *in, const int16_t *out, int16_t *lanes) { net.finish(in, out, lanes); }
"""
RNG = np.random.default_rng(3)
WEIGHTS = {
    **{name: (RNG.normal(size=(8, 8)) / 2).astype("f4") for name in "ab"},
    "image": np.array([-1, 2, 2, 2]), "rows": np.array([-1, 2, 4]), "flat": np.array([-1, 8]),
    "scale": np.array([0.5, 2.0], "f4"), "shift": np.array([0.1, -0.2], "f4"), "half": np.array(0.5, "f4"),
}
BODIES = {
    "softmax": [node("Softmax", "y", "z", axis=1)],
    "gates": [node("Sigmoid", "y", "s"), node("Tanh", "y", "t"), node("Mul", "s t", "u"), node("Softmax", "u", "z")],
    "functions": [
        node("Exp", "y", "e"), node("Add", "e half", "f"), node("Log", "f", "g"), node("Div", "g f", "h"),
        node("HardSigmoid", "h", "i"), node("Elu", "i", "j"), node("LeakyRelu", "y", "k"), node("Mean", "j k y", "l"),
        node("Softmax", "l", "z"),
    ],
    "pooling": [
        node("Reshape", "y image", "i"), node("InstanceNormalization", "i scale shift", "n"),
        node("GlobalAveragePool", "n", "g"), node("Mul", "g n", "m"), node("Reshape", "m flat", "z"),
    ],
    "windows": [
        node("Reshape", "y image", "i"), node("Softmax", "i", "s", axis=2),
        node("AveragePool", "s", "p", kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 1, 1]),
        node("MaxPool", "s", "q", kernel_shape=[2, 2], strides=[1, 1], pads=[1, 1, 0, 0]),
        node("Concat", "q p", "both", axis=1), node("ReduceMax", "both", "d", axes=[1], keepdims=1),
        node("Mul", "d i", "m"), node("Reshape", "m flat", "z"),
    ],
    "attention": [
        node("Reshape", "y rows", "q"), node("Transpose", "q", "k", perm=[0, 2, 1]), node("MatMul", "q k", "s"),
        node("Softmax", "s", "p"), node("MatMul", "p q", "r"), node("Reshape", "r flat", "z"),
    ],
    "normalised": [
        node("ReduceMean", "y", "m", axes=[1], keepdims=1), node("Sub", "y m", "d"), node("Mul", "d d", "e"),
        node("ReduceMean", "e", "v", axes=[1], keepdims=1), node("Add", "v half", "w"), node("Sqrt", "w", "r"),
        node("Div", "d r", "z"),
    ],
}


def network(body: list[Any], chip: Chip = CHIP) -> tuple[Network, NDArray[Any]]:
    x = np.random.default_rng(1).uniform(-1, 1, size=(32, 8)).astype("f4")
    nodes = [node("Gemm", "x a", "y", transB=1), *body, node("Gemm", "z b", "o", transB=1)]
    used = {name for operator in nodes for name in operator.input}
    weights = {name: value for name, value in WEIGHTS.items() if name in used}
    model = build(nodes, weights, shape=("batch", 8), output=("batch", "k"), name="o")
    options = CompileOptions(seeds=1, samples=16)
    return compile_for_chip(model.SerializeToString(), chip, calibrate=x, options=options), x


def library(folder: Path, files: dict[str, str]) -> ctypes.CDLL:
    for name, text in (files | {"main.c": MAIN}).items():
        (folder / name).write_text(text)
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1"]
    compiler = subprocess.run(["gcc", *strict, "-shared", "-fPIC", "-o", "net.so", "net.c", "main.c", "-lm"],
                              cwd=folder, capture_output=True, text=True, timeout=120)
    assert compiler.returncode == 0, compiler.stderr
    return ctypes.CDLL(str(folder / "net.so"))


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


@pytest.mark.cosim("gcc")
@pytest.mark.parametrize("body", BODIES)
def test_steps_between_layers_give_the_lanes_of_functional(body: str, tmp_path: Path) -> None:
    net, _ = network(BODIES[body])
    assert net.tiles is not None
    split, listing = Split.of(net.program, net.tiles), list_network(net)
    assert len(split.steps) == len(listing.functions.steps) > 0
    program, rng = library(tmp_path, c_files(listing, "net")), np.random.default_rng(2)
    sizes = {v: shape.channels * shape.pixels for v, shape in (
        *net.tiles.inputs.items(), *((v, shape) for v, (_, _, shape) in net.tiles.values.items()))}
    sent, returned = sorted(net.tiles.inputs), sorted(net.tiles.values)
    different = lanes = 0
    for _ in range(200):
        values = {v: rng.integers(-3000, 3001, size=(1, sizes[v])).astype(np.int16) for v in {0, *returned}
                  if v in sizes}
        out = np.concatenate([values[v][0] for v in returned])
        took = np.concatenate([values.get(v, np.zeros((1, sizes[v]), np.int16))[0] for v in sent])
        for k, step in enumerate(split.steps):
            program.make(k, pointer(took), pointer(out))
            expected = dict(values)
            split.run(step.stages, expected)
            for v in step.gives:
                first = sum(sizes[u] for u in sent if u < v)
                different += int((took[first : first + sizes[v]] != expected[v][0]).sum())
                lanes += sizes[v]
                assert np.abs(took[first : first + sizes[v]].astype(int) - expected[v][0]).max() <= 1
    assert lanes >= 1600
    assert different <= 1e-3 * lanes, different


def test_a_step_without_a_form_in_c_is_named() -> None:
    net, _ = network([node("Reshape", "y image", "i"), node("LRN", "i", "n", size=2), node("Reshape", "n flat", "z")])
    said = r"^tnsa16-2x2: step \d+ of the network, .*LRN.*, which is the host's, has no form in C: LRN$"
    with pytest.raises(InputError, match=said):
        list_network(net)
