"""Reference of the tokens: rings by what came, was given back and was acknowledged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Ring", "ScoreboardModel"]


@dataclass
class Ring:
    """Blocks of a stream since the start: ``came`` holds those that were there at first, ``acked`` them too."""

    base: int
    block: int
    blocks: int
    slot: int
    remote: bool
    came: int
    freed: int = 0
    acked: int = 0

    @property
    def there(self) -> int:
        """Blocks that are there."""
        return self.came - self.freed

    @property
    def head(self) -> int:
        """Address of the oldest block."""
        return self.base + self.freed % self.blocks * self.block

    @property
    def tail(self) -> int:
        """Address of the next block."""
        return self.base + self.came % self.blocks * self.block

    @property
    def owes(self) -> bool:
        """Whether a block is to be acknowledged: two blocks of the ring are kept for what is under way."""
        return self.remote and self.acked < min(self.came, self.freed + self.blocks - 2)


class ScoreboardModel:
    """What :class:`mho.hw.tile.rtl.rings.RingScoreboard` holds.

    Parameters
    ----------
    streams
        Values of the descriptors of all streams.
    """

    def __init__(self, streams: Sequence[Mapping[str, int]]) -> None:
        self.rings = [
            Ring(s["base"], s["block"], s["blocks"], s["slot"], bool(s["remote"]), s["first"], acked=s["first"])
            for s in streams
        ]

    def change(self, stream: int, *, free: bool) -> None:
        """A block is given back, or comes."""
        ring = self.rings[stream]
        if free:
            ring.freed += 1
        else:
            ring.came += 1

    def acknowledge(self) -> int | None:
        """The stream of the least number that owes an acknowledgement gives it; None if none does."""
        for number, ring in enumerate(self.rings):
            if ring.owes:
                ring.acked += 1
                return number
        return None
