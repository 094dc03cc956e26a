"""The Verilog of a whole mesh in Verilator, with nodes around it: blocks, credits and sums."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import BodyLayout, Destinations
from mho.hw.noc.interface.interface import RxLayout, TxLayout
from mho.hw.noc.model import Answer
from mho.hw.noc.reduction.router import OperandLayout
from mho.hw.noc.reduction.trees import Group, entries
from mho.hw.noc.registers.map import write_entry, write_flow, write_members, write_slot
from mho.hw.noc.registers.packet import NODE_BITS, Burst, host_address, host_address_bits
from mho.macro_models.errors import ToolError
from mho.macro_models.workspace import Workspace
from mho.rtl_gen.templates import fill, template
from mho.sim.build.toolchain import run_logged
from mho.sim.noc.mesh import build_mesh, word_count

TILE_WORDS = 64
"""Words of a tile's registers in simulation; what is beyond answers with an error."""

Ints = NDArray[np.int64]
Words = NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A row of a node's table of flows: who gets its blocks, where they keep them, flits of a block."""

    source: int
    number: int
    to: Destinations
    slot: int
    block: int

    def members(self, cfg: MeshConfig) -> list[int]:
        """Nodes that get its blocks."""
        return sorted(n for n in (cfg.node(x, y) for x, y in self.to.nodes) if n != self.source)


