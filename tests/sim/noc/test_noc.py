"""The generated Verilog of meshes: against the model cycle for cycle, and nothing lost in the whole mesh."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.node import Mesh
from mho.macro_models.errors import ToolError
from mho.rtl_gen.verilog.netlist import emit
from mho.sim.noc.jobs import check_job, random_job, run_jobs
from mho.sim.noc.mesh import MeshSimulation
from mho.sim.noc.nodes import Job, NodesRun, NodesSimulation
from mho.sim.noc.verify import CASES, check_pairs, check_random, per_output

SMALL = MeshConfig(columns=3, rows=3, payload_bits=32, depth=4)
"""As in the test of the command, which finds its simulators in the cache."""


@pytest.mark.slow
@pytest.mark.cosim("verilator", "make", "g++")
@pytest.mark.parametrize(
    "cfg",
    [
        SMALL,
        pytest.param(MeshConfig(columns=9, rows=2, payload_bits=128, depth=1), marks=pytest.mark.long),
    ],
    ids=lambda cfg: f"{cfg.columns}x{cfg.rows}x{cfg.payload_bits}",
)
def test_routers_are_the_model_in_every_cycle(cfg: MeshConfig) -> None:
    simulation = MeshSimulation(cfg)
    assert check_pairs(simulation) == cfg.nodes * (cfg.nodes - 1)
    rates = per_output(simulation, 200)
    # All ways through the router in the middle; in two rows it has no neighbour below.
    assert len(rates) == (16 if cfg.rows > 2 else 10)
    assert set(rates.values()) == {1.0}
    assert len(list(check_random(simulation, 500))) == len(CASES)


@pytest.fixture(scope="module")
def small() -> NodesSimulation:
    return NodesSimulation(SMALL)


@pytest.mark.slow
@pytest.mark.cosim("verilator", "make", "g++")
def test_nothing_is_lost_in_a_whole_mesh(small: NodesSimulation) -> None:
    rows = run_jobs(small, 300_000, seed=1, chunk=100_000)
    assert sum(row["flits"] + row["operands"] for row in rows) >= 300_000
    assert {row["stall"] for row in rows} == {0.0, 0.2, 0.5}
    for row in rows[:3]:
        assert row["multicasts"] > 10
        assert row["groups"] > 1
        assert row["requests"] == min((row["flits"] + row["operands"]) // 50, 2000) > 1500
        assert row["deliveries"] > 1.5 * row["flits"]


@pytest.mark.slow
@pytest.mark.cosim("verilator", "make", "g++")
def test_a_column_without_reduction() -> None:
    cfg = MeshConfig(columns=1, rows=4, payload_bits=128, depth=1, contexts=0)
    (row,) = run_jobs(NodesSimulation(cfg), 20_000)
    assert row["deliveries"] > row["flits"] >= 20_000
    assert row["sums"] == 0


@pytest.mark.slow
@pytest.mark.cosim("verilator")
@pytest.mark.parametrize(
    ("columns", "rows", "contexts"), [(2, 1, 0), (1, 2, 1), pytest.param(9, 1, 4, marks=pytest.mark.slow)]
)
def test_verilog_of_thin_meshes(tmp_path: Path, columns: int, rows: int, contexts: int) -> None:
    mesh = Mesh(MeshConfig(columns=columns, rows=rows, payload_bits=32, contexts=contexts))
    texts = emit(mesh, name="mho_mesh", prefix="mho_", reset_low=False)
    (tmp_path / "mesh.v").write_text("\n".join(texts.values()))
    command = ["verilator", "--lint-only", "-Wno-fatal", "--top-module", "mho_mesh", str(tmp_path / "mesh.v")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def job_and_run(small: NodesSimulation) -> tuple[Job, NodesRun]:
    job = random_job(SMALL, np.random.default_rng(3), 3000)
    return job, small.run(job)


def without(run: NodesRun, kind: str, at: int) -> NodesRun:
    return replace(run, **{name: np.delete(getattr(run, name), at, axis=0) for name in (kind, f"{kind[:-1]}_payloads")})


def changed(run: NodesRun, name: str, at: Any, value: Any) -> NodesRun:
    array = getattr(run, name).copy()
    array[at] = value
    return replace(run, **{name: array})


def swapped(run: NodesRun) -> NodesRun:
    """Two flits of one flow, each in the other's place."""
    first = run.flits[0, 1:]
    a, b = np.flatnonzero((run.flits[:, 1:] == first).all(axis=1))[:2]
    return changed(run, "flit_payloads", [a, b], run.flit_payloads[[b, a]])


@pytest.mark.slow
@pytest.mark.cosim("verilator", "make", "g++")
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda run: without(run, "flits", 5), "must get all"),
        (lambda run: changed(run, "flits", 5, run.flits[6]), "must get all"),
        (lambda run: changed(run, "flits", (5, 1), (run.flits[5, 1] + 1) % SMALL.nodes), "must get all"),
        (lambda run: changed(run, "flit_payloads", (5, 0), 1 << 30), "must get all"),
        (swapped, "in order and unchanged"),
        (lambda run: without(run, "sums", 5), "must get the sums"),
        (lambda run: changed(run, "sum_payloads", (5, 0), run.sum_payloads[5, 0] ^ 1), "must get the sums"),
        (lambda run: replace(run, at_host=1), "the host of a mesh of 3 x 3 must get nothing"),
    ],
)
def test_what_is_wrong_is_found(job_and_run: tuple[Job, NodesRun], spoil: Any, sentence: str) -> None:
    job, run = job_and_run
    assert check_job(SMALL, job, run) == (len(run.flits), len(run.sums))
    with pytest.raises(ToolError, match=sentence):
        check_job(SMALL, job, spoil(run))
