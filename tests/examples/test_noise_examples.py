"""Examples in which noise of the cells is what is wanted, or does no harm: small ones of each."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "noise"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"noise_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn(module: ModuleType, result: Any) -> bool:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    module.draw(axes, result)
    return bool(axes.get_xlabel())


@pytest.mark.slow
def test_chips_differ_in_half_of_their_bits_and_keep_them() -> None:
    module = example("fingerprint")
    result = module.main(8)
    single, _, nine, _, quiet, *ages = result["errors"]
    assert 0.45 < result["distance"].mean() < 0.55  # 28 pairs of 128 bits: a standard error of 0.008
    assert quiet < single < 0.08
    assert nine < 0.03
    assert max(ages) < 0.03
    assert drawn(module, result)


def test_a_system_is_solved_to_double_precision() -> None:
    module = example("solver")
    left, cells = module.solve(40, 1)
    assert left[-1] < 1e-12
    assert len(left) - 1 <= 30
    assert cells.cores == 1
    assert drawn(module, {"one": left})


@pytest.mark.slow
def test_signs_of_many_dimensions_forgive_the_cells() -> None:
    module = example("hyperdimensional")
    result = module.main((512,), 1)
    ideal, cells = result["accuracies"][0]
    assert cells > ideal - 3.0
    assert drawn(module, result)


@pytest.mark.slow
def test_a_reservoir_in_cells_is_as_good_as_an_exact_one() -> None:
    module = example("reservoir")
    result = module.main((40,), 1)
    ideal, cells = result["accuracies"][0]
    assert cells > ideal - 3.0 > 85.0
    assert drawn(module, result)


@pytest.mark.slow
def test_read_noise_drives_a_chain() -> None:
    module = example("mcmc")
    noise = module.read_noise(4000, 8, 0)
    assert np.abs(np.corrcoef(noise.T) - np.eye(8)).max() < 5 / np.sqrt(4000)
    assert np.abs(noise.mean(axis=0)).max() < 5 / np.sqrt(4000)
    assert np.abs((noise**4).mean(axis=0) - 3.0).max() < 5 * np.sqrt(96 / 4000)
    result = module.main(4000)
    assert all(chain["right"] > 93.0 for chain in result.values())
    assert drawn(module, result)
