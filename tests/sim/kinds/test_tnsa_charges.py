"""Charges in C++ are those of the model."""

import ctypes
import subprocess
from collections.abc import Callable
from ctypes import byref, c_uint64, c_void_p
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.macro_models.devices import load_device
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.converter.neuron import Neuron
from mho.macro_models.tnsa.model import TnsaModel
from mho.sim.build.toolchain import HDL
from mho.sim.build.verilate import EXACT
from mho.sim.kinds.tnsa.evaluator import BoundKey, Conversion

pytestmark = pytest.mark.cosim("g++")

Charges = Callable[[BoundKey, NDArray[np.float32], NDArray[np.float32] | None, int], NDArray[np.int64]]


@pytest.fixture(scope="module")
def charges(tmp_path_factory: pytest.TempPathFactory) -> Charges:
    library = tmp_path_factory.mktemp("charges") / "charges.so"
    sources = [HDL / "charges.cpp", HDL / "philox.cpp"]
    subprocess.run(["g++", "-std=c++17", *EXACT.split(), "-shared", "-fPIC", "-o", library, *sources], check=True)
    kernel = ctypes.CDLL(str(library)).mho_charges
    kernel.restype = None

    def run(
        bound: BoundKey, x: NDArray[np.float32], pairs: NDArray[np.float32] | None, op_id: int
    ) -> NDArray[np.int64]:
        codes = np.zeros(bound.record.lines, dtype=np.int64)
        at = None if pairs is None else pairs.ctypes.data
        kernel(byref(bound.record), c_void_p(x.ctypes.data), c_void_p(at), c_uint64(op_id), c_void_p(codes.ctypes.data))
        return codes

    return run


def _model(lines: int, device: str, rng: np.random.Generator, neuron: Neuron | None = None) -> TnsaModel:
    config = TnsaConfig(lines=lines, sigma_offset_mV=2.0, sigma_gain=0.01, neuron=neuron or Neuron())
    targets = rng.uniform(0.0, 40.0, (lines, lines))
    return TnsaModel(config, targets, device=load_device(device), seed=int(rng.integers(2**32)), core=5, time_s=3600.0)


def _pointed(address: int, count: int) -> NDArray[np.int64]:
    return np.ctypeslib.as_array((ctypes.c_int64 * count).from_address(address))


@pytest.mark.parametrize("lines", [16, 64, 88, 256])
@pytest.mark.parametrize("device", ["ideal", "rram-neurram", "rram-relax"])
@pytest.mark.parametrize("backward", [False, True])
def test_charges(charges: Charges, lines: int, device: str, backward: bool) -> None:
    rng = np.random.default_rng(lines)
    model = _model(lines, device, rng)
    for wl in (np.ones(lines, dtype=bool), rng.integers(2, size=lines).astype(bool)):
        key = model.key(backward, wl)
        assert BoundKey.takes(model, key)
        bound = BoundKey(model, key, step_code=300)
        for op_id in (0, 7, 2**40 + 3, 2**64 - 1):
            pairs = rng.integers(-15, 16, lines // 2)
            x = rng.integers(-15, 16, lines) if backward else np.stack([pairs, -pairs], axis=1).reshape(-1)
            expected, pos, neg = model.conversion(key, x, op_id, 300)
            np.testing.assert_array_equal(_pointed(bound.record.s_pos, lines), pos)
            np.testing.assert_array_equal(_pointed(bound.record.s_neg, lines), neg)
            paired = None if backward else pairs.astype(np.float32)
            np.testing.assert_array_equal(charges(bound, x.astype(np.float32), paired, op_id), expected)
            np.testing.assert_array_equal(charges(bound, x.astype(np.float32), None, op_id), expected)


def test_noise_of_converters_alone(charges: Charges) -> None:
    rng = np.random.default_rng(2)
    config, targets = TnsaConfig(lines=64), rng.uniform(1.0, 40.0, (64, 64))
    model = TnsaModel(config, targets, device=load_device("rram-neurram"), seed=4, core=1, causes=frozenset({"adc"}))
    key, x = model.key(True, np.ones(64, dtype=bool)), rng.integers(-15, 16, 64)
    bound = BoundKey(model, key, step_code=100)
    assert bound.record.total is None
    draws = {tuple(charges(bound, x.astype(np.float32), None, op_id)) for op_id in range(8)}
    assert len(draws) == (1 if key.output_noise is None else 8)
    for op_id in range(8):
        expected = model.conversion(key, x, op_id, 100)[0]
        np.testing.assert_array_equal(charges(bound, x.astype(np.float32), None, op_id), expected)


@pytest.mark.parametrize("device", ["lfsr", "rram-neurram"])
def test_what_the_model_has_to_answer(device: str) -> None:
    rng = np.random.default_rng(1)
    every = np.ones(64, dtype=bool)
    model = _model(64, device, rng, neuron=Neuron(injection_mV=0.1 if device == "rram-neurram" else 0.0))
    assert not BoundKey.takes(model, model.key(False, every))


def test_the_structure_is_that_of_cpp(tmp_path: Path) -> None:
    names = ["op_id", "kept", "x", "pairs", "wl", "charge", "s_pos", "s_neg", "bound"]
    offsets = " ".join(f"<< offsetof(Conversion, {name}) << ' '" for name in names)
    source = tmp_path / "sizes.cpp"
    source.write_text(
        f'#include "conversion.h"\n#include <cstddef>\n#include <iostream>\n'
        f"int main() {{ std::cout {offsets} << sizeof(Conversion); }}\n"
    )
    subprocess.run(["g++", f"-I{HDL}", "-o", tmp_path / "sizes", source], check=True)
    printed = subprocess.run([tmp_path / "sizes"], check=True, capture_output=True, text=True).stdout
    layout = [*(getattr(Conversion, name).offset for name in names), ctypes.sizeof(Conversion)]
    assert [int(n) for n in printed.split()] == layout
