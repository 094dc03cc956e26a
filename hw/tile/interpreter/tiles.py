"""Several tiles and the host, joined by flows and reductions, without time."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.actions import Core
from mho.hw.tile.interpreter.state import Retired
from mho.hw.tile.interpreter.tile import TileMachine
from mho.hw.tile.isa import STREAMS, Cause, Op
from mho.hw.tile.isa.legality import refusal
from mho.hw.tile.isa.program import Program
from mho.macro_models.errors import InputError

__all__ = ["HOST", "Flow", "HostStep", "Joined", "Place", "Reduction", "Tiles", "slots_of"]

HOST = "host"
"""Name of the host among the receivers of a flow."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A flow: who sends, its number there, who receives and in which slot. The host gets blocks, it has no slot."""

    sender: str
    number: int
    to: tuple[str, ...]
    slot: int = 0


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """A reduction: its context, who gives operands, who takes the sums."""

    context: int
    members: tuple[str, ...]
    root: str


@dataclass(frozen=True, kw_only=True)
class HostStep:
    """What the host does on the way, once an image: when it has so many blocks of flows, it sends blocks to streams.

    ``takes`` by (tile, flow), ``gives`` by (tile, stream).
    """

    takes: Mapping[tuple[str, int], int]
    gives: Mapping[tuple[str, int], int]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A tile: its program, its sizes, its core, None for a tile without one; names of its streams, for messages."""

    program: Program
    cfg: TileConfig = field(default_factory=TileConfig)
    core: Core | None = None
    names: Mapping[int, str] = field(default_factory=dict)

    def ring(self, stream: int) -> str:
        """What a stream is called."""
        return repr(self.names[stream]) if stream in self.names else str(stream)


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Tiles by name, and what joins them.

    Raises
    ------
    InputError
        If a name is unknown, a flow or member is there twice, a slot has no stream or two senders, or the host takes
        what is not sent to it.
    """

    tiles: Mapping[str, Place]
    flows: tuple[Flow, ...] = ()
    reductions: tuple[Reduction, ...] = ()
    host: tuple[HostStep, ...] = ()

    def __post_init__(self) -> None:
        pairs: set[tuple[str, object]] = set()

        def once(sentence: str, *key: object) -> None:
            if key in pairs:
                raise InputError(sentence)
            pairs.add(key)  # type: ignore[arg-type]

        for flow in self.flows:
            once(f"flow {flow.number} of tile {flow.sender!r} is there twice", "flow", flow.sender, flow.number)
            self._known(flow.sender, *(name for name in flow.to if name != HOST))
            for name in flow.to:
                if name != HOST:
                    once(f"slot {flow.slot} of tile {name!r} has two senders", "slot", name, flow.slot)
                    if flow.slot not in slots_of(self.tiles[name]):
                        raise InputError(f"tile {name!r} has no remote stream with slot {flow.slot}, which flow "
                                         f"{flow.number} of tile {flow.sender!r} sends to")
        for reduction in self.reductions:
            root, context = reduction.root, reduction.context
            self._known(root, *reduction.members)
            for name in reduction.members:
                once(f"tile {name!r} is a member twice in context {context}", "member", context, name)
            once(f"tile {root!r} is the root twice in context {context}", "root", context, root)

        sent = {(flow.sender, flow.number) for flow in self.flows if HOST in flow.to}
        for step in self.host:
            self._known(*(name for name, _ in step.gives))
            for tile, number in step.takes:
                if (tile, number) not in sent:
                    raise InputError(f"the host must take a flow that is sent to it, not {number} of tile {tile!r}")

    def for_images(self, images: int) -> "Joined":
        """The same for a run of so many images: :meth:`mho.hw.tile.isa.program.Program.for_images`."""
        return replace(self, tiles={name: replace(place, program=place.program.for_images(images))
                                    for name, place in self.tiles.items()})

    def _known(self, *names: str) -> None:
        for name in names:
            if name not in self.tiles:
                raise InputError(f"tiles must be among {', '.join(sorted(self.tiles))}, not {name!r}")


def _bytes_of(block: bytes | NDArray[np.integer], stream: int, tile: str) -> bytes:
    if isinstance(block, np.ndarray) and block.dtype not in (np.int8, np.uint8, np.int16):
        raise InputError(
            f"blocks for stream {stream} of tile {tile!r} must be bytes, int8, uint8 or int16, not {block.dtype}")
    return bytes(block) if not isinstance(block, np.ndarray) else block.astype(block.dtype.newbyteorder("<")).tobytes()


def slots_of(place: Place) -> dict[int, int]:
    """Streams of a tile that are remote, by their slots.

    Slots of streams that are not legal are not in use: nodes drop what comes for them. Of two streams with one slot the
    first has it.
    """
    slots: dict[int, int] = {}
    for number in range(STREAMS):
        values = place.program.descriptor("stream", number)
        legal = refusal(Op.WAIT, {"stream": number, "n": 1}, place.program.descriptors, place.cfg)[0] is Cause.NONE
        if values["remote"] and legal:
            slots.setdefault(values["slot"], number)
    return slots


