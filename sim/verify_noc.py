"""The bench of ``mho verify noc``: random traffic through the Verilog of a mesh against the model, cycle for cycle."""

from dataclasses import dataclass, field

import numpy as np

from hw.noc.config import MeshConfig
from hw.noc.model import MeshModel, Traffic
from hw.noc.traffic import random_traffic
from macro_models.errors import ToolError
from sim.noc import MeshSimulation
from sim.noc_check import check_delivery, check_equal

__all__ = ["CASES", "NocReport", "verify_noc"]

CASES = (
    ("nearly empty", 0.02, 0.0, 0.0),
    ("full", 1.0, 0.0, 0.0),
    ("many sets", 0.1, 0.7, 0.0),
    ("full of sets", 1.0, 0.5, 0.0),
    ("nodes that stall", 0.2, 0.3, 0.4),
    ("nodes that stall much", 1.0, 0.3, 0.9),
)
"""What is run: name, flits a node and cycle, part of them to sets of nodes, part of the cycles in which a node accepts
nothing."""


@dataclass(kw_only=True)
class NocReport:
    """What was run and found equal.

    Attributes
    ----------
    mesh
        The parameters.
    cases
        For each case its name, flits, deliveries, cycles and mean latency (cycles, first and last counted, from the
        cycle in which the flit could leave).
    pairs
        Pairs of nodes whose latency in the empty mesh is ``H + 1`` cycles, H routers on the way.
    flits, deliveries, cycles
        Sums over all.
    """

    mesh: MeshConfig
    cases: list[dict[str, float | str]] = field(default_factory=list)
    pairs: int = 0
    flits: int = 0
    deliveries: int = 0
    cycles: int = 0

    def __str__(self) -> str:
        m = self.mesh
        rows = [
            f"mesh of {m.columns} x {m.rows}, {m.payload_bits} bits, {m.queues} x {m.depth} flits an input: "
            "equal to the model cycle for cycle",
            f"  {self.flits} flits, {self.deliveries} deliveries, {self.cycles} cycles; nothing lost, doubled, changed "
            "or out of order",
            f"  {self.pairs} pairs of nodes at H + 1 cycles, H routers on the way",
            f"  {'traffic':<22} {'flits':>8} {'deliveries':>10} {'cycles':>8} {'mean latency':>12}",
        ]
        rows += [
            f"  {c['traffic']:<22} {c['flits']:>8} {c['deliveries']:>10} {c['cycles']:>8} {c['latency']:>12.1f}"
            for c in self.cases
        ]
        return "\n".join(rows)


def verify_noc(cfg: MeshConfig, *, flits: int = 20_000, seed: int = 0) -> NocReport:
    """Run random traffic through the Verilog of a mesh of routers and compare every cycle with the model.

    Parameters
    ----------
    flits
        Flits of each case.
    seed
        Of all that is random.

    Raises
    ------
    ToolError
        If anything differs, is lost, doubled, changed or out of order; or if a tool is missing or fails.
    """
    simulation, model = MeshSimulation(cfg), MeshModel(cfg)
    report = NocReport(mesh=cfg)
    _check_pairs(simulation, report)
    for number, (name, load, multicast, stall) in enumerate(CASES):
        rng = np.random.default_rng([seed, number])
        traffic = random_traffic(rng, cfg, flits, load=load, multicast=multicast)
        # A prime, so that a node's pauses meet all phases of the traffic.
        accept = rng.random((997, cfg.nodes)) >= stall
        limit = 1000 + 100 * flits
        run = simulation.run(traffic, cycles=limit, accept=accept)
        check_equal(cfg, run, model.run(traffic, cycles=limit, accept=accept))
        deliveries = check_delivery(cfg, traffic, run)
        latency = float((run.cycle - traffic.earliest[run.flit] + 1).mean())
        last = int(run.cycle.max()) + 1
        report.cases.append(
            {"traffic": name, "flits": flits, "deliveries": deliveries, "cycles": last, "latency": latency}
        )
        report.flits += flits
        report.deliveries += deliveries
        report.cycles += last
    return report


def _check_pairs(simulation: MeshSimulation, report: NocReport) -> None:
    """Each pair alone in the mesh."""
    cfg = simulation.cfg
    source, node = (side.ravel() for side in np.indices((cfg.nodes, cfg.nodes)))
    source, node = source[source != node], node[source != node]
    x, y = node % cfg.columns, node // cfg.columns
    routers = np.abs(x - source % cfg.columns) + np.abs(y - source // cfg.columns) + 1
    count = len(source)
    traffic = Traffic(
        source=source, columns=1 << x, rows=1 << y, tag=np.arange(count) % (1 << cfg.tag_bits),
        earliest=np.arange(count) * (cfg.columns + cfg.rows + 2),
    )  # fmt: skip
    run = simulation.run(traffic, cycles=int(traffic.earliest[-1]) + 1000)
    check_delivery(cfg, traffic, run)
    latency = run.cycle - traffic.earliest[run.flit] + 1
    wrong = latency != routers[run.flit] + 1
    if wrong.any():
        at = int(wrong.argmax())
        flit = run.flit[at]
        raise ToolError(
            f"a flit from node {source[flit]} to node {node[flit]} of an empty mesh must take {routers[flit] + 1} "
            f"cycles, not {latency[at]}"
        )
    report.pairs = count
