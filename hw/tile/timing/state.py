"""What the engines of a tile share, with time."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from mho.hw.tile.interpreter.joined import Place
from mho.hw.tile.interpreter.plans import Plan
from mho.hw.tile.isa import STREAMS
from mho.hw.tile.timing.clock import Clock, Notice, Process
from mho.hw.tile.timing.core import CoreTime, Result
from mho.hw.tile.timing.ring import Moves, Ring
from mho.hw.tile.timing.vectors import Beats
from mho.hw.tile.timing.walker import WalkerTime

T = TypeVar("T")


@dataclass
class _Entry(Generic[T]):
    what: T
    reads: int
    there: int


class Queue(Generic[T]):
    """A row of registers, as :class:`mho.hw.tile.rtl.engines.issue_queue.IssueQueue`.

    Parameters
    ----------
    clock, depth
        The clock, and how many there are.

    Attributes
    ----------
    changed
        One came or went.
    """

    def __init__(self, clock: Clock, depth: int) -> None:
        self._clock, self._depth = clock, depth
        self._entries: deque[_Entry[T]] = deque()
        self._gone = -1
        self.changed = Notice()

    @property
    def busy(self) -> bool:
        """There is one."""
        return bool(self._entries)

    @property
    def full(self) -> bool:
        """No room for another."""
        return len(self._entries) >= self._depth

    @property
    def reads(self) -> int:
        """Streams that they read, a bit each."""
        streams = 0
        for entry in self._entries:
            streams |= entry.reads
        return streams

    def put(self, what: T, reads: int) -> None:
        """One is taken in this cycle."""
        now = self._clock.now
        self._entries.append(_Entry(what, reads, now + self._depth))
        self._clock.tell(self.changed)

    def oldest(self) -> "Process":
        """Wait until the oldest one is at the front."""
        while not self._entries:
            yield self.changed
        yield max(0, self._entries[0].there - self._clock.now, self._gone + 1 - self._clock.now)

    @property
    def front(self) -> T:
        """The oldest one."""
        return self._entries[0].what

    def go(self) -> None:
        """The oldest one goes in this cycle."""
        self._gone = self._clock.now
        self._entries.popleft()
        self._clock.tell(self.changed)


_PRODUCTS, _OPERATIONS = 2, 5
"""Products and vector operations that their engines hold."""


class Around(Protocol):
    """What is around a tile."""

    def flit(self, tile: str, plan: Plan, *, first: bool, last: bool) -> Process:
        """Give a flit of a block to the node: it ends in the cycle in which that takes it."""
        ...

    def sums(self, tile: str, context: int, count: int) -> Process:
        """Take so many flits of sums: it ends in the cycle in which the last one is taken."""
        ...


@dataclass(eq=False)
class Product:
    """An MVM: its descriptor, its walk, what it does to that, and the numbers of its image and of its operation."""

    plan: Plan
    mvm: Mapping[str, int]
    walk: int
    free: bool
    image: int
    operation: int
    result: Result


@dataclass(eq=False)
class Operation:
    """A VEC: its descriptor and how its operands come."""

    plan: Plan
    vec: Mapping[str, int]
    beats: Beats


class TileState:
    """What is known in common.

    Parameters
    ----------
    clock, name, place
        The clock, and the tile.
    core, around
        Its core, and what is around it.

    Attributes
    ----------
    changes
        Of the rings.
    products, operations, sends
        What the engines have taken.
    moved
        An engine did something for which others may wait.
    gathering, gathered
        Streams whose window is read, a bit each, and the first cycle in which nothing of it is read any more.
    given
        The first cycle in which all codes of the last product are given.
    sending
        Streams that the send engine reads, a bit each.
    settled
        The first cycle in which walks that were written are where they are to be.
    pending
        A product's codes go, or its walk goes on.
    read_until
        The first cycle in which the vector unit does not read the buffer any more.
    """

    def __init__(self, clock: Clock, name: str, place: Place, core: CoreTime, around: Around) -> None:
        program, self.cfg, self.name, self.program = place.program, place.cfg, name, place.program
        self.clock, self.core, self.around = clock, core, around
        self.words = [*program.words, *[0] * (place.cfg.instructions - len(program.words))]
        self.memory = list(program.descriptors)
        self.parameters = np.zeros(place.cfg.parameters, np.uint64)
        self.parameters[: len(program.parameters)] = program.parameters
        self.changes = Moves(clock)
        self.rings = [Ring(clock, program.descriptor("stream", k), self.changes) for k in range(STREAMS)]
        self.walker = WalkerTime(clock, self.rings, self.changes, self.memory)
        self.products: Queue[Product] = Queue(clock, _PRODUCTS)
        self.operations: Queue[Operation] = Queue(clock, _OPERATIONS)
        self.sends: Queue[Plan] = Queue(clock, 3)
        self.moved, self.settled, self.pending = Notice(), 0, False
        self.gathering = self.gathered = self.given = self.sending = self.read_until = 0

    @property
    def busy(self) -> bool:
        """An engine has something in hand, but for codes that are read."""
        queues = (self.products, self.operations, self.sends)
        return self.pending or bool(self.sending) or any(queue.busy for queue in queues)

    def quiet(self) -> Process:
        """Until all engines are idle."""
        while True:
            left = max(self.gathered, self.given, self.settled) - self.clock.now
            if self.busy:
                yield self.moved
            elif left > 0:
                yield left
            else:
                return

    def reads_of_others(self, engine: object) -> int:
        """Streams that other engines are at work on, a bit each."""
        reads = 0 if engine is self.sends else self.sends.reads | self.sending
        reads |= 0 if engine is self.operations else self.operations.reads
        if engine is not self.products:
            reads |= self.products.reads | (self.gathering if self.clock.now < self.gathered else 0)
        return reads

    def take(self, engine: "Queue[Product] | Queue[Operation] | Queue[Plan]", wants: int) -> Process:
        """Until an engine takes what it has looked at: it has room, and no other reads these streams."""
        while engine.full or wants & self.reads_of_others(engine):
            yield self.moved

    def moves(self) -> None:
        """Others see in the next cycle that something went."""
        self.clock.at(self.clock.now + 1, lambda: self.clock.tell(self.moved))
