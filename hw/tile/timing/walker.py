"""The walker of a tile with time: who asks is served in turn, and what it waits for holds others up only so long."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from mho.hw.tile.isa import DESCRIPTORS
from mho.hw.tile.isa.window import SlidingWindow, sliding_window
from mho.hw.tile.timing.clock import Clock, Notice, Process
from mho.hw.tile.timing.ring import Asker, Moves, Ring

_FETCH = 8
"""Cycles from a strobe until a walk and its place are read (:class:`mho.hw.tile.rtl.engines.descriptors.Fetcher`)."""
LOAD, VECTOR, LOOK_LOAD, LOOK_VECTOR = range(4)
"""Who asks."""
_PORTS = 4


@dataclass(eq=False)
class Place:
    """A walk as its descriptor says it, where it is, and what the walker keeps of it (:class:`PlaceLayout`)."""

    number: int
    walk: SlidingWindow
    stream: int
    origin: int
    position: int = 0
    placed: bool = False
    known: bool = False

    def __post_init__(self) -> None:
        self.need, self.low, self.oldest = (getattr(self.walk, name).tolist() for name in ("need", "low", "oldest"))
        # Whether the first column in the image is the last one of the kernel: it is added up a cycle later then.
        inside = self.walk.inside_x
        self.late = (inside[:, -1] & ~inside[:, :-1].any(axis=1)).tolist()


@dataclass(eq=False)
class Asked:
    """What is asked of the walker; ``held`` is the first cycle in which it may open a window and give back."""

    todo: str
    number: int
    free: bool = False
    advance: bool = True
    restart: bool = False
    hasty: bool = False
    held: Callable[[], int] = lambda: 0
    later: bool = False
    answered: Notice = field(default_factory=Notice)
    done: int = -1


class WalkerTime:
    """Plans windows, goes on and looks, as :class:`mho.hw.tile.rtl.engines.window_arbiter.WindowArbiter` does.

    Parameters
    ----------
    clock, rings, moves
        The clock and the rings of the tile, and what changes in them.
    memory
        Descriptor memory as it is now.
    """

    def __init__(self, clock: Clock, rings: Sequence[Ring], moves: Moves, memory: list[int]) -> None:
        self._clock, self._rings, self._moves, self._memory = clock, rings, moves, memory
        self._asked: list[Asked | None] = [None] * _PORTS
        # The first cycle in which each counts: who was told to ask later waits until something has come or gone.
        self._counts = [0.0] * _PORTS
        self._wanted, self._after, self._fresh = Notice(), 0, -1
        self._blocked: Notice | None = None
        # What the walker keeps of the walk that it is with.
        self._placed = self._known = False
        self._places: dict[int, Place] = {}
        self._origins: dict[int, int] = {}
        moves.then = self._move
        clock.start(self._serve(), serves=True)

    def _move(self) -> None:
        """A block of some ring came or went: who was told to ask later does in the next cycle."""
        soon = self._clock.now + 1
        self._counts = [soon if soon < first else first for first in self._counts]
        self._clock.at(soon, self._hurry)

    def _hurry(self) -> None:
        self._clock.tell(self._wanted)
        if self._blocked is not None:
            self._clock.tell(self._blocked)

    def _waits(self, port: int) -> bool:
        return self._asked[port] is not None and self._counts[port] <= self._clock.now

    def place(self, number: int) -> Place:
        """A walk and where it is."""
        if number not in self._places:
            values = DESCRIPTORS["walk"].values(self._memory, number)
            self._places[number] = Place(number, sliding_window(values), values["stream"], self._origins.get(number, 0))
        return self._places[number]

    def renew(self, number: int) -> None:
        """A walk was written: it begins anew with the oldest block that is there."""
        self._places.pop(number, None)
        self._origins[number] = self._rings[DESCRIPTORS["walk"].values(self._memory, number)["stream"]].freed
        if self._fresh == number:
            self._fresh = -1

    def ask(self, port: int, request: Asked) -> Process:
        """Ask, and wait for the answer: what is asked for is done, or may be asked for later."""
        self._asked[port] = request
        self._hurry()
        while request.done < 0 and not request.later:
            yield request.answered
        self._asked[port] = None

    def _serve(self) -> Process:
        while True:
            while not any(map(self._waits, range(_PORTS))):
                yield self._wanted
            port = next(k for k in (*range(self._after, _PORTS), *range(self._after)) if self._waits(k))
            self._after = (port + 1) % _PORTS
            request = self._asked[port]
            assert request is not None
            yield 1
            if self._fresh != request.number or request.todo == "look":
                yield _FETCH
                self._fresh = request.number
                self._placed, self._known = self.place(request.number).placed, self.place(request.number).known
            yield from {"look": self._look, "plan": self._plan, "go": self._go}[request.todo](port, request)
            if request.later and not request.hasty:
                request.later = False  # asked for again, which is what a state that waits does
                now = self._clock.now
                self._counts[port] = now + 1 if self._moves.last == now else inf
            else:
                if not request.later:
                    request.done = self._clock.now
                self._clock.tell(request.answered)
            yield 1

    def _hasty(self, port: int, request: Asked) -> bool:
        return request.hasty or any(self._waits(k) for k in range(_PORTS) if k != port)

    def _look(self, port: int, request: Asked) -> Process:
        walk = self.place(request.number).walk
        yield 1 + sum(_product(times) for times in (walk.kernel_y, walk.run, walk.repeat))

    def _plan(self, port: int, request: Asked) -> Process:
        place = self.place(request.number)
        if request.restart:
            place.position, self._placed = 0, False
        walk, ring, need = place.walk, self._rings[place.stream], place.need[place.position]
        if not self._placed:
            yield 1 + 1 + _row(walk)
        if not self._known:
            yield 1 + _steps(walk, ring)
        self._placed = self._known = True
        late = place.late[place.position % walk.positions_x]
        yield 1 + 1 + walk.kernel_x + 1 + late + walk.kernel_y
        if need:
            yield from self._moves.answer(Asker.WALKS, self._clock.now + 1)
            while ring.came < place.origin + need:
                yield from self._again(port, request)
                if request.later:
                    return
            behind = place.origin + place.oldest[place.position] - ring.freed
            yield 2 + 1 + _product(1) + _product(behind)
        yield max(0, request.held() - self._clock.now)

    def _again(self, port: int, request: Asked) -> Process:
        """From an answer that is not what it waits for to the next one, or to what it is told, to ask later."""
        question = self._moves.question(Asker.WALKS)
        yield 1
        if self._hasty(port, request):
            self._moves.withdraw(question)
            request.later = True
            return
        yield 1
        while question.at < 0 and not self._hasty(port, request):
            self._blocked = self._moves.notice
            yield self._blocked
            self._blocked = None
        self._moves.withdraw(question)
        yield max(1, question.at - self._clock.now)

    def _go(self, port: int, request: Asked) -> Process:
        place = self.place(request.number)
        if request.restart:
            place.position, self._placed = 0, False
        if not request.advance:
            yield 1
        else:
            following = place.position + 1
            self._placed = self._placed and following % place.walk.positions_x != 0
            yield 3 + (_product(place.walk.stride_x) if self._placed else _row(place.walk))
            self._placed = True
            # The oldest pixel of the row, what is before the next one, which is less.
            yield 1 + _product(1) + _product(_further(place.walk, following)) + 1
            low = place.origin + place.low[following]
            if request.free:
                yield from self._free(port, request, self._rings[place.stream], low)
                if request.later:
                    # It goes on from where it was.
                    self._fresh = -1
                    return
            place.position = following
            if following == len(place.need):
                place.position, place.origin = 0, place.origin + place.walk.image
        # Where it is then is written.
        place.placed, place.known = self._placed, self._known
        yield 2

    def _free(self, port: int, request: Asked, ring: Ring, low: int) -> Process:
        yield 1
        while ring.freed < low:
            if not ring.there:
                yield from self._again(port, request)
                if request.later:
                    return
                continue
            yield 1
            yield max(0, request.held() - self._clock.now)
            yield 1
            ring.free()
            yield 1
        yield 1 + 1


def _product(times: int) -> int:
    """A product: a cycle, and one for each bit of its second factor."""
    return 1 + times.bit_length()


def _row(walk: SlidingWindow) -> int:
    """Where a window begins, if it is not known where its row does."""
    return sum(_product(times) for times in (walk.stride_x, walk.stride_y, walk.width))


def _steps(walk: SlidingWindow, ring: Ring) -> int:
    """What is the same for all positions: the ring is asked, then steps, the size and the end of the ring."""
    rows = walk.dilation_y * walk.width & 0xFF
    return 2 + 1 + sum(_product(times) for times in (walk.dilation_y, rows, walk.dilation_x, ring.blocks, 1, 1))


def _further(walk: SlidingWindow, following: int) -> int:
    """Rows of the image from a position to the next row of positions; at the end of the image all of them."""
    y = following // walk.positions_x % walk.positions_y
    row = y * walk.stride_y - walk.pad_y
    if following == walk.positions or y + 1 == walk.positions_y or row + walk.stride_y >= walk.height:
        return walk.height
    return max(row + walk.stride_y, 0) - max(row, 0)
