"""The token machine: what programs do to the blocks of their streams, without data and without time.

A second view of the same instruction set, apart from the interpreter: tests hold that both see the same tokens. It runs
a network of tiles in a fraction of a second, and is what :mod:`mho.hw.tile.interpreter.liveness` asks.
"""

from collections.abc import Mapping
from copy import copy

from mho.hw.tile.interpreter.state import TrapError
from mho.hw.tile.interpreter.tiles import HOST, Joined, slots_of
from mho.hw.tile.interpreter.token_tile import TokenTile
from mho.hw.tile.isa import Cause

__all__ = ["TokenMachine"]


class TokenMachine:
    """The tokens of joined tiles.

    Parameters
    ----------
    joined
        The tiles.
    given
        Blocks that the host sends, by (tile, stream).
    trace
        Whether to keep what each instruction did, in ``trace`` and ``sent`` of the tiles.
    grow
        Whether a ring that a window does not fit in grows, rather than traps.

    Attributes
    ----------
    grown
        Blocks that rings would have to have, by (tile, stream).
    """

    def __init__(
        self, joined: Joined, given: Mapping[tuple[str, int], int] = {}, *, trace: bool = False, grow: bool = False
    ) -> None:
        self.joined, self.grow = joined, grow
        self.tiles = {name: TokenTile(name, place, self) for name, place in joined.tiles.items()}
        for tile in self.tiles.values() if trace else ():
            tile.trace, tile.sent = [], []
        slots = {name: slots_of(place) for name, place in joined.tiles.items()}
        self._flows = {
            (f.sender, f.number): [(self.tiles[n], slots[n][f.slot]) for n in f.to if n not in (HOST, f.sender)]
            for f in joined.flows
        }
        self._members = {(r.context, name) for r in joined.reductions for name in r.members}
        self._roots = {(r.context, r.root): r for r in joined.reductions}
        self._offers: dict[tuple[int, str], int] = {}
        self._sums: dict[tuple[int, str], int] = {}
        self.given = dict(given)
        self._came = {key: 0 for step in joined.host for key in step.takes}
        self._answered = [0] * len(joined.host)
        self.grown: dict[tuple[str, int], int] = {}

    def fork(self) -> "TokenMachine":
        """A copy that goes its own way."""
        twin = copy(self)
        twin.tiles = {name: tile.fork(twin) for name, tile in self.tiles.items()}
        twin._flows = {key: [(twin.tiles[t.name], s) for t, s in rings] for key, rings in self._flows.items()}
        twin._offers, twin._sums = dict(self._offers), dict(self._sums)
        twin.given, twin.grown = dict(self.given), dict(self.grown)
        twin._came, twin._answered = dict(self._came), list(self._answered)
        return twin

    def give(self, given: Mapping[tuple[str, int], int]) -> None:
        """More blocks of the host."""
        for key, count in given.items():
            self.given[key] = self.given.get(key, 0) + count

    def run(self, images: int | None = None, limit: int = 1 << 40) -> bool:
        """Let all go on until none can or ``limit`` instructions were carried out; whether all are done.

        A tile is done when its program ended or ``images`` images are, and its send engine has nothing.
        """
        going, tiles = True, list(self.tiles.values())
        while going and limit > 0:
            going = self._host()
            for tile in tiles:
                before, moves = tile.fired, tile.moves
                while limit > 0 and tile.proceed(images):
                    limit -= 1
                    if tile.sending is not None:
                        tile.proceed_send()
                while tile.proceed_send():
                    going = True
                going = going or tile.fired > before or tile.moves > moves
        return self.finished(images)

    def finished(self, images: int | None = None) -> bool:
        """Whether all are done and all that the host gave was taken."""
        done = all((t.halted or t.done == images) and t.trap is None and t.sending is None for t in self.tiles.values())
        return done and not any(self.given.values())

    def enlarge(self, tile: str, stream: int, blocks: int) -> None:
        """Give a ring more blocks."""
        self.tiles[tile].blocks[stream] = self.grown[tile, stream] = blocks

    def full(self) -> list[tuple[str, int]]:
        """Rings that somebody waits for room in."""
        full = []
        for name, tile in self.tiles.items():
            if tile.waits is not None and tile.waits.why == "room":
                full.append((name, tile.waits.stream))
            if tile.sends is not None and tile.sends.why == "members":
                rings = self._flows[name, tile.sends.n]
                full += [(t.name, s) for t, s in rings if t.came[s] - t.freed[s] >= t.blocks[s]]
        return full

    def state(self, *, counted: bool = True) -> tuple[object, ...]:
        """All that later tokens depend on; with or without how often loops come yet."""
        left = [[self._came[key] - blocks * done for key, blocks in step.takes.items()]
                for step, done in zip(self.joined.host, self._answered, strict=True)]
        return [t.state(counted=counted) for t in self.tiles.values()], dict(self._sums), dict(self._offers), left

    def _host(self) -> bool:
        for n, step in enumerate(self.joined.host):
            images = min(self._came[key] // blocks for key, blocks in step.takes.items())
            for _ in range(self._answered[n], images):
                self.give(step.gives)
            self._answered[n] = images
        going = False
        for (name, stream), left in self.given.items():
            tile = self.tiles[name]
            fits = min(left, tile.blocks[stream] - tile.came[stream] + tile.freed[stream])
            if fits > 0:
                tile.came[stream] += fits
                self.given[name, stream] -= fits
                going = True
        return going

    # --- what tiles see ---

    def too_short(self, tile: TokenTile, stream: int, blocks: int) -> None:
        """A window that a ring does not hold."""
        if not self.grow:
            raise TrapError(Cause.RING, stream)
        self.enlarge(tile.name, stream, blocks)

    def send(self, tile: TokenTile, flow: int) -> bool:
        """A block of a flow to all members."""
        rings = self._flows.get((tile.name, flow), ())
        if any(receiver.came[s] - receiver.freed[s] >= receiver.blocks[s] for receiver, s in rings):
            return False
        for receiver, stream in rings:
            receiver.came[stream] += 1
        if (tile.name, flow) in self._came:
            self._came[tile.name, flow] += 1
        return True

    def offer(self, tile: TokenTile, context: int) -> bool:
        """An operand; whether it has been taken."""
        key = (context, tile.name)
        if key not in self._members:
            return True
        if self._offers.get(key) == 0:
            del self._offers[key]
            return True
        send = tile.sending.plan.send if tile.sending else None
        assert send is not None
        values = self.joined.tiles[tile.name].program.descriptor("stream", send.stream)
        self._offers[key] = -(-values["block"] // tile.cfg.flit_bytes) * (tile.cfg.flit_bytes // 2)
        return False

    def take_lanes(self, tile: TokenTile, context: int, count: int) -> bool:
        """Take lanes of sums, if all operands are there."""
        key = (context, tile.name)
        reduction, have = self._roots.get(key), self._sums.get(key, 0)
        while reduction is not None and have < count:
            lanes = [self._offers.get((context, name), 0) for name in reduction.members]
            if not all(lanes):
                break
            have += lanes[0]
            self._offers |= {(context, name): 0 for name in reduction.members}
        self._sums[key] = have - count if reduction is not None and have >= count else have
        return reduction is not None and have >= count
