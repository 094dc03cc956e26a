"""Random work for a whole mesh: blocks to one node or to many, sums of groups, nodes that stall; whether all came."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations
from mho.hw.noc.interface.tables import FLOWS, register_tag
from mho.hw.noc.model import Answer, HostModel, NodeModel, TileMemory
from mho.hw.noc.reduction.trees import Group, entries
from mho.hw.noc.registers.packet import BURST, NODE_BITS, Burst, host_address, host_address_bits
from mho.macro_models.errors import InputError, ToolError
from mho.sim.noc.mesh import payloads
from mho.sim.noc.nodes import TILE_WORDS, Flow, Job, NodesRun, NodesSimulation, Sends

Row = dict[str, float]

_LONGEST = 12
"""Flits of the longest block."""

_STALLS = (0.0, 0.2, 0.5)


def run_jobs(
    simulation: NodesSimulation, flits: int, *, seed: int = 0, chunk: int = 500_000,
    progress: Callable[[int], object] = lambda _: None,
) -> list[Row]:
    """Random jobs, each checked, with at least so many flits and operands in all: what each of them was.

    Raises ToolError as :func:`check_job`, or if the mesh stands still before everything was sent.

    Parameters
    ----------
    flits
        Flits and operands.
    seed
        Of all that is random.
    chunk
        Flits and operands of a job: its tables are drawn anew, and the mesh starts from reset.
    progress
        Called with the flits and operands of each job.
    """
    rows: list[Row] = []
    left = flits
    while left > 0:
        rng = np.random.default_rng([seed, len(rows)])
        stall = _STALLS[len(rows) % len(_STALLS)]
        job = random_job(simulation.cfg, rng, min(left, chunk), stall=stall)
        run = simulation.run(job, cycles=1000 * chunk)
        deliveries, sums = check_job(simulation.cfg, job, run)
        sent, operands = len(job.tx.node), len(job.operands.node)
        several = sum(len(flow.members(simulation.cfg)) > 1 for flow in job.flows)
        rows.append({
            "stall": stall, "flows": len(job.flows), "multicasts": several, "groups": len(job.groups), "flits": sent,
            "deliveries": deliveries, "operands": operands, "sums": sums, "requests": len(job.registers),
            "cycles": int(max(run.flits[:, 0].max(initial=0), run.sums[:, 0].max(initial=0))) + 1, "cpu_s": run.cpu_s,
        })
        left -= sent + operands
        progress(sent + operands)
    return rows


def random_job(cfg: MeshConfig, rng: np.random.Generator, count: int, *, stall: float = 0.0) -> Job:
    """A job of ``count`` flits and operands, and a few more to make blocks and sums whole.

    Parameters
    ----------
    count
        Flits and operands.
    stall
        Part of the cycles in which a node offers no flit, no operand, takes no sum, frees no block, and its tile does
        not serve a register: each drawn alone.
    """
    flows = _random_flows(cfg, rng)
    groups = _random_groups(cfg, rng) if cfg.contexts else []
    members = sum(len(group.members) for group in groups)
    operands = -(-count // 2) if members else 0
    bits = (rng.random((499, cfg.nodes, 5)) < stall) @ np.array([1, 2, 4, 8, 16])
    return Job(
        flows=flows, groups=groups, tx=_random_blocks(cfg, rng, flows, count - operands),
        operands=_random_operands(cfg, rng, groups, -(-operands // members) if members else 0),
        registers=[_random_request(cfg, rng) for _ in range(min(count // 50, 2000))],
        stalls=bits.astype(np.uint8) if stall else np.zeros(0, dtype=np.uint8),
    )


def _random_flows(cfg: MeshConfig, rng: np.random.Generator) -> list[Flow]:
    """Flows to one node and to many, as long as members have a common slot that is free."""
    free = np.ones((cfg.nodes, register_tag(cfg)), dtype=np.bool_)
    flows: list[Flow] = []
    numbers = np.zeros(cfg.nodes, dtype=np.int64)
    for source in rng.permutation(np.repeat(np.arange(cfg.nodes), 4)):
        sides = []
        for size in (cfg.columns, cfg.rows):
            low, high = np.sort(rng.integers(0, size, 2))
            single, whole = (int(low),), tuple(int(i) for i in range(low, high + 1))
            # A mask may have gaps, a rectangle has none.
            gaps = tuple(i for i in whole if rng.random() < 0.6) or single
            sides.append((single, whole, gaps if cfg.masks else whole)[rng.integers(3)])
        flow = Flow(
            source=int(source), number=int(numbers[source]), to=Destinations(*sides), slot=0,
            block=int(rng.integers(1, _LONGEST + 1)),
        )
        common = free[flow.members(cfg)].all(axis=0)
        if flow.members(cfg) and common.any() and numbers[source] < FLOWS:
            slot = int(rng.choice(np.flatnonzero(common)))
            free[flow.members(cfg), slot] = False
            numbers[source] += 1
            flows.append(Flow(source=flow.source, number=flow.number, to=flow.to, slot=slot, block=flow.block))
    return flows


def _random_groups(cfg: MeshConfig, rng: np.random.Generator) -> list[Group]:
    """Groups that fit beside each other."""
    groups: list[Group] = []
    for trial in range(4 * cfg.nodes):
        size = int(rng.integers(1, min(cfg.nodes, 6) + 1))
        members = tuple(int(n) for n in rng.choice(cfg.nodes, size, replace=False))
        root, context = int(rng.integers(cfg.nodes)), int(rng.integers(cfg.contexts))
        group = Group(name=f"g{trial}", members=members, root=root, context=context)
        try:
            entries(cfg, [*groups, group])
        except InputError:
            continue
        groups.append(group)
    return groups


def _random_blocks(cfg: MeshConfig, rng: np.random.Generator, flows: list[Flow], count: int) -> Sends:
    """Blocks of random flows; the first word of a payload is the flit's number."""
    lengths = np.array([flow.block for flow in flows])
    picked = rng.integers(0, len(flows), count)
    picked = picked[: int(np.searchsorted(np.cumsum(lengths[picked]), count)) + 1]
    flow = np.repeat(picked, lengths[picked])
    ends = np.cumsum(lengths[picked]) - 1
    last = np.zeros(len(flow), dtype=np.bool_)
    last[ends] = True
    return Sends(
        node=np.array([f.source for f in flows])[flow], phase=np.zeros(len(flow), dtype=np.int64),
        payload=payloads(cfg, len(flow)), number=np.array([f.number for f in flows])[flow], last=last,
    )


