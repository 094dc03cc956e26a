"""The interpreter of joined tiles: the token machine with data."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.interpreter.joined import HOST, Joined, Reduction
from mho.hw.tile.interpreter.state import Retired
from mho.hw.tile.interpreter.tile import TileMachine
from mho.hw.tile.interpreter.tokens import Machine
from mho.macro_models.errors import InputError


class Tiles(Machine[TileMachine]):
    """The interpreter of joined tiles.

    Parameters
    ----------
    joined
        The tiles. What a host does on the way is its user's.
    images
        Images after which each tile obeys a stop of the host, None for none.
    watch
        Is told (tile, what retired).

    Attributes
    ----------
    tiles
        Machines by name.
    received
        Blocks that the host got, by (tile, flow).
    lost
        Blocks of flows that are none: nodes drop and count them.
    """

    def __init__(
        self, joined: Joined, *, images: int | None = None, watch: Callable[[str, Retired], None] | None = None
    ) -> None:
        super().__init__(replace(joined, host=()), TileMachine, watch=watch)
        self._images = images
        self._to_host = {(flow.sender, flow.number) for flow in joined.flows if HOST in flow.to}
        self._queued: dict[tuple[str, int], deque[bytes]] = {}
        self._operands: dict[tuple[int, str], bytes] = {}
        self.received: dict[tuple[str, int], list[bytes]] = {}
        self.lost = 0

    def give(self, tile: str, stream: int, blocks: Iterable[bytes | NDArray[np.integer]]) -> None:
        """Blocks that the host sends to a remote stream of a tile, when they fit there.

        A block is bytes, or an array of int8 or uint8 (a byte an element) or int16 (two, the lower one first).

        Raises
        ------
        InputError
            If the stream is not remote and legal, or a block has not its size or another type.
        """
        size = self.tiles[tile].rings[stream]["block"]
        contents = [_bytes_of(block, stream, tile) for block in blocks]
        if stream not in self.slots[tile].values():
            raise InputError(f"stream {stream} of tile {tile!r} must be remote and legal for blocks of the host")
        for block in contents:
            if len(block) != size:
                raise InputError(
                    f"blocks for stream {stream} of tile {tile!r} must have {size} bytes, not {len(block)}")
        self._queued.setdefault((tile, stream), deque()).extend(contents)
        self.expect({(tile, stream): len(contents)})

    def run(
        self, images: int | None = None, limit: int = 1 << 40, *, most: int = 1 << 20,
        order: Callable[[list[str]], Iterable[str]] = list,
    ) -> bool:
        """As :meth:`Machine.run`, of the images of this run."""
        return super().run(self._images if images is None else images, limit, most=most, order=order)

    # --- what tiles see ---

    def arrive(self, tile: TileMachine, stream: int, count: int) -> None:
        """Blocks of the host."""
        queue = self._queued[tile.name, stream]
        for _ in range(count):
            tile.put(stream, queue.popleft())

    def send(self, tile: str, flow: int) -> bool:
        """A block of a flow to all members at once, False if one has no room."""
        key, block = (tile, flow), self.tiles[tile].sent_block()
        rings = self._flows.get(key, [])
        for receiver, stream in rings:
            if len(block) != (size := receiver.rings[stream]["block"]):
                raise InputError(f"flow {flow} of tile {tile!r} has blocks of {len(block)} bytes, but stream "
                                 f"{stream} of tile {receiver.name!r} of {size}")
        if any(receiver.room(stream) < 1 for receiver, stream in rings):
            return False
        self.lost += key not in self._flows
        for receiver, stream in rings:
            receiver.put(stream, block)
        if key in self._to_host:
            self.received.setdefault(key, []).append(block)
        return True

    def offer(self, tile: str, context: int) -> bool:
        """An operand; whether it has been taken."""
        self.lost += (context, tile) not in self._members
        self._operands[context, tile] = self.tiles[tile].sent_block()
        return super().offer(tile, context)

    def add(self, reduction: Reduction, lanes: int) -> None:
        """Operands of all members come to the root."""
        context = reduction.context
        blocks = {name: self._operands[context, name] for name in reduction.members}
        if len({len(block) for block in blocks.values()}) > 1:
            raise InputError(f"operands in context {context} must have one size, not " + ", ".join(
                f"{len(block)} bytes of tile {name!r}" for name, block in blocks.items()))
        total = np.zeros(lanes, np.int16)
        for block in blocks.values():
            total[: len(block) // 2] += np.frombuffer(block, "<i2")
        root = self.tiles[reduction.root]
        root.sums[context] = np.concatenate([root.sums[context], total])

    def take_lanes(self, tile: str, context: int, count: int) -> bool:
        """Take lanes of sums, if all operands are there."""
        if not super().take_lanes(tile, context, count):
            return False
        root = self.tiles[tile]
        root.lanes, root.sums[context] = root.sums[context][:count], root.sums[context][count:]
        return True


def _bytes_of(block: bytes | NDArray[np.integer], stream: int, tile: str) -> bytes:
    if isinstance(block, np.ndarray) and block.dtype not in (np.int8, np.uint8, np.int16):
        raise InputError(
            f"blocks for stream {stream} of tile {tile!r} must be bytes, int8, uint8 or int16, not {block.dtype}")
    return bytes(block) if not isinstance(block, np.ndarray) else block.astype(block.dtype.newbyteorder("<")).tobytes()
