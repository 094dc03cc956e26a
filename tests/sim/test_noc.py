"""The generated Verilog of meshes against the model, cycle for cycle."""

import numpy as np
import pytest

from hw.noc.config import MeshConfig
from hw.noc.model import MeshModel, Traffic
from sim.noc import MeshSimulation


def random_traffic(rng: np.random.Generator, cfg: MeshConfig, count: int, *, load: float, multicast: float) -> Traffic:
    """Flits at a mean rate of ``load`` a node and cycle, a part of them to sets of nodes."""
    sides = []
    many = rng.random(count) < multicast
    for size in (cfg.columns, cfg.rows):
        one = 1 << rng.integers(0, size, count)
        if cfg.masks:
            several = rng.integers(1, 1 << size, count)
        else:
            low, high = np.sort(rng.integers(0, size, (2, count)), axis=0)
            several = (2 << high) - (1 << low)
        sides.append(np.where(many, several, one))
    return Traffic(
        source=rng.integers(0, cfg.nodes, count), columns=sides[0], rows=sides[1],
        tag=rng.integers(0, 1 << cfg.tag_bits, count),
        earliest=np.sort(rng.integers(0, int(count / load / cfg.nodes) + 1, count)),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.cosim("verilator")
@pytest.mark.parametrize(
    "cfg",
    [
        MeshConfig(columns=3, rows=3, payload_bits=32, depth=4),
        MeshConfig(columns=4, rows=2, payload_bits=64, depth=1, queues=2),
        MeshConfig(columns=9, rows=2, payload_bits=128, depth=2),
    ],
    ids=lambda cfg: f"{cfg.columns}x{cfg.rows}x{cfg.payload_bits}",
)
def test_verilog_is_the_model_in_every_cycle(cfg: MeshConfig) -> None:
    simulation, model = MeshSimulation(cfg), MeshModel(cfg)
    rng = np.random.default_rng(cfg.nodes)
    for load, multicast, stall in ((0.05, 0.0, 0.0), (1.0, 0.0, 0.0), (0.3, 0.5, 0.0), (0.3, 0.3, 0.4)):
        traffic = random_traffic(rng, cfg, 2000, load=load, multicast=multicast)
        accept = rng.random((997, cfg.nodes)) >= stall
        wanted = model.run(traffic, cycles=50_000, accept=accept)
        got = simulation.run(traffic, cycles=50_000, accept=accept)
        assert got.intact.all()
        for name in ("cycle", "node", "flit", "injected"):
            np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name), err_msg=name)
        members = [int(c).bit_count() * int(r).bit_count() for c, r in zip(traffic.columns, traffic.rows, strict=True)]
        own = traffic.columns >> traffic.source % cfg.columns & traffic.rows >> traffic.source // cfg.columns & 1
        assert len(wanted.flit) == sum(members) - own.sum()
