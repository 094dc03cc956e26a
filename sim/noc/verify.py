"""The bench of ``mho verify noc``: random traffic through the Verilog of a mesh, all of it checked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import STEP, WANTS, Port
from mho.hw.noc.router.model import MeshModel, Traffic
from mho.hw.noc.router.traffic import random_traffic
from mho.macro_models.errors import ToolError
from mho.sim.noc.jobs import run_jobs
from mho.sim.noc.mesh import MeshSimulation, check_delivery, check_equal
from mho.sim.noc.nodes import NodesSimulation

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

CASE_FLITS = 20_000

Case = dict[str, float | str]


@dataclass(kw_only=True)
class NocReport:
    """What was run and found right."""

    mesh: MeshConfig
    """The parameters."""
    pairs: int = 0
    """Pairs of nodes whose latency in the empty mesh is ``H + 1`` cycles, H routers on the way."""
    per_output: dict[str, float] = field(default_factory=dict)
    """Flits a cycle, by input and output of a router in the middle."""
    cases: list[Case] = field(default_factory=list)
    """Random traffic between bare routers, equal to the model in every cycle: name, flits, deliveries, cycles, mean
    latency and some quantiles of it (cycles, first and last counted, from the cycle in which the flit could leave)."""
    jobs: list[dict[str, float]] = field(default_factory=list)
    """Random work of the whole mesh, network interfaces and reduction included (:func:`mho.sim.noc.jobs.run_jobs`)."""
    latencies: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """Sorted latencies of each case, by name."""

    def __str__(self) -> str:
        m = self.mesh
        slowest = min(self.per_output.values())
        counted = ("flits", "deliveries", "operands", "sums", "requests")
        total = {key: sum(int(job[key]) for job in self.jobs) for key in counted}
        rows = [
            f"mesh of {m.columns} x {m.rows}, {m.payload_bits} bits, {m.depth} flits an input, "
            f"{m.contexts} contexts of reduction",
            f"  {self.pairs} pairs of nodes: hops + 1 cycles in the empty mesh (hops: routers on the way)",
            f"  {len(self.per_output)} ways through a router: {slowest:.3f} flits a cycle at least",
            "  bare routers, equal to the model cycle for cycle:",
            f"    {'traffic':<22} {'flits':>8} {'deliveries':>10} {'cycles':>8} {'mean latency':>12}",
        ]
        rows += [
            f"    {c['traffic']:<22} {c['flits']:>8} {c['deliveries']:>10} {c['cycles']:>8} {c['mean']:>12.1f}"
            for c in self.cases
        ]
        rows += [
            f"  whole mesh, {len(self.jobs)} random jobs with stalls: nothing lost, doubled, changed or out of order",
            f"    {total['flits']} flits, {total['deliveries']} deliveries, in blocks with credits",
            f"    {total['operands']} operands, {total['sums']} sums, all right",
            f"    {total['requests']} requests of the host to registers of all tiles, answered and right, errors too",
        ]
        return "\n".join(rows)


def verify_noc(
    cfg: MeshConfig, *, flits: int = 200_000, seed: int = 0, progress: Callable[[int, int], object] = lambda *_: None
) -> NocReport:
    """Run random traffic through the Verilog of a mesh: of its routers alone, and of all of it.

    Raises ToolError if anything differs from the model, is lost, doubled, changed or out of order, a sum is wrong, a
    latency or a rate is not that of an empty mesh; or if a tool is missing or fails.

    Parameters
    ----------
    cfg
        The mesh, with tags of 2 to 4 bits.
    flits
        Flits and operands that nodes of the whole mesh send; a case of the bare routers has at most 20,000.
    seed
        Of all that is random.
    progress
        Called with the flits that are done, and all.
    """
    report = NocReport(mesh=cfg)
    count = min(CASE_FLITS, flits)
    total, done = len(CASES) * count + flits, 0

    def step(sent: int) -> None:
        nonlocal done
        done = min(done + sent, total)
        progress(done, total)

    whole, routers = NodesSimulation(cfg), MeshSimulation(cfg)
    report.pairs = check_pairs(routers)
    report.per_output = per_output(routers)
    slow = min(report.per_output, key=report.per_output.__getitem__)
    # A FIFO of one flit passes one every other cycle.
    if report.per_output[slow] < (0.5 if cfg.depth == 1 else 1.0):
        raise ToolError(f"an output must pass a flit a cycle, but {slow} passes {report.per_output[slow]:.3f}")
    for case, latency in check_random(routers, count, seed=seed):
        report.cases.append(case)
        report.latencies[str(case["traffic"])] = latency
        step(count)
    report.jobs = run_jobs(whole, flits, seed=seed, progress=step)
    return report


def check_random(simulation: MeshSimulation, flits: int, *, seed: int = 0) -> Iterator[tuple[Case, NDArray[np.int64]]]:
    """Random traffic of each of :data:`CASES` between bare routers: what it was, and its sorted latencies.

    Raises ToolError if a cycle differs from the model's, or a flit is lost, doubled, changed or out of order.
    """
    cfg, model = simulation.cfg, MeshModel(simulation.cfg)
    for number, (name, load, multicast, stall) in enumerate(CASES):
        rng = np.random.default_rng([seed, number])
        traffic = random_traffic(rng, cfg, flits, load=load, multicast=multicast)
        # A prime, so that a node's pauses meet all phases of the traffic.
        accept = rng.random((997, cfg.nodes)) >= stall
        limit = 1000 + 1000 * flits
        run = simulation.run(traffic, cycles=limit, accept=accept)
        check_equal(cfg, run, model.run(traffic, cycles=limit, accept=accept))
        deliveries = check_delivery(cfg, traffic, run)
        latency = np.sort(run.cycle - traffic.earliest[run.flit] + 1)
        yield {
            "traffic": name, "flits": flits, "deliveries": deliveries, "cycles": int(run.cycle.max()) + 1,
            "mean": float(latency.mean()), "p50": float(np.quantile(latency, 0.5)),
            "p99": float(np.quantile(latency, 0.99)), "longest": int(latency[-1]),
        }, latency


def check_pairs(simulation: MeshSimulation) -> int:
    """Number of pairs of nodes, if a flit between any of them, alone in the mesh, takes hops + 1 cycles.

    Raises ToolError if one takes another time, or does not arrive.
    """
    cfg = simulation.cfg
    source, node = (side.ravel() for side in np.indices((cfg.nodes, cfg.nodes)))
    source, node = source[source != node], node[source != node]
    x, y = node % cfg.columns, node // cfg.columns
    routers = np.abs(x - source % cfg.columns) + np.abs(y - source // cfg.columns) + 1
    count = len(source)
    traffic = Traffic(
        source=source, columns=1 << x, rows=1 << y, tag=np.arange(count) % (1 << cfg.tag_bits),
        earliest=np.arange(count) * (cfg.columns + cfg.rows + 2),
    )
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
    return count


def per_output(simulation: MeshSimulation, count: int = 1000) -> dict[str, float]:
    """Flits a cycle from each input to each output of a router in the middle, one way at a time."""
    cfg = simulation.cfg
    x, y = cfg.columns // 2, cfg.rows // 2

    def node(port: Port) -> int | None:
        dx, dy = (0, 0) if port is Port.LOCAL else STEP[port]
        return cfg.node(x + dx, y + dy) if 0 <= x + dx < cfg.columns and 0 <= y + dy < cfg.rows else None

    rates = {}
    for entry, leave in ((i, o) for i in Port for o in WANTS[i]):
        source, to = node(entry), node(leave)
        if source is None or to is None:
            continue
        column, row = cfg.position(to)
        traffic = Traffic(
            source=np.full(count, source), columns=np.full(count, 1 << column), rows=np.full(count, 1 << row),
            tag=np.arange(count) % (1 << cfg.tag_bits), earliest=np.zeros(count, dtype=np.int64),
        )
        run = simulation.run(traffic, cycles=10 * count)
        check_delivery(cfg, traffic, run)
        rates[f"{entry.name.lower()} to {leave.name.lower()}"] = (count - 1) / int(run.cycle[-1] - run.cycle[0])
    return rates
