"""What the engines of a tile share, with time."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import Place
from mho.hw.tile.interpreter.plans import Plan
from mho.hw.tile.isa import STREAMS, Format, Kind, Operand
from mho.hw.tile.isa.rules import is_draw, is_result, is_stream, is_walk
from mho.hw.tile.isa.vector import Parameters
from mho.hw.tile.rtl.lanes.accumulators import AT_A_TIME
from mho.hw.tile.timing.clock import Clock, Notice, Process
from mho.hw.tile.timing.core import CoreTime, Result
from mho.hw.tile.timing.reads import BufferReads
from mho.hw.tile.timing.ring import Moves, Ring
from mho.hw.tile.timing.walker import WalkerTime

_CORE_WORD = 2


@dataclass(frozen=True)
class Beats:
    """Operands of a vector operation."""

    count: int
    """Cycles in which they are taken, if nothing is waited for."""
    memory: bool
    """Whether those of the first source come from the buffer."""
    late: int = 0
    """By how many cycles the last result is later: one if the last ones come from the buffer, one for a table."""
    words: tuple[int, ...] = ()
    """Of what comes in words, of the core or of sums, the beat in which each word is taken."""
    slow: int = 0
    """Cycles more in which results go to accumulators one by one."""
    draws: bool = False
    """Whether it takes random numbers."""


def beats_of(vec: Mapping[str, int], cfg: TileConfig, terms: tuple[int, int], parameters: NDArray[np.uint64]) -> Beats:
    """The operands of an operation.

    Parameters
    ----------
    vec
        Its descriptor.
    terms
        Pixels under the kernel of each source, 1 where it is no walk.
    """
    a, b, kind = vec["a"], vec["b"], vec["kind"]
    both = kind != Kind.TABLE and b != Operand.NONE
    memory, second = is_stream(a) or is_walk(a), both and (is_stream(b) or is_walk(b))
    of_words = a == Operand.DRAIN or is_result(a)
    whole, uses = _whole(vec, cfg, memory), kind in (Kind.AFFINE, Kind.TABLE)
    # Two words of the core go together where groups are as long.
    pairs = a == Operand.DRAIN and whole >= 2 * _CORE_WORD
    word = cfg.payload_bits // 16 if a != Operand.DRAIN else 2 * _CORE_WORD if pairs else _CORE_WORD
    sizes, words, left, period, buffered, beat = [], list[int](), vec["elements"], vec["period"], 0, 0
    draws, half = is_draw(vec), 0
    terms_each = terms[0] + (terms[1] if both else 0)
    # What does not come from the buffer waits a cycle for what does, before it: in a group, and from one to the next.
    turns = terms[0] if kind == Kind.PRODUCT else 1
    within, between = both and memory and not second, both and second and not memory
    waits = turns if within else turns - 1 if between else 0
    while left:
        if not buffered:
            buffered = word
            if pairs and left > _CORE_WORD:
                # The first word of two waits for the other.
                words.append(beat)
                beat += 1
        count = min(whole, left)
        count = min(count, period) if uses else count
        count = min(count, buffered) if of_words else count
        if draws:
            count = min(count, AT_A_TIME - half)
            half = (half + count) % AT_A_TIME
        left, period, buffered = left - count, period - count, buffered - count
        sizes.append(count)
        if not period:
            period = vec["period"]
        if of_words and (not buffered or not left):
            words.append(beat + (0 if pairs else terms_each - 1))
        beat += terms_each + waits + (between and bool(left))
    slow = _slow(vec, sizes, parameters) if vec["target"] == Operand.ACCUMULATORS else 0
    late = (second if both else memory) + (kind == Kind.TABLE)
    return Beats(beat, memory, late, tuple(words), slow, draws)


def _whole(vec: Mapping[str, int], cfg: TileConfig, memory: bool) -> int:
    """Elements of a group that nothing cuts."""
    if vec["kind"] == Kind.TABLE:
        return 1
    if vec["add"] or Operand.ACCUMULATORS in (vec["a"], vec["b"], vec["target"]) or is_draw(vec):
        return AT_A_TIME
    narrow = (memory and vec["a_format"] == Format.LANE) or vec["b_format"] == Format.LANE or vec["wide"]
    return min(cfg.lanes, 4) if narrow else cfg.lanes


def _slow(vec: Mapping[str, int], sizes: list[int], parameters: NDArray[np.uint64]) -> int:
    """Pairs whose accumulators are in one bank, but for those of one accumulator that does not begin between them."""
    tags = Parameters.unpack(parameters, vec["parameters"], max(1, vec["period"]), vec["elements"])
    first = np.cumsum([0, *sizes[:-1]])[np.array(sizes) == AT_A_TIME]
    second = first + 1
    apart = tags.target[first] - tags.target[second]
    return int((tags.valid[first] & tags.valid[second] & np.where(apart, apart % 2 == 0, tags.start[second])).sum())


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
    first: bool
    """Whether it is the first one of its image that draws."""
    placed: int = -1
    room: Notice = field(default_factory=Notice)
    """The cycle in which there is room for its target, -1 before; there is."""


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
    reads
        Of the buffer.
    mixed
        The first cycle in which there are numbers for the next operation that draws.
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
        self.gathering = self.gathered = self.given = self.sending = self.mixed = 0
        self.reads = BufferReads(clock)

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
