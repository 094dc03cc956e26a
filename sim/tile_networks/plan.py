"""What the host of a mesh does in a run: what it writes, which blocks it sends, what it waits for and reads."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mho.compiler.network.tiles import HeldValue, TileCode
from mho.compiler.program import Program
from mho.compiler.tile.placement.streams import boxes_of, place_of
from mho.compiler.types import Lanes
from mho.hw.chip.map import ChipParts
from mho.hw.host.link.tasks import Poll, Read, Task
from mho.hw.host.link.tasks import Write as WriteTask
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations
from mho.hw.noc.interface.tables import UNIT, register_tag
from mho.hw.noc.reduction.trees import Group, entries
from mho.hw.noc.registers.map import write_entry, write_flow, write_members, write_slot
from mho.hw.noc.registers.packet import host_address
from mho.hw.tile.host_map import IMAGE_AT, START, STATUS_AT, WATCHDOG_AT, mask_writes, program_writes
from mho.hw.tile.interpreter.joined import HOST
from mho.hw.tile.rtl.host import CONTROL, MASKS_AT
from mho.macro_models import Masks
from mho.macro_models.errors import InputError

READ, WRITE, WAIT = 0, 1, 2
"""Kinds of requests; one that waits reads until the word has a bit of its data."""

STATUS_READS = (CONTROL, STATUS_AT, STATUS_AT + 4)
"""What the host reads of each tile at the end."""

Write = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Coming:
    """What the host makes on the way: which value, how tiles hold it, who takes it and in which slot."""

    value: int
    held: HeldValue
    to: Destinations
    slot: int

    def flits(self, lanes: Lanes, mesh: MeshConfig) -> NDArray[np.uint32]:
        """Flits of some images, (images, elements)."""
        return _flits(mesh, self.held.blocks(lanes), self.to, self.slot)


@dataclass(frozen=True, kw_only=True)
class SourcePlan:
    """Blocks of one of the host's flows: flits of shape (blocks, flits, words), who takes them, the flow's number.

    Those that are ``coming`` have no data yet. ``value`` is what the blocks are of.
    """

    flits: NDArray[np.uint32]
    members: int
    flow: int
    value: int = 0
    coming: Coming | None = None

    @property
    def ready(self) -> int:
        """Blocks that the host has from the start."""
        return len(self.flits) if self.coming is None else 0


@dataclass(frozen=True, kw_only=True)
class SinkPlan:
    """A value that comes to the host with a tag: ``flits`` of each of its ``blocks``.

    It is ``awaited`` if the host makes something of it on the way.
    """

    value: int
    held: HeldValue
    tag: int
    flits: int
    blocks: int
    awaited: bool = False

    @property
    def unit(self) -> int:
        """Flits that a credit stands for at most."""
        return min(self.flits, UNIT)

    @property
    def image_flits(self) -> int:
        """Flits of an image."""
        return self.flits * self.held.pixels

    def lanes(self, payloads: NDArray[np.uint32]) -> Lanes:
        """Lanes of whole images, (images, elements), from the words of their flits, (flits, words)."""
        rows = np.ascontiguousarray(payloads).reshape(-1, self.flits * payloads.shape[1])
        return self.held.lanes(rows.view(np.uint8)[:, : self.held.block])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the host does."""

    parts: ChipParts
    tiles: tuple[int, ...]
    """Sizes, and the tiles that have a program, as nodes."""
    requests: NDArray[np.uint32]
    """Address, data and kind, of shape (requests, 3); the last are the reads of the end."""
    sources: tuple[SourcePlan, ...]
    sinks: tuple[SinkPlan, ...]
    """What it sends and gets."""


def tile_node(mesh: MeshConfig, tile: str) -> int:
    """The node of a tile by its name, ``column,row``."""
    return mesh.node(*place_of(tile))


