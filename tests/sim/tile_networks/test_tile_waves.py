"""Waves of tiles that are compiled apart: those of the same chip as one design, change by change."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.compiler import CompileOptions
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import tile_programs
from mho.compiler.tile.programs import tile_code
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.account import RunAccount
from mho.sim.build.simulators import Simulator
from mho.sim.executor import build_cores, core_masks
from mho.sim.silicon.power.activity import Activity, read_activity
from mho.sim.tile_networks import backend as backends
from mho.sim.tile_networks.backend import TileCosimBackend
from mho.sim.tile_networks.trace import traced_tiles
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.tile.network_bench import DAY
from tests.sim.tile_networks.whole_mesh import whole_mesh

CHIP = {"mesh.columns": 3, "mesh.rows": 1, "programming.engine": False, "tile.at.1,0.lanes": 2}
"""Two tiles of one kind, and one of another."""
OURS = (".handle", ".cells", ".answer")
"""Of the bodies of the macros: addresses in C++, and lines beyond theirs."""
OTHER = tuple(scope.format(k) for k in (1, 2) for scope in (".tile_{}_0.", ".macro_{}.", ".notes_tile_{}_0."))
"""Scopes of the tiles behind the first one."""


def compiled() -> tuple[Any, Any]:
    """Two layers, one a tile, and inputs."""
    rng = np.random.default_rng(1)
    weights = {"a": rng.normal(size=(6, 8)).astype("f4"), "w": rng.normal(size=(3, 6)).astype("f4")}
    nodes = [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r w", "y", transB=1)]
    x = rng.uniform(-1, 1, size=(16, 8)).astype("f4")
    model = build(nodes, weights, shape=("batch", 8), output=("batch", "b"))
    options = CompileOptions(seeds=1, samples=16)
    return compile_tiles(model, load_chip("tnsa16-2x2", CHIP), calibrate=x, options=options), x[:2]


def activity(trace: Path, **options: Any) -> Activity:
    """Of a run of two images."""
    network, x = compiled()
    masks, program = core_masks(network), network.program
    account = RunAccount(program, len(x), len(x), network.chip, masks)
    account.begin(0, *program.input.compute_counted(x))
    backend = TileCosimBackend(waves=trace, optimise=False, patience=20_000, **options)
    try:
        models = build_cores(network, device="rram-neurram", seed=3, time_s=DAY)
        backend.open_code(network.chip, tile_code(tile_programs(network, watched=True)), models)
        lanes = program.input.compute(x)
        backend.run_values(program, masks, lanes, np.arange(len(x), dtype=np.uint64), account)
    finally:
        backend.close()
    return read_activity(trace)


def check(part: Activity, whole: Activity, missing: set[str]) -> None:
    """Whether all but what is missing is there, and the same."""
    assert part.cycles == whole.cycles > 100
    assert part.changes.keys() == whole.changes.keys() - missing
    for name, changes in part.changes.items():
        if not name.endswith(OURS):
            assert (name, changes) == (name, whole.changes[name])
            assert (name, part.ones[name]) == (name, whole.ones[name])
    assert part.accesses.items() <= whole.accesses.items()


@pytest.mark.cosim
@pytest.mark.slow
def test_changes_are_those_of_one_design(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apart = activity(tmp_path / "apart.fst")
    part = activity(tmp_path / "some.fst", waves_tiles=["0,0"], threads=2)

    def built(chip: Any, *, waves: bool, optimise: bool) -> Simulator:
        assert waves
        assert not optimise
        (tmp_path / "whole").mkdir()
        return whole_mesh(chip, tmp_path / "whole")

    monkeypatch.setattr(backends, "build_mesh", built)
    whole = activity(tmp_path / "whole.fst")
    assert sum(sum(changes) for name, changes in whole.changes.items() if ".tile_1_0.core." in name) > 1000
    check(apart, whole, set())
    # This tile is the first to start, so that both count from there.
    check(part, whole, {name for name in whole.changes if any(scope in name for scope in OTHER)})
    assert any(".tile_0_0.core." in name for name in part.changes)


def test_a_tile_that_there_is_not_is_one_sentence() -> None:
    from mho.hw.chip.map import ChipParts

    mesh = ChipParts.from_chip(load_chip("tnsa16-2x2", CHIP)).mesh
    assert traced_tiles(mesh, ["1,0", "0,0"]) == [1, 0]
    for wrong in ("0,1", "3,0", "1", "-1,0"):
        with pytest.raises(InputError, match=f"waves_tiles must be .* from 0,0 to 2,0, not '{wrong}'"):
            traced_tiles(mesh, [wrong])
