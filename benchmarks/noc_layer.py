"""A layer on a block of nodes: its input to all nodes of a row, the partial sums of a column to one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tools import Figures

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations
from mho.hw.noc.reduction.trees import Group
from mho.sim.noc.nodes import Flow, Job, NodesRun, NodesSimulation, Sends

LINES = 256
"""Inputs and outputs of a node's array."""

INPUT_BITS, SUM_BITS = 8, 16


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
    rng = np.random.default_rng(side)

    def block(node: int, phase: int, number: int, payload: NDArray[np.uint32]) -> Sends:
        length = len(payload)
        return Sends(
            node=np.full(length, node), phase=np.full(length, phase), payload=payload, number=np.full(length, number),
            last=np.arange(length) == length - 1,
        )

    def random_words(length: int) -> NDArray[np.uint32]:
        return rng.integers(0, 1 << 15, (length, cfg.lanes)).astype(np.uint16).view(np.uint32)

    # Slot 0: inputs; from slot 1 on: partial sums of the other nodes of a column.
    flows, groups, tx, operands = [], [], [], [Sends.none(cfg)]
    for y in rows:
        source = cfg.node(x0 - 1, y)
        sets = [Destinations(tuple(columns), (y,))] if multicast else [Destinations.one(x, y) for x in columns]
        for number, to in enumerate(sets):
            flows.append(Flow(source=source, number=number, to=to, slot=0, block=inputs))
            tx.append(block(source, 0, number, random_words(inputs)))
    parts = {(x, y): random_words(sums) for x in columns for y in rows}
    for x in columns:
        root = cfg.node(x, rows[-1])
        if reduction:
            groups.append(Group(name=f"column {x}", members=tuple(cfg.node(x, y) for y in rows), root=root))
        for slot, y in enumerate(rows, 1):
            node = cfg.node(x, y)
            if reduction:
                operands.append(block(node, 1, 0, parts[x, y]))
            elif node != root:
                to = Destinations.one(*cfg.position(root))
                flows.append(Flow(source=node, number=0, to=to, slot=slot, block=sums))
                tx.append(block(node, 1, 0, parts[x, y]))
    job = Job(
        flows=flows, groups=groups, tx=Sends.joined(tx), operands=Sends.joined(operands),
        barrier=side * side * inputs,
    )
    run = simulation.run(job)
    _check(cfg, run, parts, rows[-1], reduction=reduction)
    return int(max(run.sums[:, 0].max(initial=0), run.flits[:, 0].max())) + 1


def _check(cfg: MeshConfig, run: NodesRun, parts: dict[tuple[int, int], Any], root: int, *, reduction: bool) -> None:
    """The roots got all sums, or all that they add up."""
    arrived = run.sums if reduction else run.flits[run.flits[:, 2] > 0]
    payloads = run.sum_payloads if reduction else run.flit_payloads[run.flits[:, 2] > 0]
    lanes = {place: part.view(np.uint16).astype(np.int64) for place, part in parts.items()}
    for x in sorted({x for x, _ in parts}):
        here = arrived[:, 1] == cfg.node(x, root)
        sums = np.ascontiguousarray(payloads[here]).view(np.uint16).astype(np.int64)
        if not reduction:
            slot = arrived[here][:, 2]
            sums = sum(sums[slot == s] for s in np.unique(slot))
        expected = sum(part for (u, y), part in lanes.items() if u == x and (reduction or y != root))
        if not np.array_equal(sums, expected & 0xFFFF if reduction else expected):
            raise SystemExit(f"the sums of column {x} are wrong")


def run() -> list[Figures]:
    """All cases, as rows of a table."""
    rows = []
    for side, size, corner in ((4, (8, 6), (2, 1)), (8, (9, 8), (1, 0))):
        cfg = MeshConfig(columns=size[0], rows=size[1], payload_bits=64, contexts=2)
        simulation = NodesSimulation(cfg)
        cycles = {
            name: layer(simulation, side, corner, multicast=multicast, reduction=reduction)
            for name, multicast, reduction in (
                ("unicast", False, False), ("multicast", True, False), ("reduction", False, True), ("both", True, True),
            )
        }
        print(f"layer of {LINES * side} x {LINES * side} on {side} x {side} nodes, 64 bits, cycles:", end=" ")
        print(", ".join(f"{k} {v}" for k, v in cycles.items()), flush=True)
        rows.append({"nodes": side, "mesh": f"{cfg.columns}x{cfg.rows}"} | cycles)
    return rows
