"""What a tile holds: descriptors, the buffer with its rings, and where its walks are."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.state import TrapError, Wait
from mho.hw.tile.isa import DESCRIPTORS, STREAMS, Cause
from mho.hw.tile.isa.program import Program
from mho.hw.tile.isa.window import OUTSIDE, sliding_window

__all__ = ["Bytes", "Store"]

Bytes = NDArray[np.uint8]


@dataclass
class Ring:
    """Blocks of a stream that came and that were given back, since the start."""

    came: int = 0
    freed: int = 0


@dataclass
class Position:
    """Where a walk is: its position, and the block of its stream at which the image begins."""

    number: int = 0
    origin: int = 0


class Store:
    """Descriptors, buffer, rings and walks of a tile. What waits for tokens is a generator of what it waits for.

    Attributes
    ----------
    memory
        Words of descriptor memory.
    taken, shown
        Blocks that were given back and made, by stream, since they were emptied.
    moves
        How often blocks were given back.
    """

    def __init__(self, cfg: TileConfig, program: Program) -> None:
        self.memory = list(program.descriptors)
        self._known: dict[tuple[str, int], dict[str, int]] = {}
        self.buffer: Bytes = np.zeros(cfg.buffer_bytes, np.uint8)
        self.buffer[: len(program.buffer)] = np.frombuffer(program.buffer, np.uint8)
        self.rings = [Ring(came=self.values("stream", k)["first"]) for k in range(STREAMS)]
        self.walks = [Position() for _ in range(DESCRIPTORS["walk"].count)]
        self.moves = 0
        self.taken: dict[int, int] = {}
        self.shown: dict[int, int] = {}

    def values(self, kind: str, number: int) -> dict[str, int]:
        """Values of a descriptor."""
        if (kind, number) not in self._known:
            self._known[kind, number] = DESCRIPTORS[kind].values(self.memory, number)
        return self._known[kind, number]

    def set(self, first: int, words: list[int]) -> None:
        """Write descriptor memory; walks that have a word there begin anew."""
        self.memory[first : first + len(words)] = words
        self._known.clear()
        for number in DESCRIPTORS["walk"].written(first, len(words)):
            stream = self.values("walk", number)["stream"]
            self.walks[number] = Position(origin=self.rings[stream].freed)

    def there(self, stream: int) -> int:
        """Blocks that are in a stream."""
        return self.rings[stream].came - self.rings[stream].freed

    def room(self, stream: int) -> int:
        """Blocks that fit in a stream."""
        return self.values("stream", stream)["blocks"] - self.there(stream)

    def block(self, stream: int, offset: int = 0) -> bytes:
        """Bytes of a block, the oldest one or one behind it."""
        values = self.values("stream", stream)
        start = values["base"] + (self.rings[stream].freed + offset) % values["blocks"] * values["block"]
        return self.buffer[start : start + values["block"]].tobytes()

    def write(self, stream: int, offset: int, data: Bytes) -> None:
        """Write bytes into the next block, from byte ``offset`` on."""
        values = self.values("stream", stream)
        start = values["base"] + self.rings[stream].came % values["blocks"] * values["block"] + offset
        self.buffer[start : start + len(data)] = data

    def until_there(self, stream: int, n: int) -> Iterator[Wait]:
        """Wait for blocks."""
        while self.there(stream) < n:
            yield Wait("blocks", stream, n - self.there(stream))

    def until_room(self, stream: int, n: int) -> Iterator[Wait]:
        """Wait for room."""
        while self.room(stream) < n:
            yield Wait("room", stream, n - self.room(stream))

    def put(self, stream: int, block: bytes) -> None:
        """Write a block into a ring that has room, and show it: what others send."""
        self.write(stream, 0, np.frombuffer(block, np.uint8))
        self.rings[stream].came += 1

    def give_back(self, stream: int, n: int) -> None:
        """Give back the oldest blocks."""
        self.rings[stream].freed += n
        self.moves += 1
        self.taken[stream] = self.taken.get(stream, 0) + n

    def show(self, stream: int, n: int) -> None:
        """Show new blocks."""
        self.rings[stream].came += n
        self.shown[stream] = self.shown.get(stream, 0) + n

    def window(self, number: int) -> tuple[int, int]:
        """The stream of a walk, and the blocks that must be there for its window.

        Raises
        ------
        TrapError
            ``RING`` if the window reaches further than its ring, or back to what was given back.
        """
        at, values = self.walks[number], self.values("walk", number)
        walk, stream = sliding_window(values), values["stream"]
        freed, oldest = self.rings[stream].freed, int(walk.oldest[at.number])
        need = int(walk.need[at.number])
        # A window without a pixel of the image waits for none.
        count = at.origin + need - freed if need else 0
        back = oldest < walk.image and at.origin + oldest < freed
        if back or count > self.values("stream", stream)["blocks"]:
            raise TrapError(Cause.RING, stream)
        return stream, count

    def gather(self, number: int, kind: np.dtype, offset: int, elements: int) -> NDArray[np.integer]:
        """Elements of each pixel of a walk's window, (terms, elements)."""
        at, values = self.walks[number], self.values("walk", number)
        walk, stream = sliding_window(values), self.values("stream", values["stream"])
        pixels = walk.window(at.number)
        starts = stream["base"] + (at.origin + pixels) % stream["blocks"] * stream["block"] + walk.channel
        starts = np.where(pixels == OUTSIDE, values["pad"], starts) + offset * kind.itemsize
        return self.buffer[starts[:, None] + np.arange(elements * kind.itemsize)].view(kind)

    def go_on(self, number: int, free: bool) -> Iterator[Wait]:
        """A walk's next position; gives back what no later one needs, as it comes."""
        at, values = self.walks[number], self.values("walk", number)
        walk, stream, following = sliding_window(values), values["stream"], at.number + 1
        ring, low = self.rings[stream], at.origin + int(walk.low[following])
        while free and ring.freed < low:
            count = min(ring.came, low) - ring.freed
            if count:
                self.give_back(stream, count)
            else:
                yield Wait("blocks", stream, 1)
        at.number = following
        if following == walk.positions:
            at.number, at.origin = 0, at.origin + walk.image
