"""Rings of streams with time: blocks, and what is acknowledged of them."""

from collections.abc import Callable, Mapping

from hw.tile.timing.clock import Clock, Notice, Process

__all__ = ["Ring"]

ACKNOWLEDGES = 3
"""Cycles from a change of a ring to the acknowledgement at the node: :class:`hw.tile.tokens.Tokens`."""


class Ring:
    """A ring, as :class:`hw.tile.tokens.Tokens` keeps it; changes are seen in the cycle behind them.

    Parameters
    ----------
    clock
        The clock.
    values
        Its descriptor.

    Attributes
    ----------
    came, freed
        Blocks since the start.
    changed
        It changed.
    acknowledge
        Is called in the cycle in which a block is acknowledged to the node.
    moved
        Is called when a change is seen.
    """

    __slots__ = ("_clock", "_unacked", "acknowledge", "block", "blocks", "came", "changed", "freed", "moved", "remote")

    def __init__(self, clock: Clock, values: Mapping[str, int]) -> None:
        self._clock, self.blocks, self.block = clock, values["blocks"], values["block"]
        self.came, self.freed, self.remote, self._unacked = values["first"], 0, bool(values["remote"]), 0
        self.changed, self.acknowledge, self.moved = Notice(), _nothing, _nothing

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

    def answered(self, first: int, good: Callable[[], bool]) -> Process:
        """Until a question of what waits for it, answered in cycle ``first``, is answered with what is ``good``."""
        yield max(0, first - self._clock.now)
        while not good():
            yield self.changed
            yield 1

    def _come(self) -> None:
        self.came += 1
        self._unacked += self.remote
        self._seen()
        self.moved()

    def _free(self) -> None:
        self.freed += 1
        self._seen()
        self.moved()

    def _seen(self) -> None:
        self._clock.tell(self.changed)
        if self.remote and self._unacked and self.there + 2 < self.blocks + self._unacked:
            self._unacked -= 1
            self._clock.at(self._clock.now + ACKNOWLEDGES - 1, self.acknowledge)
            self._seen()


def _nothing() -> None:
    """Nobody is told."""
