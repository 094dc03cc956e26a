"""Rings of streams with time: blocks, and what is acknowledged of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from mho.hw.tile.timing.clock import Clock, Notice, Process


class Asker(IntEnum):
    """Who asks what rings have: the order of the ports of :class:`mho.hw.tile.rtl.controller.TileController`."""

    WALKS = 0
    VECTOR = 1
    LOOK = 2
    SEND = 3
    SEQUENCER = 4


_PORTS = 6
"""Ports, that of the host included."""

ACKNOWLEDGES = 3
"""Cycles from a change of a ring to the acknowledgement at the node: :class:`mho.hw.tile.rtl.rings.RingScoreboard`."""


class Moves:
    """Changes of any ring of a tile, which are seen in the cycle behind them, and the questions of what the rings have.

    One question is answered a cycle. All who wait ask again when something has changed, from behind the one on who was
    answered last (:class:`mho.hw.noc.fifo.RoundRobin`).

    Attributes
    ----------
    last
        The cycle in which the last one was seen.
    notice
        One is seen.
    then
        Is called when one is.
    """

    __slots__ = ("_clock", "_free", "_last_port", "_waiting", "last", "notice", "then")

    def __init__(self, clock: Clock) -> None:
        self._clock, self.last, self.notice, self.then = clock, -1, Notice(), _nothing
        self._free, self._last_port, self._waiting = 0, Asker.WALKS, list[Question]()

    def move(self) -> None:
        """One is seen in this cycle."""
        self.last = now = self._clock.now
        if self._waiting:
            begin = self._last_port + 1
            for question in sorted(self._waiting, key=lambda question: (question.port - begin) % _PORTS):
                question.at = self._turn(question.port, now + 1)
            self._waiting.clear()
        self._clock.tell(self.notice)
        self.then()

    def since(self, cycle: int) -> Process:
        """Until the cycle behind one, from ``cycle`` on, in which a change is seen."""
        while self.last < cycle:
            yield self.notice
        yield max(0, self.last + 1 - self._clock.now)

    def answer(self, port: Asker, first: int) -> Process:
        """Until a question is answered, in cycle ``first`` if no other is."""
        yield max(0, self._turn(port, first) - self._clock.now)

    def question(self, port: Asker) -> "Question":
        """What was not answered with what is waited for, in this cycle, is asked again when something has moved."""
        self._waiting.append(question := Question(port))
        return question

    def withdraw(self, question: "Question") -> None:
        """It is no longer asked."""
        if question in self._waiting:
            self._waiting.remove(question)

    def again(self, port: Asker) -> Process:
        """From an answer that is not what is waited for to the next one: when something has moved since."""
        question = self.question(port)
        while question.at < 0:
            yield self.notice
        yield max(0, question.at - self._clock.now)

    def _turn(self, port: Asker, first: int) -> int:
        """The cycle of an answer, from ``first`` on."""
        at = max(first, self._free)
        self._free, self._last_port = at + 1, port
        return at


@dataclass(eq=False, slots=True)
class Question:
    """What waits for a change; ``at`` is the cycle of its answer, -1 as long as nothing has changed."""

    port: Asker
    at: int = -1


class Ring:
    """A ring, as :class:`mho.hw.tile.rtl.rings.RingScoreboard` keeps it; changes are seen in the cycle behind them.

    Parameters
    ----------
    values
        Its descriptor.
    moves
        Is told of each change.

    Attributes
    ----------
    came, freed
        Blocks since the start.
    acknowledge
        Is called in the cycle in which a block is acknowledged to the node.
    """

    __slots__ = ("_clock", "_moves", "_unacked", "acknowledge", "block", "blocks", "came", "freed", "remote")

    def __init__(self, clock: Clock, values: Mapping[str, int], moves: Moves) -> None:
        self._clock, self._moves, self.blocks, self.block = clock, moves, values["blocks"], values["block"]
        self.came, self.freed, self.remote, self._unacked = values["first"], 0, bool(values["remote"]), 0
        self.acknowledge = _nothing

    @property
    def there(self) -> int:
        """Blocks that are there."""
        return self.came - self.freed

    def come(self) -> None:
        """A block comes in this cycle."""
        self._clock.at(self._clock.now + 1, self._come)

    def free(self) -> None:
        """The oldest one is given back in this cycle."""
        self._clock.at(self._clock.now + 1, self._free)

    def answered(self, port: Asker, first: int, good: Callable[[], bool]) -> Process:
        """Until a question of what waits for it, answered in cycle ``first``, is answered with what is ``good``."""
        yield from self._moves.answer(port, first)
        while not good():
            yield from self._moves.again(port)

    def _come(self) -> None:
        self.came += 1
        self._unacked += self.remote
        self._seen()

    def _free(self) -> None:
        self.freed += 1
        self._seen()

    def _seen(self) -> None:
        self._moves.move()
        if self.remote and self._unacked and self.there + 2 < self.blocks + self._unacked:
            self._unacked -= 1
            self._clock.at(self._clock.now + ACKNOWLEDGES - 1, self.acknowledge)
            self._seen()


def _nothing() -> None:
    """Nobody is told."""