def _random_operands(cfg: MeshConfig, rng: np.random.Generator, groups: list[Group], count: int) -> Sends:
    """``count`` operands of each member of each group."""
    streams = [(node, group.context) for group in groups for node in group.members]
    node, context = (np.repeat([stream[k] for stream in streams], count).astype(np.int64) for k in (0, 1))
    payload = rng.integers(0, 1 << 32, (len(node), cfg.payload_bits // 32), dtype=np.uint32)
    return Sends(node=node, phase=np.zeros_like(node), payload=payload, number=context, last=node < 0)


def _random_request(cfg: MeshConfig, rng: np.random.Generator) -> tuple[bool, Burst]:
    """A port of the host, and what it asks for: of any node, some words beyond its registers or beyond the mesh."""
    several = bool(rng.random() < 0.5)
    count = int(rng.integers(1, BURST + 1)) if several else 1
    address = host_address(cfg, int(rng.integers(cfg.nodes)), 4 * int(rng.integers(TILE_WORDS)))
    if rng.random() < 0.05:
        address = int(rng.integers(1 << host_address_bits(cfg) - NODE_BITS)) << NODE_BITS
    if rng.random() < 0.05:
        address |= (1 << NODE_BITS) - 4 * int(rng.integers(1, BURST))
    data = tuple(int(word) for word in rng.integers(0, 1 << 32, count)) if rng.random() < 0.6 else None
    return several, Burst(address, data, count, int(rng.integers(16)) if rng.random() < 0.3 else 15)


def check_job(cfg: MeshConfig, job: Job, run: NodesRun) -> tuple[int, int]:
    """Flits delivered and sums, if each is right.

    Raises ToolError if a flit was lost, doubled, changed, out of order or at the wrong node or slot; if a sum is not
    that of the operands of the same number; or if an answer to the host or a word of a tile is not that of the model.
    """
    mesh = f"a mesh of {cfg.columns} x {cfg.rows}"
    sent = job.tx.node * FLOWS + job.tx.number
    by_flow = {(flow.source, flow.number): flow for flow in job.flows}
    expected: dict[tuple[int, int], NDArray[np.int64]] = {}
    for key, flow in by_flow.items():
        flits = np.flatnonzero(sent == key[0] * FLOWS + key[1])
        expected |= {(node, flow.slot): flits for node in flow.members(cfg)}
    where = run.flits[:, 1] << cfg.tag_bits | run.flits[:, 2]
    order = np.argsort(where, kind="stable")
    starts = np.searchsorted(where[order], np.arange((cfg.nodes << cfg.tag_bits) + 1))
    for node in range(cfg.nodes):
        for slot in range(1 << cfg.tag_bits):
            at = node << cfg.tag_bits | slot
            got = order[starts[at] : starts[at + 1]]
            flits = expected.get((node, slot), np.zeros(0, dtype=np.int64))
            if len(got) != len(flits) or not np.array_equal(run.flit_payloads[got], job.tx.payload[flits]):
                raise ToolError(
                    f"node {node} of {mesh} must get all {len(flits)} flits for slot {slot}, in order and unchanged: "
                    f"it got {len(got)}"
                )
    for group in job.groups:
        streams = [
            job.operands.payload[(job.operands.node == node) & (job.operands.number == group.context)]
            for node in group.members
        ]
        total = sum(np.ascontiguousarray(words).view(np.uint16) for words in streams)
        here = (run.sums[:, 1] == group.root) & (run.sums[:, 2] == group.context)
        if not np.array_equal(np.ascontiguousarray(run.sum_payloads[here]).view(np.uint16), total):
            raise ToolError(f"node {group.root} of {mesh} must get the sums of all operands of {group}")
    members = sum(len(group.members) for group in job.groups)
    if len(run.sums) != sum(len(job.operands.node) // max(1, members) for _ in job.groups):
        raise ToolError(f"the roots of {mesh} must get nothing but their sums")
    if run.at_host:
        raise ToolError(
            f"the host of {mesh} must get nothing of what nodes send to each other: it got {run.at_host} flits"
        )
    _check_registers(cfg, job, run)
    return len(run.flits), len(run.sums)


def _check_registers(cfg: MeshConfig, job: Job, run: NodesRun) -> None:
    mesh = f"a mesh of {cfg.columns} x {cfg.rows}"
    tiles = [TileMemory(TILE_WORDS) for _ in range(cfg.nodes)]
    host = HostModel(cfg, [NodeModel(cfg, tile) for tile in tiles])
    if len(run.answers) != len(job.registers):
        raise ToolError(
            f"the host of {mesh} must get an answer to each of {len(job.registers)} requests, not {len(run.answers)}"
        )
    for (several, request), answer in zip(job.registers, run.answers, strict=True):
        expected = host.access(request)
        if not several:
            # Single words: a word for every read, and no more than that it failed.
            expected = Answer((expected.data or (0,)) if request.data is None else (), expected.error)
        if answer != expected:
            raise ToolError(f"the answer of {mesh} to {request} must be {expected}, not {answer}")
    for node, tile in enumerate(tiles):
        if run.tiles[node].tolist() != tile.words:
            raise ToolError(f"the tile at node {node} of {mesh} must hold what the host wrote")