def make_plan(
    code: TileCode, parts: ChipParts, masks: Sequence[Masks], entries: Mapping[int, Lanes], first: int,
    settings: Mapping[int, Sequence[Write]] = MappingProxyType({}),
    commands: Mapping[int, Sequence[Task]] = MappingProxyType({}), awaited: Collection[int] = (),
    watchdog: int | None = None,
) -> Plan:
    """The plan of a run.

    Raises InputError if the host would get more values than there are tags.

    Parameters
    ----------
    code
        The programs, and what joins them.
    masks
        Masks of the cores, by node.
    entries, first
        The values that the host has from the start, the input among them, by their numbers, (images, elements), and the
        number of the first image. Others that it sends it makes on the way.
    settings
        Other words of the memories of masks, (word, data), by node: what goes with the macro of a core.
    commands
        What the host has cores do before all programs start, by node.
    awaited
        Values of which it makes something on the way.
    watchdog
        For a host that takes what comes when it likes: each unit of a block for it waits for its credit, and a program
        in which nothing retires for ``2**watchdog`` cycles ends. Without one the host takes whatever comes at once.
    """
    mesh, images = parts.mesh, len(entries[0])
    nodes = {tile: tile_node(mesh, tile) for tile in code.programs}
    tags = {key: k for k, key in enumerate(code.values.values())}
    if len(tags) > register_tag(mesh):
        raise InputError(f"a host must get at most {register_tag(mesh)} values, not {len(tags)}")
    writes: list[Write] = []
    numbers = {key[:2]: tag for key, tag in tags.items()}
    for node, (address, word) in _tables(code, mesh, nodes, numbers, credited=watchdog is not None):
        writes.append((host_address(mesh, node, address), word))
    for tile, program in code.programs.items():
        node = nodes[tile]
        tile_writes = [*program_writes(program.for_images(images), parts.tiles[node]), (IMAGE_AT, first)]
        tile_writes += [(WATCHDOG_AT, watchdog)] if watchdog is not None else []
        tile_writes += mask_writes(parts.core.cfg, masks[node]) if node < len(masks) else []
        tile_writes += [(MASKS_AT + 4 * at, word) for at, word in settings.get(node, ())]
        writes += [(host_address(mesh, nodes[tile], address), word) for address, word in tile_writes]
    writes += [(host_address(mesh, node, CONTROL), START) for node in nodes.values()]
    reads = [(host_address(mesh, node, address), 0) for node in nodes.values() for address in STATUS_READS]
    task_words = [request for tasks in commands.values() for request in task_requests(tasks)]
    setup, starts = writes[: -len(nodes)], writes[-len(nodes) :]
    requests = np.array([
        *((a, d, WRITE) for a, d in setup), *task_words, *((a, d, WRITE) for a, d in starts),
        *((a, d, READ) for a, d in reads),
    ], dtype=np.uint32)
    size, sources = mesh.payload_bits // 8, list[SourcePlan]()
    for flow, (to, slot, value) in enumerate(_given(code, mesh)):
        layout = code.inputs[value]
        lanes = entries.get(value, np.zeros((images, layout.channels * layout.pixels), np.int16))
        coming = Coming(value=value, held=layout, to=to, slot=slot)
        sources.append(SourcePlan(flits=coming.flits(lanes, mesh), members=len(to.nodes), flow=flow, value=value,
                                  coming=None if value in entries else coming))
    return Plan(
        parts=parts, tiles=tuple(nodes.values()), requests=requests, sources=tuple(sources),
        sinks=tuple(SinkPlan(value=value, held=key[2], tag=tags[key], flits=-(-key[2].block // size),
                             blocks=images * key[2].pixels, awaited=value in awaited)
                    for value, key in code.values.items()),
    )


def task_requests(tasks: Iterable[Task]) -> list[tuple[int, int, int]]:
    """Accesses one by one: address, data, kind."""
    requests: list[tuple[int, int, int]] = []
    for task in tasks:
        if isinstance(task, Poll):
            requests.append((task.address, task.mask, WAIT))
        elif isinstance(task, Read):
            requests += [(task.address + 4 * k, 0, READ) for k in range(task.count)]
        elif isinstance(task, WriteTask):
            words = np.atleast_1d(np.asarray(task.words)).tolist()
            requests += [(task.address + 4 * k, word, WRITE) for k, word in enumerate(words)]
        else:
            raise TypeError(f"no access of a mesh: {task}")
    return requests


def _given(code: TileCode, mesh: MeshConfig) -> list[tuple[Destinations, int, int]]:
    """Flows of the host: nodes of one slot in as few sets of columns and rows as a greedy choice finds; the values."""
    slots: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for tile, stream, value in code.given:
        slot = code.programs[tile].descriptor("stream", stream)["slot"]
        slots.setdefault((slot, value), set()).add(place_of(tile))
    return [(box, slot, value) for (slot, value), places in slots.items() for box in _boxes(places)]


def _boxes(places: Iterable[tuple[int, int]]) -> Iterator[Destinations]:
    """Sets of columns times rows that make up some places."""
    for box in boxes_of(frozenset(places)):
        columns, rows = (tuple(sorted(set(side))) for side in zip(*box, strict=True))
        yield Destinations(columns, rows)


def _tables(
    code: TileCode, mesh: MeshConfig, nodes: Mapping[str, int], tags: Mapping[tuple[str, int], int], *,
    credited: bool,
) -> Iterator[tuple[int, Write]]:
    """Tables of all nodes: flows, slots, reductions."""
    for flow, (to, slot, _) in enumerate(_given(code, mesh)):
        for x, y in sorted(to.nodes):
            yield mesh.node(x, y), write_slot(mesh, slot, None, flow)
    for table_flow in code.flows:
        sender = nodes[table_flow.sender]
        if table_flow.to == (HOST,):
            yield sender, write_flow(mesh, table_flow.number, None, tags[table_flow.sender, table_flow.number])
            if credited:
                yield sender, write_members(mesh, table_flow.number, 1)
            continue
        (to,) = _boxes(map(place_of, table_flow.to))
        for tile in table_flow.to:
            yield nodes[tile], write_slot(mesh, table_flow.slot, sender, table_flow.number)
        yield sender, write_flow(mesh, table_flow.number, to, table_flow.slot)
        yield sender, write_members(mesh, table_flow.number, len(table_flow.to))
    groups = [Group(name=f"context {r.context} of tile {r.root}", members=tuple(nodes[t] for t in r.members),
                    root=nodes[r.root], context=r.context) for r in code.reductions]
    for (node, context), entry in entries(mesh, groups).items():
        yield node, write_entry(mesh, context, entry)


def _flits(mesh: MeshConfig, blocks: NDArray[np.uint8], to: Destinations, slot: int) -> NDArray[np.uint32]:
    """Flits of blocks, as words of a :class:`mho.hw.noc.flit.FlitLayout`: of shape (blocks, flits, words)."""
    size = mesh.payload_bits // 8
    flits = -(-blocks.shape[1] // size)
    padded = np.zeros((len(blocks), flits * size), dtype=np.uint8)
    padded[:, : blocks.shape[1]] = blocks
    payload = padded.view("<u4").reshape(len(blocks), flits, size // 4)
    head = slot | to.pack(mesh) << mesh.tag_bits + 1
    heads = np.array([head & 0xFFFFFFFF] if head < 1 << 32 else [head & 0xFFFFFFFF, head >> 32], dtype=np.uint32)
    tail = np.broadcast_to(heads, (len(blocks), flits, len(heads)))
    return np.ascontiguousarray(np.concatenate([payload, tail], axis=2))


def from_first_turn(
    program: Program, lanes: Lanes, images: NDArray[np.integer]
) -> tuple[Lanes, NDArray[np.integer], int]:
    """Images with as many before them that each copy of a layer has those with its number, and how many these are.

    Their inputs are 0, and nobody wants their results; there are none where no layer is dealt images.
    """
    more = int(images[0]) % program.period
    if not more:
        return lanes, images, 0
    before = np.arange(int(images[0]) - more, int(images[0])).astype(images.dtype)
    return np.vstack([np.zeros((more, lanes.shape[1]), np.int16), lanes]), np.concatenate([before, images]), more
