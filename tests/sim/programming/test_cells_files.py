"""Files of cells with a valid checksum and wrong insides: cells that a network runs on, or one sentence."""

from pathlib import Path

import numpy as np
import pytest

from mho.compiler import CompileOptions, Network, compile_model
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from mho.sim.programming.instance import Cells
from mho.sim.programming.network import measured_cells
from tests.compiler.importer.onnx_models import random_perceptron
from tests.compiler.network.sealed_archives import Members, damaged, header, members_of, npy, seal

X = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> Network:
    options = CompileOptions(seeds=1, samples=4)
    return compile_model(random_perceptron([6, 3]), load_chip("tnsa16-core"), calibrate=X, options=options)


@pytest.fixture(scope="module")
def members(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Members:
    path = tmp_path_factory.mktemp("cells") / "cells.npz"
    measured_cells(network, [core.targets_uS for core in network.cores], device=network.device, seed=2).save(path)
    return members_of(path)


def run(path: Path, members: Members, network: Network) -> str:
    """What refuses the file, or nothing after a run on its cells."""
    seal(path, members)
    try:
        cells = Cells.load(path)
        execute(network, FunctionalBackend(), X, cells=cells, time_s=86400.0, device=cells.device)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 300, 50))
def test_damage_ends_in_a_sentence(first: int, members: Members, network: Network, tmp_path: Path) -> None:
    for seed in range(first, first + 50):
        sentence = run(tmp_path / "cells.npz", damaged(members, seed), network)
        assert "\n" not in sentence
        assert len(sentence) < 600


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("core0.g_uS", npy(np.ones((16, 15))), r"core0\.g_uS must be float64 of shape \[16, 16\], not .* \[16, 15\]"),
        ("core0.pulses", npy(np.ones((16, 16))), r"core0\.pulses must be int32 of shape \[16, 16\], not float64"),
        ("core0.g_uS", npy(np.full((16, 16), np.nan)), r"core0\.g_uS must be finite and from 0 to 1e\+06, not nan"),
        ("core0.g_uS", npy(np.full((16, 16), -1.0)), r"core0\.g_uS must be finite and from 0 to 1e\+06, not -1"),
        ("core0.waits", npy(np.full((16, 16), -3, np.int32)), r"core0\.waits must be .* from 0 to .*, not -3"),
        ("core0.g_uS", header("<f8", f"({2**40}, {2**20})"), r"core0\.g_uS must be float64 of shape \[16, 16\]"),
        ("core0.g_uS", npy(np.array([{}], object)), r"is no file of cells, or is damaged \(it holds objects"),
        ("core0.moves", header("|b1", "(16, 16)", b"\x02" * 256), r"truth values that are neither 0 nor 1"),
        ("core0.faults", None, r"core0\.faults must be bool of shape \[16, 16\], not nothing"),
    ],
)
def test_wrong_arrays(
    name: str, data: bytes | None, sentence: str, members: Members, network: Network, tmp_path: Path
) -> None:
    changed = {key: value for key, value in members.items() if key != f"{name}.npy"}
    seal(tmp_path / "cells.npz", changed if data is None else changed | {f"{name}.npy": data})
    with pytest.raises(InputError, match=sentence):
        Cells.load(tmp_path / "cells.npz")
