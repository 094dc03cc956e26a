"""A chip with tiles of several kinds in its Verilog: a model for each kind, and codes are those of functional."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.compiler import CompileOptions
from mho.compiler.network import Network
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import tile_programs
from mho.compiler.tile.cycles import tile_cycles
from mho.compiler.tile.programs import tile_code
from mho.hw.chip.map import ChipParts
from mho.hw.config import load_chip
from mho.macro_models import MacroModel
from mho.sim.account import RunAccount
from mho.sim.build.tile_shell import TileModels, TileShell
from mho.sim.executor import build_cores, core_masks
from mho.sim.functional import FunctionalBackend
from mho.sim.tile_networks.backend import TileCosimBackend
from mho.sim.tile_networks.build import sources_of_mesh
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.tile.network_bench import DAY

CHIP = load_chip("tnsa16-2x2", {"tile.at.1,0.lanes": 8, "tile.at.1,1.lanes": 2, "tile.at.1,1.buffer_kib": 32})
IMAGES = 4


@pytest.mark.slow
def test_each_kind_has_a_model_and_all_have_the_same_ports() -> None:
    parts = ChipParts.from_chip(CHIP)
    shells = [TileShell(parts, parts.core.pins.module, kind=kind) for kind in range(3)]
    assert len({shell.header() for shell in shells}) == 1
    modules, models = sources_of_mesh(CHIP), TileModels(parts, parts.core.pins.module)
    assert {shell.module for shell in shells} == {
        "mho_core_tile_outside", "mho_core_tile_lanes_8_outside", "mho_core_tile_lanes_2_buffer_kib_32_outside"}
    around = models.around(modules)
    for shell in shells:
        assert shell.module in modules
        assert f"\n    {shell.module} tile (" in shell.shell()
        # What stands for it, and no more.
        assert re.findall(rf"^module {shell.module}\b.*?^endmodule", around, re.MULTILINE | re.DOTALL) == [
            re.search(r"^module .*?^endmodule", shell.proxy(), re.MULTILINE | re.DOTALL)[0]]  # type: ignore[index]
    assert "#define MHO_KIND_OF {0, 1, 0, 2}\n" in models.header()
    assert re.findall(r"^struct (\w+) :", models.header(), re.MULTILINE) == [
        "Vtile_of_mesh", "Vtile_1_of_mesh", "Vtile_2_of_mesh"]


@pytest.fixture(scope="module")
def network() -> Network:
    rng = np.random.default_rng(1)
    weights = {"a": (rng.normal(size=(30, 14)) / 3.7).astype("f4")}
    x = rng.uniform(-1, 1, size=(16, 14)).astype("f4")
    model = build([node("Gemm", "x a", "y", transB=1)], weights, shape=("batch", 14), output=("batch", "b"))
    return compile_tiles(model, CHIP, calibrate=x, options=CompileOptions(seeds=1, samples=16))


@pytest.fixture(scope="module")
def traced() -> Iterator[TileCosimBackend]:
    backend = TileCosimBackend(optimise=False, trace=True, patience=20_000)
    yield backend
    backend.close()


def models_of(network: Network) -> list[MacroModel]:
    return build_cores(network, device="rram-neurram", seed=3, time_s=DAY)


def inputs() -> NDArray[np.float32]:
    return np.random.default_rng(2).uniform(-1, 1, size=(IMAGES, 14)).astype("f4")


def run(backend: Any, network: Network) -> tuple[Any, RunAccount]:
    program, masks = network.program, core_masks(network)
    models, code, x = models_of(network), tile_code(tile_programs(network)), inputs()
    assert len(code.programs) == 4
    account = RunAccount(program, IMAGES, IMAGES, CHIP, masks)
    account.begin(0, *program.input.compute_counted(x))
    if isinstance(backend, TileCosimBackend):
        backend.open_code(CHIP, code, models)
    else:
        backend.open(CHIP, models)
    lanes = program.input.compute(x)
    return backend.run(program, masks, lanes, np.arange(IMAGES, dtype=np.uint64), account), account


# Three models and the mesh around them take a minute of CPU to be built, once.
@pytest.mark.cosim
@pytest.mark.long
def test_a_network_on_tiles_of_three_kinds_is_that_of_functional(traced: TileCosimBackend, network: Network) -> None:
    expected_lanes, expected = run(FunctionalBackend(), network)
    lanes_of_tiles, account = run(traced, network)
    np.testing.assert_array_equal(lanes_of_tiles, expected_lanes)
    assert account.codes.keys() == expected.codes.keys()
    for key, codes in account.codes.items():
        np.testing.assert_array_equal(codes, expected.codes[key])
    images, lanes = np.arange(IMAGES, dtype=np.uint64), network.program.input.compute(inputs())
    whole = replace(network, tiles=tile_code(tile_programs(network)))
    predicted = tile_cycles(whole, models_of(network), core_masks(network), lanes, images)
    assert np.abs(np.array(predicted.ends) / np.cumsum(account.cycles) - 1).max() < 0.02
    # All tiles are at work, and what is noted comes as time passes.
    assert traced.result is not None
    for noted in (traced.result.retired, traced.result.states):
        assert set(noted[:, 1].tolist()) == {0, 1, 2, 3}
        assert (np.diff(noted[:, 0].astype(np.int64)) >= 0).all()


@pytest.mark.cosim
@pytest.mark.long
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_tiles_of_all_kinds(traced: TileCosimBackend, network: Network, threads: int) -> None:
    expected, account = run(traced, network)
    backend = TileCosimBackend(optimise=False, patience=20_000, threads=threads)
    try:
        lanes, same = run(backend, network)
    finally:
        backend.close()
    np.testing.assert_array_equal(lanes, expected)
    np.testing.assert_array_equal(same.cycles, account.cycles)
    for key, codes in account.codes.items():
        np.testing.assert_array_equal(same.codes[key], codes)
