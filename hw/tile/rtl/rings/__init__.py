"""The tokens of a tile: what is in its rings."""

from mho.hw.tile.rtl.rings.scoreboard import (
    WRONGS,
    AskPort,
    Change,
    ChangedLayout,
    RingLayout,
    RingScoreboard,
    StateLayout,
)

__all__ = [
    "WRONGS", "AskPort", "Change", "ChangedLayout", "RingLayout", "RingScoreboard", "StateLayout",
]