class Tiles:
    """The interpreter of joined tiles.

    Parameters
    ----------
    joined
        The tiles.
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
        self.joined = joined
        self.tiles = {
            name: TileMachine(
                place.cfg, place.program, place.core, self, name=name, images=images,
                watch=None if watch is None else partial(watch, name),
            )
            for name, place in joined.tiles.items()
        }
        self._flows = {(flow.sender, flow.number): flow for flow in joined.flows}
        self._slots = {name: slots_of(place) for name, place in joined.tiles.items()}
        self._members = {(r.context, name): r for r in joined.reductions for name in r.members}
        self._roots = {(r.context, r.root): r for r in joined.reductions}
        self._offers: dict[tuple[int, str], bytes | None] = {}
        self._sums: dict[tuple[int, str], NDArray[np.int16]] = {}
        self._given: list[tuple[str, int, list[bytes]]] = []
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
        values = self.joined.tiles[tile].program.descriptor("stream", stream)
        blocks = [_bytes_of(block, stream, tile) for block in blocks]
        if stream not in self._slots[tile].values():
            raise InputError(f"stream {stream} of tile {tile!r} must be remote and legal for blocks of the host")
        for block in blocks:
            if len(block) != values["block"]:
                raise InputError(
                    f"blocks for stream {stream} of tile {tile!r} must have {values['block']} bytes, not {len(block)}")
        self._given.append((tile, stream, blocks))

    def run(
        self, *, most: int = 1 << 20, limit: int = 1 << 30, order: Callable[[list[str]], Iterable[str]] = list
    ) -> bool:
        """Let all go on until none can; whether all ended without a trap and all that was sent has been taken.

        Parameters
        ----------
        most
            Instructions of a tile in a row before another has its turn.
        limit
            Turns after which it ends in any case.
        order
            Gives the order of the tiles in each turn. Results do not depend on it.
        """
        going = True
        while going and limit:
            going, limit = self._host(), limit - 1
            for name in order(list(self.tiles)):
                tile, left = self.tiles[name], most
                moves = tile.store.moves
                while left and tile.proceed():
                    going, left = True, left - 1
                    tile.proceed_send()
                while tile.proceed_send():
                    going = True
                # A walk may have given back some blocks and wait for others.
                going = going or tile.store.moves > moves
        done = all(tile.ended and tile.status is None and tile.idle for tile in self.tiles.values())
        return done and not self._given

    def _host(self) -> bool:
        """Give what fits of the host's blocks."""
        going = False
        for name, stream, blocks in self._given:
            tile, fits = self.tiles[name], max(0, self.tiles[name].store.room(stream))
            for block in blocks[:fits]:
                tile.store.put(stream, block)
                going = True
            del blocks[:fits]
        self._given = [batch for batch in self._given if batch[2]]
        return going

    # --- what tiles see ---

    def send(self, tile: TileMachine, flow: int, block: bytes) -> bool:
        """A block of a flow to all members at once, False if one has no room."""
        route = self._flows.get((tile.name, flow))
        if route is None:
            self.lost += 1
            return True
        names = [name for name in route.to if name not in (HOST, tile.name)]
        rings = [(self.tiles[name], self._slots[name][route.slot]) for name in names]
        for receiver, stream in rings:
            size = self.joined.tiles[receiver.name].program.descriptor("stream", stream)["block"]
            if size != len(block):
                raise InputError(f"flow {flow} of tile {tile.name!r} has blocks of {len(block)} bytes, but stream "
                                 f"{stream} of tile {receiver.name!r} of {size}")
        if any(receiver.store.room(stream) < 1 for receiver, stream in rings):
            return False
        for receiver, stream in rings:
            receiver.store.put(stream, block)
        if HOST in route.to:
            self.received.setdefault((tile.name, flow), []).append(block)
        return True

    def offer(self, tile: TileMachine, context: int, block: bytes) -> bool:
        """An operand; whether it has been taken."""
        key = (context, tile.name)
        if key not in self._members:
            self.lost += 1
            return True
        if key in self._offers and self._offers[key] is None:
            del self._offers[key]
            return True
        self._offers[key] = block
        return False

    def lanes(self, tile: TileMachine, context: int, count: int) -> NDArray[np.int16] | None:
        """The next lanes of the sums of a context, None while operands are missing."""
        key = (context, tile.name)
        reduction = self._roots.get(key)
        have = self._sums.setdefault(key, np.zeros(0, np.int16))
        while reduction is not None and len(have) < count:
            offers = {name: self._offers.get((context, name)) for name in reduction.members}
            blocks = [block for block in offers.values() if block is not None]
            if len(blocks) < len(offers):
                break
            if len({len(block) for block in blocks}) > 1:
                raise InputError(f"operands in context {context} must have one size, not " + ", ".join(
                    f"{len(b)} bytes of tile {n!r}" for n, b in offers.items() if b is not None))
            whole = -(-len(blocks[0]) // tile.cfg.flit_bytes) * tile.cfg.flit_bytes
            total = np.zeros(whole // 2, np.int16)
            for block in blocks:
                total[: len(block) // 2] += np.frombuffer(block, "<i2")
            have = np.concatenate([have, total])
            self._offers |= {(context, name): None for name in reduction.members}
        self._sums[key] = have
        if reduction is None or len(have) < count:
            return None
        self._sums[key] = have[count:]
        return have[:count]
