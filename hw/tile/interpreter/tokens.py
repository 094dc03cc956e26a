"""Joined tiles without time; the token machine: what programs do to the blocks of their streams, without data.

It runs a network of tiles in a fraction of a second, and is what :mod:`mho.hw.tile.interpreter.liveness` asks. With
data it is the interpreter (:mod:`mho.hw.tile.interpreter.tiles`), which sees the same tokens.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import partial
from typing import Generic, TypeVar

from mho.hw.tile.interpreter.joined import HOST, Joined, Place, Reduction, slots_of
from mho.hw.tile.interpreter.state import Retired, TrapError
from mho.hw.tile.interpreter.token_tile import TokenNet, TokenTile
from mho.hw.tile.isa import Cause

Tile = TypeVar("Tile", bound=TokenTile)
Watch = Callable[[str, Retired], None]


class Machine(Generic[Tile]):
    """Joined tiles.

    Parameters
    ----------
    make
        Makes the machine of a tile: of its name, its place, the network and who is told what retires.
    given
        Blocks that the host sends, by (tile, stream).
    grow
        Whether a ring that a window does not fit in grows, rather than traps.
    watch
        Is told (tile, what retired).

    Attributes
    ----------
    tiles
        Machines by name.
    grown
        Blocks that rings would have to have, by (tile, stream).
    """

    def __init__(
        self, joined: Joined, make: Callable[[str, Place, TokenNet, Callable[[Retired], None] | None], Tile],
        given: Mapping[tuple[str, int], int] = {}, *, grow: bool = False, watch: Watch | None = None,
    ) -> None:
        self.joined, self.grow = joined, grow
        self.tiles = {name: make(name, place, self, watch and partial(watch, name))
                      for name, place in joined.tiles.items()}
        self.slots = slots = {name: slots_of(place) for name, place in joined.tiles.items()}
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

    def expect(self, given: Mapping[tuple[str, int], int]) -> None:
        """More blocks of the host."""
        for key, count in given.items():
            self.given[key] = self.given.get(key, 0) + count

    def run(
        self, images: int | None = None, limit: int = 1 << 40, *, most: int = 1 << 40,
        order: Callable[[list[str]], Iterable[str]] = list,
    ) -> bool:
        """Let all go on until none can; whether all are done and all that the host gave was taken.

        A tile is done when its program ended or ``images`` images are, and its send engine has nothing.

        Parameters
        ----------
        images
            Images after which each tile obeys a stop of the host, None for none.
        limit
            Instructions after which it ends in any case.
        most
            Instructions of a tile in a row before another has its turn.
        order
            Gives the order of the tiles in each turn. Results do not depend on it.
        """
        going, names = True, list(self.tiles)
        while going and limit > 0:
            going = self._host()
            for tile in map(self.tiles.__getitem__, order(names)):
                before, moves, left = tile.fired, tile.moves, min(most, limit)
                while left > 0 and tile.proceed(images):
                    left -= 1
                    if tile.sending is not None:
                        tile.proceed_send()
                while tile.proceed_send():
                    going = True
                limit -= tile.fired - before
                # A walk may have given back some blocks and wait for others.
                going = going or tile.fired > before or tile.moves > moves
        return self.finished(images)

    def finished(self, images: int | None = None) -> bool:
        """Whether all are done and all that the host gave was taken."""
        done = all((t.halted or t.done == images) and t.status is None and t.sending is None
                   for t in self.tiles.values())
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
                self.expect(step.gives)
            self._answered[n] = images
        going = False
        for (name, stream), left in self.given.items():
            tile = self.tiles[name]
            fits = min(left, tile.room(stream))
            if fits > 0:
                self.arrive(tile, stream, fits)
                self.given[name, stream] -= fits
                going = True
        return going

    # --- what tiles see ---

    def too_short(self, tile: str, stream: int, blocks: int) -> None:
        """A window that a ring does not hold."""
        if not self.grow:
            raise TrapError(Cause.RING, stream)
        self.enlarge(tile, stream, blocks)

    def arrive(self, tile: Tile, stream: int, count: int) -> None:
        """Blocks of the host, which fit."""
        tile.came[stream] += count

    def send(self, tile: str, flow: int) -> bool:
        """A block of a flow to all members at once, False if one has no room."""
        rings = self._flows.get((tile, flow), ())
        if any(receiver.came[s] - receiver.freed[s] >= receiver.blocks[s] for receiver, s in rings):
            return False
        for receiver, stream in rings:
            receiver.came[stream] += 1
        if (tile, flow) in self._came:
            self._came[tile, flow] += 1
        return True

    def offer(self, tile: str, context: int) -> bool:
        """An operand; whether it has been taken."""
        key, sending = (context, tile), self.tiles[tile].sending
        if key not in self._members:
            return True
        if self._offers.get(key) == 0:
            del self._offers[key]
            return True
        assert sending is not None
        block = self.joined.tiles[tile].program.descriptor("stream", sending.send.stream)["block"]
        flit = self.tiles[tile].cfg.flit_bytes
        self._offers[key] = -(-block // flit) * (flit // 2)
        return False

    def take_lanes(self, tile: str, context: int, count: int) -> bool:
        """Take lanes of sums, if all operands are there."""
        key = (context, tile)
        reduction, have = self._roots.get(key), self._sums.get(key, 0)
        while reduction is not None and have < count:
            lanes = [self._offers.get((context, name), 0) for name in reduction.members]
            if not all(lanes):
                break
            self.add(reduction, lanes[0])
            have += lanes[0]
            self._offers |= {(context, name): 0 for name in reduction.members}
        self._sums[key] = have - count if reduction is not None and have >= count else have
        return reduction is not None and have >= count

    def add(self, reduction: Reduction, lanes: int) -> None:
        """So many lanes of all members come to the root."""


class TokenMachine(Machine[TokenTile]):
    """The tokens of joined tiles; parameters as of :class:`Machine`."""

    def __init__(
        self, joined: Joined, given: Mapping[tuple[str, int], int] = {}, *, grow: bool = False,
        watch: Watch | None = None,
    ) -> None:
        super().__init__(joined, TokenTile, given, grow=grow, watch=watch)

    def fork(self) -> "TokenMachine":
        """A copy that goes its own way."""
        kept = [self.joined, *(plan for tile in self.tiles.values() for plan in tile.plans.values())]
        return deepcopy(self, {id(part): part for part in kept})
