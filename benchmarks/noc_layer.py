"""A layer on a block of nodes: its input to all nodes of a row, the partial sums of a column to one."""

from itertools import count
from typing import Any

import numpy as np

from hw.noc.config import MeshConfig
from hw.noc.flit import Destinations
from hw.noc.trees import Group
from sim.noc_nodes import Flow, Job, NodesRun, NodesSimulation

__all__ = ["layer", "run"]

LINES = 256
"""Inputs and outputs of a node's array."""

INPUT_BITS, SUM_BITS = 8, 16

TARGETS = {4: 110, 8: 120}
"""Most cycles with multicast and reduction, by nodes a side."""


def layer(simulation: NodesSimulation, side: int, corner: tuple[int, int], *, multicast: bool, reduction: bool) -> int:
    """Cycles of a layer of ``256 side`` inputs and as many outputs, on side x side nodes.

    From the cycle in which the sources, west of the block and one a row, offer their first flits to their network
    interfaces, to the one in which the last sum is in the buffer of its root, in the block's last row; both counted.
    Partial sums are offered when all inputs have arrived: the arrays take no time. A block of inputs or sums has a flit
    in front that says what it is. Sums are checked.
    """
    cfg = simulation.cfg
    x0, y0 = corner
    rows, columns = range(y0, y0 + side), range(x0, x0 + side)
    head = 1
    inputs, sums = (LINES * bits // cfg.payload_bits + head for bits in (INPUT_BITS, SUM_BITS))
    job = Job(barrier=side * side * inputs)
    rng = np.random.default_rng(side)
    # Slot 0: inputs; from slot 1 on: partial sums of the other nodes of a column.
    flows = []
    for y in rows:
        source = cfg.node(x0 - 1, y)
        sets = [Destinations(tuple(columns), (y,))] if multicast else [Destinations.one(x, y) for x in columns]
        for number, to in enumerate(sets):
            flows.append(Flow(source=source, number=number, to=to, slot=0, block=inputs))
            job.tx += [(source, 0, int(rng.integers(1 << 32)), number, k == inputs - 1) for k in range(inputs)]
    parts = {(x, y): rng.integers(0, 1 << 15, (sums, cfg.lanes)) for x in columns for y in rows}
    groups = []
    for x in columns:
        root = cfg.node(x, rows[-1])
        if reduction:
            groups.append(Group(name=f"column {x}", members=tuple(cfg.node(x, y) for y in rows), root=root))
        slots = count(1)
        for y in rows:
            payloads = [sum(int(v) << 16 * k for k, v in enumerate(row)) for row in parts[x, y]]
            node = cfg.node(x, y)
            if reduction:
                job.operands += [(node, 1, payload, 0) for payload in payloads]
            elif node != root:
                flows.append(
                    Flow(source=node, number=0, to=Destinations.one(*cfg.position(root)), slot=next(slots), block=sums)
                )
                job.tx += [(node, 1, payload, 0, k == sums - 1) for k, payload in enumerate(payloads)]
    job.flows, job.groups = flows, groups
    run = simulation.run(job)
    _check(cfg, run, parts, rows[-1], reduction=reduction)
    return int(max(run.sums[:, 0].max(initial=0), run.flits[:, 0].max())) + 1


def _check(cfg: MeshConfig, run: NodesRun, parts: dict[tuple[int, int], Any], root: int, *, reduction: bool) -> None:
    """The roots got all sums, or all that they add up."""
    arrived = run.sums if reduction else run.flits[run.flits[:, 2] > 0]
    payloads = run.sum_payloads if reduction else run.flit_payloads[run.flits[:, 2] > 0]
    for x in sorted({x for x, _ in parts}):
        here = arrived[:, 1] == cfg.node(x, root)
        lanes = np.ascontiguousarray(payloads[here]).view(np.uint16).astype(np.int64)
        wanted = sum(part for (u, y), part in parts.items() if u == x and (reduction or y != root))
        found = lanes if reduction else sum(lanes[arrived[here][:, 2] == s] for s in np.unique(arrived[here][:, 2]))
        if not np.array_equal(found, wanted & 0xFFFF if reduction else wanted):
            raise SystemExit(f"the sums of column {x} are wrong")


def run() -> list[dict[str, Any]]:
    """All cases, as rows of a table."""
    found = []
    for side, size, corner in ((4, (8, 6), (2, 1)), (8, (9, 8), (1, 0))):
        cfg = MeshConfig(columns=size[0], rows=size[1], payload_bits=64, contexts=2)
        simulation = NodesSimulation(cfg)
        cycles = {
            name: layer(simulation, side, corner, multicast=multicast, reduction=reduction)
            for name, multicast, reduction in (
                ("unicast", False, False), ("multicast", True, False), ("reduction", False, True), ("both", True, True),
            )
        }  # fmt: skip
        verdict = "met" if cycles["both"] <= TARGETS[side] else "MISSED"
        print(f"layer of {LINES * side} x {LINES * side} on {side} x {side} nodes, 64 bits, cycles:", end=" ")
        print(", ".join(f"{k} {v}" for k, v in cycles.items()), f"(both <= {TARGETS[side]}: {verdict})", flush=True)
        found.append({"nodes": side, "mesh": f"{cfg.columns}x{cfg.rows}"} | cycles)
    return found
