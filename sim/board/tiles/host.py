"""The host of a chip of tiles behind a bus: it writes registers, sends blocks of images, takes those of results.

Flits go through the windows of the chip's own registers. The chip drops what it has no room for, so nothing may come
that was not foreseen: blocks for the host wait for its credits, one for each unit of flits and two of each value at
most, and the host sends a block when there is room for all credits that may come back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.compiler.network.tiles import TileCode
from mho.hw.chip.map import MAP_VERSION, QUEUE, WINDOW_WORDS, ChipParts, chip_base, record_words
from mho.hw.host.link.tasks import Read, Task, Write
from mho.hw.host.registers import register_word
from mho.hw.noc.flit import Destinations
from mho.hw.noc.interface.tables import UNIT, credit, credit_tag
from mho.hw.noc.registers.packet import host_address
from mho.hw.tile.host_map import RESET
from mho.hw.tile.isa import Cause
from mho.hw.tile.rtl.host import CONTROL, CORE_AT
from mho.macro_models.errors import InputError, ToolError
from mho.sim.board.bus import BoardBus
from mho.sim.board.driver import write_runs
from mho.sim.tile_networks.plan import STATUS_READS, WRITE, Plan, SinkPlan, SourcePlan, tile_node
from mho.sim.tile_networks.process import Answer

_TAG_AT, _TAG_BITS = 16, 8
_COUNT = QUEUE.bit_length()

WATCHDOG = 30
"""A program ends when nothing has retired for ``2**30`` cycles, 20 s at 50 MHz: no neighbour and no host that works is
silent so long."""

Words = NDArray[np.uint32]


@dataclass
class _Source:
    """Records of one of the host's flows, (blocks, flits, words), how many were sent, credits missing by parity."""

    plan: SourcePlan
    records: Words
    ready: int
    sent: int = 0
    missing: list[int] = field(default_factory=lambda: [0, 0])

    def next_block(self, room: int, free: int) -> Words | None:
        """Records of the next block, if it may go: ``room`` flits can be sent, ``free`` can come back."""
        flits = self.records.shape[1]
        if self.sent == self.ready or flits > room or self.plan.members > free or self.missing[self.sent & 1]:
            return None
        self.missing[self.sent & 1] = self.plan.members
        self.sent += 1
        return self.records[self.sent - 1]

    def give(self, records: Words) -> None:
        """The next blocks, which the host has made on the way."""
        self.records[self.ready : self.ready + len(records)] = records
        self.ready += len(records)


@dataclass
class _Sink:
    """A value that comes: what came of it, who sends it in which flow."""

    plan: SinkPlan
    node: int
    flow: int
    payloads: list[Words] = field(default_factory=list)
    units: int = 0
    heard: int = 0

    @property
    def flits(self) -> int:
        """All that come."""
        return self.plan.flits * self.plan.blocks

    def take(self, payload: Words) -> bool:
        """Take a flit; whether it is the last of its unit."""
        self.payloads.append(payload)
        in_block = (len(self.payloads) - 1) % self.plan.flits + 1
        ends = in_block == self.plan.flits or in_block % UNIT == 0
        self.units += ends
        return ends

    def fresh(self) -> Words | None:
        """Payloads of whole images of which the host makes something, that have come since it was asked."""
        flits_per_image = self.plan.image_flits
        end = len(self.payloads) // flits_per_image * flits_per_image
        if not self.plan.awaited or end == self.heard:
            return None
        first, self.heard = self.heard, end
        return np.concatenate(self.payloads[first:end])


