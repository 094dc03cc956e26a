"""A core with time: it loads, converts and gives results, each of another product at a time."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mho.hw.core.shape import Drain
from mho.hw.tile.timing.clock import Clock, Notice, Process

Conversions = Callable[[int, int], tuple[int, ...]]
"""Analog cycles of each conversion of a product, by the numbers of its image and of its operation."""


@dataclass(eq=False)
class Result:
    """A product's result: its first and last word, and the cycle in which it is complete."""

    first: int
    last: int
    finish: int = -1
    complete: Notice = field(default_factory=Notice)


class CoreTime:
    """A core behind a tile.

    Parameters
    ----------
    conversions
        How long its products take.
    overhead
        Cycles of each conversion beyond those.
    masks
        Cycles behind the one in which an operation comes in which its masks are looked up.
    drain
        How results leave.

    Attributes
    ----------
    taken
        An operation is being loaded, or waits.
    waits, changed
        An operation is loaded; the next one may be.
    results
        Results that nobody has begun to take.
    busy
        Analog cycles so far.
    """

    def __init__(self, clock: Clock, conversions: Conversions, overhead: int, masks: int, drain: Drain) -> None:
        self._clock, self._conversions, self._drain = clock, conversions, drain
        self._overhead, self._masks, self._masked = overhead, masks, 0
        self._loaded: deque[tuple[int, int, Result]] = deque()
        self.waits, self.changed, self.taken = Notice(), Notice(), False
        self.results: deque[Result] = deque()
        self.busy, self._bank_free, self._shown = 0, 0, 0
        self._bank = Notice()
        clock.start(self._convert())

    def accept(self, result: Result) -> None:
        """An operation comes in this cycle."""
        self.taken = True
        self._masked = self._clock.now + self._masks + 1
        self.results.append(result)

    def load(self, at: int, image: int, operation: int, result: Result) -> None:
        """All of its codes are there from cycle ``at`` on."""

        def full() -> None:
            self._loaded.append((image, operation, result))
            self._clock.tell(self.waits)

        self._clock.at(max(at, self._masked), full)

    def _free(self) -> None:
        self.taken = False
        self._clock.tell(self.changed)

    def _convert(self) -> Process:
        while True:
            while not self._loaded:
                yield self.waits
            image, operation, result = self._loaded.popleft()
            parts = self._conversions(image, operation)
            for k, cycles in enumerate(parts):
                if k == len(parts) - 1:
                    self._clock.at(self._clock.now + 1, self._free)
                yield cycles + self._overhead
                self.busy += cycles
                while self._bank_free > self._clock.now:
                    yield self._bank if self._bank_free == _LATER else self._bank_free - self._clock.now
            self._finish(result)

    def _finish(self, result: Result) -> None:
        result.finish = self._clock.now
        words = result.last - result.first + 1
        # The last word stands at the output; the others wait to be taken.
        self._bank_free = _LATER if words > 1 else self._read(result, 0)
        self._clock.tell(result.complete)

    def shown(self, result: Result, word: int) -> int:
        """The first cycle in which a word may be at the output, the one before it being taken."""
        row = (result.first + word) // self._drain.row_words
        return max(result.finish + self._drain.latency + row, self._shown)

    def _read(self, result: Result, last: int) -> int:
        """The cycle in which the counters are free, the word before the last one being taken."""
        return max(result.finish + self._drain.rows + self._drain.settle, self.shown(result, last))

    def took(self, result: Result, word: int, cycle: int) -> None:
        """A word is taken in a cycle."""
        self._shown = cycle + 1
        if word == result.last - result.first - 1:
            self._bank_free = self._read(result, word + 1)
            self._clock.tell(self._bank)


_LATER = 1 << 60