@dataclass(frozen=True, kw_only=True)
class Sends:
    """What nodes offer: flits in order, operands in order in each context, where contexts take turns."""

    node: Ints
    phase: Ints
    """Who, and in which phase of the job; of shape (items,)."""
    payload: Words
    """32-bit words, of shape (items, words)."""
    number: Ints
    """Flow of each flit, or context of each operand."""
    last: NDArray[np.bool_]
    """Whether each flit is the last of its block; of no meaning for operands."""

    @classmethod
    def none(cls, cfg: MeshConfig) -> "Sends":
        """Nothing."""
        empty = np.zeros(0, dtype=np.int64)
        payload = np.zeros((0, cfg.payload_bits // 32), dtype=np.uint32)
        return cls(node=empty, phase=empty, payload=payload, number=empty, last=empty == 1)

    @classmethod
    def joined(cls, parts: "Sequence[Sends]") -> "Sends":
        """One after the other."""
        names = ("node", "phase", "payload", "number", "last")
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


@dataclass(kw_only=True)
class Job:
    """What a mesh is set up for, and what its nodes do."""

    flows: Sequence[Flow] = ()
    groups: Sequence[Group] = ()
    """Flows and trees; the host sets them up first."""
    tx: Sends
    operands: Sends
    """Flits of blocks, and operands of sums."""
    registers: Sequence[tuple[bool, Burst]] = ()
    """Requests of the host while nodes work: at its port for several words, or at that for one."""
    barrier: int = 0
    """Arrivals after which what is of phase 1 may go."""
    stalls: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    """A byte for each node and cycle, of shape (cycles, nodes), repeated: 1, the node offers no flit; 2, no operand; 4,
    it takes no sum; 8, it frees no block; 16, its tile serves no register (node 0: the host waits too). Empty: it
    always does."""


@dataclass(frozen=True, kw_only=True)
class NodesRun:
    """What arrived."""

    flits: Ints
    """Cycle, node and slot of each flit that arrived, of shape (flits, 3)."""
    sums: Ints
    """Cycle, node and context of each sum, of shape (sums, 3)."""
    flit_payloads: Words
    sum_payloads: Words
    """Their payloads as 32-bit words."""
    at_host: int
    """Flits that arrived at the host."""
    answers: list[Answer]
    """What the requests of the host gave."""
    tiles: Words
    """Words of all tiles at the end, of shape (nodes, words)."""
    cycles: int
    """Cycles until nothing moved any more, with those in which it was found out."""
    cpu_s: float
    """Processor time."""


class NodesSimulation:
    """Simulator of a :class:`mho.hw.noc.node.Mesh`, built once and kept in the cache."""

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        from mho.hw.noc.node import Mesh

        self._program = build_mesh(Mesh(cfg), "mesh_nodes.cpp", _ports(cfg)) / "simulator"

    def run(self, job: Job, *, cycles: int = 1_000_000) -> NodesRun:
        """Set up the mesh, then run until nothing moves.

        Raises ToolError if a node could not send all that it has, or the simulation fails.
        """
        cfg = self.cfg
        streams = job.operands.node * cfg.contexts + job.operands.number
        files = {
            "setup": _requests(cfg, [(False, request) for request in _set_up(cfg, job)]),
            "tx": _items(job.tx, job.tx.node, TxLayout(cfg).size),
            "operands": _items(job.operands, streams, OperandLayout(cfg).size),
            "registers": _requests(cfg, job.registers),
        }
        blocks = np.zeros((cfg.nodes, 1 << cfg.tag_bits), dtype=np.uint32)
        for flow in job.flows:
            blocks[flow.members(cfg), flow.slot] = flow.block
        with Workspace("noc") as folder:
            for kind, words in files.items():
                words.tofile(folder / kind)
            blocks.tofile(folder / "blocks")
            job.stalls.astype(np.uint8).tofile(folder / "stalls")
            arguments = [*files, "blocks", "stalls", str(cycles), str(job.barrier), "result", "answers"]
            run_logged([str(self._program), *arguments], folder / "log", "the simulation of the mesh", cwd=folder)
            ran, done, cpu_s = (folder / "log").read_text().split()[-3:]
            result = np.fromfile(folder / "result", dtype=np.uint32)
            registers = np.fromfile(folder / "answers", dtype=np.uint32)
        if not int(done):
            raise ToolError(f"nodes of a mesh of {cfg.columns} x {cfg.rows} must be able to send all that they have")
        result = result.reshape(-1, 3 + word_count(BodyLayout(cfg).size))
        words, tag = cfg.payload_bits // 32, cfg.payload_bits // 32 + 3
        flits, sums = (result[result[:, 0] == kind] for kind in (0, 1))

        def numbers(records: Words, bits: int) -> Ints:
            number = records[:, tag] & np.uint32((1 << bits) - 1)
            return np.column_stack([records[:, 1], records[:, 2], number]).astype(np.int64)

        tiles = registers[len(registers) - cfg.nodes * TILE_WORDS :]
        return NodesRun(
            flits=numbers(flits, cfg.tag_bits), sums=numbers(sums, (max(cfg.contexts, 1) - 1).bit_length()),
            flit_payloads=flits[:, 3 : 3 + words], sum_payloads=sums[:, 3 : 3 + words],
            at_host=len(result) - len(flits) - len(sums), tiles=tiles.reshape(cfg.nodes, TILE_WORDS),
            answers=_answers(registers[: len(registers) - len(tiles)].tolist()), cycles=int(ran), cpu_s=float(cpu_s),
        )


def _set_up(cfg: MeshConfig, job: Job) -> list[Burst]:
    """Requests of the host that write all tables."""
    requests = []

    def write(node: int, entry: tuple[int, int]) -> None:
        requests.append(Burst(host_address(cfg, node, entry[0]), (entry[1],)))

    for flow in job.flows:
        members = flow.members(cfg)
        for node in members:
            write(node, write_slot(cfg, flow.slot, flow.source, flow.number))
        write(flow.source, write_flow(cfg, flow.number, flow.to, flow.slot))
        write(flow.source, write_members(cfg, flow.number, len(members)))
    for (node, context), entry in entries(cfg, job.groups).items():
        write(node, write_entry(cfg, context, entry))
    return requests


def _requests(cfg: MeshConfig, requests: Sequence[tuple[bool, Burst]]) -> Words:
    """Flags, address and words of each request."""
    words: list[int] = []
    for several, request in requests:
        flags = several | (request.data is not None) << 1 | request.strobe << 2 | request.count << 6
        words += [flags, request.address >> 2, *(request.data or ())]
    return np.array(words, dtype=np.uint32)


def _answers(words: list[int]) -> list[Answer]:
    """The answers from the number of words, the words and the status of each."""
    answers, at = [], 0
    while at < len(words):
        end = at + 1 + words[at]
        answers.append(Answer(tuple(words[at + 1 : end]), bool(words[end] & 1), words[end] >> 1))
        at = end + 1
    return answers


def _items(sends: Sends, stream: Ints, bits: int) -> Words:
    """Stream, phase and words of each item, by stream."""
    tail = sends.number | sends.last.astype(np.int64) << 4
    columns = [stream[:, None], sends.phase[:, None], sends.payload, tail[:, None]]
    rows = np.hstack([column.astype(np.uint32) for column in columns])
    # Operands of a single context have no number.
    return np.ascontiguousarray(rows[np.argsort(stream, kind="stable"), : 2 + word_count(bits)])


def _ports(cfg: MeshConfig) -> str:
    """The header that tells the bench the ports of the mesh."""
    sizes = {
        "tx": TxLayout(cfg).size, "rx": RxLayout(cfg).size, "release": cfg.tag_bits,
        "operand": OperandLayout(cfg).size, "result": OperandLayout(cfg).size,
    }
    address = host_address_bits(cfg) - 2
    single = {
        "host_receive": BodyLayout(cfg).size, "host_bus_request": address + 37, "host_bus_response": 33,
        "host_burst_request": address + 9, "host_burst_data": 32, "host_burst_answer": 34,
    }

    def port(name: str, bits: int) -> str:
        payload = f"top.{name}_payload"
        data = f"{payload}.data()" if bits > 64 else f"&{payload}"
        ready = "nullptr" if name.startswith(("rx", "host_receive")) else f"&top.{name}_ready"
        return f"{{{data}, &top.{name}_valid, {ready}, {4 if bits <= 32 else 8}}}"

    lists = {}
    for name, bits in sizes.items():
        exists = cfg.contexts or name not in ("operand", "result")
        lists[name] = ",\n        ".join(port(f"{name}_{n}", bits) for n in range(cfg.nodes)) if exists else ""
    tiles = (
        f"{{{port(f'registers_{n}_request', NODE_BITS + 34)}, {port(f'registers_{n}_response', 33)}}}"
        for n in range(cfg.nodes)
    )
    lists["registers"] = ",\n        ".join(tiles)
    members = [f"{name}{{{text}}}" for name, text in lists.items()]
    named = {name: name.removeprefix("host_") if name != "host_receive" else name for name in single}
    members += [f"{named[name]}{port(name, bits)}" for name, bits in single.items()]
    initial = ",\n        ".join(members)
    count = {"Tx": sizes["tx"], "Rx": sizes["rx"], "Operand": sizes["operand"], "Body": BodyLayout(cfg).size}
    words = ", ".join(f"k{name}Words = {word_count(bits)}" for name, bits in count.items())
    return fill(template("mesh_nodes.h"), {
        "NODES": cfg.nodes, "CONTEXTS": cfg.contexts, "SLOTS": 1 << cfg.tag_bits, "TAG_AT": cfg.payload_bits,
        "HOST_ADDRESS": address, "TILE_ADDRESS": NODE_BITS - 3, "TILE_WORDS": TILE_WORDS, "WORDS": words,
        "NAMED": ", ".join(named.values()), "INITIAL": initial,
    })