class TilesHost:
    """Runs plans on a chip of tiles.

    Parameters
    ----------
    bus
        What gets at the chip.
    parts
        What it is made of.
    looks
        How often a request reads what waits, where requests take less time than an image.
    patience
        Requests in which nothing comes after which the chip counts as stuck.
    """

    def __init__(self, bus: BoardBus, parts: ChipParts, *, looks: int, patience: int) -> None:
        self._bus, self._parts, self._looks, self._patience = bus, parts, looks, patience
        self._base, self._size = chip_base(parts.mesh), record_words(parts.mesh)
        self._payload = parts.mesh.payload_bits // 32
        self._failed = register_word(parts.page, "status", refused=1, lost=1, overflow=1)

    def run(
        self, plan: Plan, code: TileCode, progress: Callable[[int], object] = lambda done: None,
        loading: Callable[[int, int], None] | None = None, answer: Answer = lambda answers: {},
    ) -> list[Words]:
        """Payloads of each sink of a plan, (flits, words).

        Raises InputError if the host gets more values than the chip has room for. Raises ToolError if a tile traps, the
        chip stands still or drops a flit, or the bus fails.

        Parameters
        ----------
        plan, code
            What is done, and the programs that it is of.
        heard
            Is told images of which all has come.
        loading
            Is told words that were written, and all, before anything is sent.
        answer
            What the host makes on the way: flits of sources, by their numbers, from words of flits of sinks.
        """
        sinks = {sink.tag: self._sink(sink, code) for sink in plan.sinks}
        spare = QUEUE - sum(2 * sink.unit for sink in plan.sinks)
        largest = max((source.members for source in plan.sources), default=0)
        if spare < largest:
            raise InputError(
                f"values for the host must take at most {(QUEUE - largest) // 2} flits on a board, {UNIT} a block at "
                f"most, not {(QUEUE - spare) // 2}"
            )
        self._begin(plan)
        self._bus.execute(self._writes(plan), progress=loading)
        sources = [_Source(source, self._records(source.flits), source.ready) for source in plan.sources]
        self._exchange(plan, sources, sinks, spare, progress, answer)
        self._finish(plan)
        # Programs that wait for the next image for ever end here, before their watchdogs end them.
        self._bus.execute(self._resets(plan))
        return [np.concatenate(sinks[sink.tag].payloads) for sink in plan.sinks]

    def _begin(self, plan: Plan) -> None:
        """Take what is left of a run before, and reset the tiles."""
        version = int(self._bus.execute([Read(self._at("id"))])[0][0]) >> 16
        if version != MAP_VERSION:
            raise ToolError(f"the board has version {version} of a chip's registers, not {MAP_VERSION}; build and load "
                            "it again with: mho fpga build, mho fpga load")
        waiting = self._level(self._status(1))
        while waiting:
            self._bus.execute(self._reads(waiting))
            waiting = self._level(self._status(self._looks))
        self._bus.execute([*self._resets(plan), Write(self._at("status"), [self._failed])])

    def _resets(self, plan: Plan) -> list[Write]:
        return [Write(host_address(self._parts.mesh, node, CONTROL), [RESET]) for node in plan.tiles]

    def _writes(self, plan: Plan) -> list[Task]:
        """All requests of a plan but its last reads: runs of writes."""
        writes = plan.requests[: -len(STATUS_READS) * len(plan.tiles)]
        assert (writes[:, 2] == WRITE).all()
        return write_runs((int(address), int(word)) for address, word, _ in writes)

    def _exchange(
        self, plan: Plan, sources: Sequence[_Source], sinks: Mapping[int, _Sink], spare: int,
        progress: Callable[[int], object], answer: Answer,
    ) -> None:
        status, credits, turn, idle, done = self._status(1), list[Words](), 0, 0, 0
        while any(len(sink.payloads) < sink.flits for sink in sinks.values()):
            room, waiting = status & 2**_COUNT - 1, self._level(status)
            records, credits = credits[:room], credits[room:]
            room -= len(records)
            while True:
                free = spare - sum(sum(source.missing) for source in sources)
                ready = next(((k, block) for k in range(turn, turn + len(sources))
                              if (block := sources[k % len(sources)].next_block(room, free)) is not None), None)
                if ready is None:
                    break
                records += list(ready[1])
                room, turn = room - len(ready[1]), (ready[0] + 1) % len(sources)
            status, received = self._turn(records, waiting)
            for record in received:
                credits += self._take(record, sources, sinks)
            fresh = {k: words for k, sink in enumerate(sinks.values()) if (words := sink.fresh()) is not None}
            for k, flits in (answer(fresh) if fresh else {}).items():
                sources[k].give(self._records(flits))
            idle = 0 if records or len(received) else idle + 1
            if idle > self._patience:
                self._finish(plan)
                raise ToolError("the chip on the board stands still: its tiles wait for each other")
            whole = min(len(sink.payloads) // sink.plan.image_flits for sink in sinks.values())
            if whole > done:
                done = whole
                progress(done)

    def _turn(self, records: Sequence[Words], waiting: int) -> tuple[int, Words]:
        """Send records, take what waits: the status behind that, and the records that came."""
        tasks: list[Task] = []
        flits_per_read = WINDOW_WORDS // self._size
        for first in range(0, len(records), flits_per_read):
            tasks.append(Write(self._at("send"), np.concatenate(list(records[first : first + flits_per_read]))))
        reads = self._reads(waiting)
        answers = self._bus.execute([*tasks, *reads, Read(self._at("status"), self._looks, increment=False)])
        received = [*answers[len(tasks) : -1], np.zeros(0, np.uint32)]
        return self._sound(int(answers[-1][-1])), np.concatenate(received).reshape(-1, self._size)

    def _reads(self, waiting: int) -> list[Task]:
        flits_per_read = WINDOW_WORDS // self._size
        sizes = (min(flits_per_read, waiting - first) for first in range(0, waiting, flits_per_read))
        return [Read(self._at("receive"), self._size * size) for size in sizes]

    def _take(self, record: Words, sources: Sequence[_Source], sinks: Mapping[int, _Sink]) -> Iterator[Words]:
        """What a flit that came asks for: a credit for the last one of a unit."""
        tag, first = int(record[0]) >> _TAG_AT & 2**_TAG_BITS - 1, int(record[1])
        if tag == credit_tag(self._parts.mesh):
            of = {source.plan.flow: source for source in sources}.get(first & 15)
            if of is None or not of.missing[first >> 4 & 1]:
                raise ToolError("the chip on the board gave a credit for a block that was not sent")
            of.missing[first >> 4 & 1] -= 1
            return
        sink = sinks.get(tag)
        if sink is None or len(sink.payloads) == sink.flits:
            raise ToolError("the chip on the board sent what nobody waits for")
        if sink.take(record[None, 1 : 1 + self._payload]):
            mesh = self._parts.mesh
            to = Destinations.one(*mesh.position(sink.node)).pack(mesh)
            yield self._record(to, credit_tag(mesh), [credit(sink.flow, sink.units - 1 & 1)])

    def _record(self, to: int, tag: int, payload: Sequence[int]) -> Words:
        words = np.zeros(self._size, np.uint32)
        words[0] = to | tag << _TAG_AT
        words[1 : 1 + len(payload)] = payload
        return words

    def _records(self, flits: Words) -> Words:
        """Flits as words of the window: (blocks, flits, words)."""
        mesh, count = self._parts.mesh, self._payload
        heads = np.zeros(flits.shape[:2], np.uint64)
        for k in range(count, flits.shape[2]):
            heads |= flits[..., k].astype(np.uint64) << np.uint64(32 * (k - count))
        tags = heads & np.uint64(2**mesh.tag_bits - 1)
        words = np.zeros((*flits.shape[:2], self._size), np.uint32)
        words[..., 0] = heads >> np.uint64(mesh.tag_bits + 1) | tags << np.uint64(_TAG_AT)
        words[..., 1 : 1 + count] = flits[..., :count]
        return words

    def _sink(self, plan: SinkPlan, code: TileCode) -> _Sink:
        sender, flow, _ = code.values[plan.value]
        return _Sink(plan=plan, node=tile_node(self._parts.mesh, sender), flow=flow)

    def _status(self, looks: int) -> int:
        return self._sound(int(self._bus.execute([Read(self._at("status"), looks, increment=False)])[0][-1]))

    def _sound(self, status: int) -> int:
        if status & self._failed:
            raise ToolError("the chip on the board has dropped a flit")
        return status

    @staticmethod
    def _level(status: int) -> int:
        return status >> _COUNT & 2**_COUNT - 1

    def _finish(self, plan: Plan) -> None:
        """Refuse a run in which a tile or a core did not do what it should."""
        mesh, registers = self._parts.mesh, self._parts.registers
        core = CORE_AT + registers["status"].address
        reads = [Read(host_address(mesh, node, at)) for node in plan.tiles for at in (*STATUS_READS[1:], core)]
        answers = [int(words[0]) for words in self._bus.execute(reads)]
        for node, low, status in zip(plan.tiles, answers[::3], answers[2::3], strict=True):
            column, row = mesh.position(node)
            if cause := low & 15:
                raise ToolError(f"tile {column},{row} of the board trapped ({Cause(cause).name.lower()}) at "
                                f"instruction {low >> 6 & 511}")
            if status & register_word(registers, "status", error=1):
                raise ToolError(f"the core of tile {column},{row} of the board refused an operation, or had no table "
                                "for it")

    def _at(self, name: str) -> int:
        return self._base + self._parts.page[name].address
