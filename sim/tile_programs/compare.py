"""What the interpreter makes of a case, and where a tile did something else."""

from dataclasses import dataclass

from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.state import Retired, Status
from mho.hw.tile.interpreter.store import Store
from mho.hw.tile.interpreter.tiles import Tiles
from mho.hw.tile.interpreter.tokens import TokenMachine
from mho.hw.tile.isa import DESCRIPTORS, OPCODE_LOW, STREAMS, Cause, Engine, Op
from mho.sim.tile_programs.cases import Case, joined
from mho.sim.tile_programs.simulation import Event, Found

__all__ = ["Expected", "difference", "expected", "skeleton_differs"]

_TURNS = 1 << 20
_MOST = 4000
"""Instructions of the interpreter after which the host sends again."""
LIMIT = 20_000
"""Instructions after which a program is taken for one that never ends."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the interpreter did.

    Attributes
    ----------
    status
        Of a trap, None if there was none.
    ended
        It halted, and all that it was to send was sent.
    retired
        What retired, in the order of the program.
    received
        Blocks of flows.
    buffer, counts
        The buffer at the end; blocks that came in each stream.
    endless
        It was cut off.
    raced
        Rings lie over each other or over what stands for pixels outside of an image: data depend on time.
    """

    status: Status | None
    ended: bool
    retired: list[Retired]
    received: dict[int, list[bytes]]
    masks: list[tuple[int, int]]
    buffer: bytes
    counts: list[int]
    tokens: list[int]
    endless: bool
    raced: bool


class _EnoughError(Exception):
    """More instructions than anybody wants to see."""


def expected(case: Case, cfg: TileConfig) -> Expected:
    """Run the interpreter."""
    retired: list[Retired] = []
    raced: list[bool] = []

    def watch(_: str, one: Retired) -> None:
        retired.append(one)
        if one.op is Op.SET:
            raced.append(_overlaps(tiles.tiles["t"].store))
        if len(retired) >= LIMIT:
            raise _EnoughError

    place = joined(case, cfg)
    tiles = Tiles(place, watch=watch)
    for stream, blocks in case.given.items():
        tiles.give("t", stream, blocks)
    endless = False
    raced.append(_overlaps(tiles.tiles["t"].store))
    try:
        tiles.run(limit=_TURNS, most=_MOST)
    except _EnoughError:
        endless = True
    tile = tiles.tiles["t"]
    if case.watchdog and not endless:
        tile.expire()
    core = place.tiles["t"].core
    return Expected(
        status=tile.status, ended=tile.ended and tile.status is None and tile.idle, retired=retired,
        received={flow: list(blocks) for (_, flow), blocks in tiles.received.items()},
        masks=list(getattr(core, "masks", [])), buffer=tile.store.buffer.tobytes(),
        counts=[ring.came for ring in tile.store.rings], tokens=tile.tokens, endless=endless, raced=any(raced),
    )


def _overlaps(store: Store) -> bool:
    """Whether anything that is written lies over what something else reads."""
    rings = [store.values("stream", k) for k in range(STREAMS)]
    spans = [(s["base"], s["base"] + s["block"] * s["blocks"]) for s in rings if s["block"] * s["blocks"]]
    pads = [store.values("walk", k) for k in range(DESCRIPTORS["walk"].count)]
    spans.sort()
    end, kept = 0, []
    for low, high in spans:
        if low < end:
            return True
        end = max(end, high)
        kept.append((low, high))
    pads = [(w["pad"], w["pad"] + w["run"] + w["tail"]) for w in pads if any(w.values())]
    return any(first < high and low < end for first, end in pads for low, high in kept)


def difference(expected: Expected, found: Found, cfg: TileConfig) -> str | None:
    """What a tile did otherwise than the interpreter, None if it did the same.

    What the interpreter carried out is the beginning of what the tile did, in the order of the program and in each
    engine. Where a program traps other engines may have gone further. Where it waits for ever a tile may even go on,
    since what one engine waits for another one may give that is behind it in the program. Of a tile that was cut off
    what it did is the beginning.
    """
    order = [one.pc for one in expected.retired if one.engine is not Engine.SEND]
    if found.cut:
        order = order[: len(found.retired)]
    if found.retired[: len(order)] != order:
        at = next((k for k, (a, b) in enumerate(zip(order, found.retired, strict=False)) if a != b), len(found.retired))
        return f"instruction {at} to retire is at {found.retired[at : at + 1]}, not at {order[at]}"
    for engine in Engine:
        wanted = [one for one in expected.retired if one.engine is engine]
        its = [one for one in found.events if one.engine == engine]
        if found.cut:
            wanted = wanted[: len(its)]
        for k, one in enumerate(wanted):
            if k >= len(its):
                return f"{engine.name.lower()} {k} is missing: {one}"
            told, right = _event(its[k]), one
            if expected.raced:
                told, right = told._replace(checksum=0), right._replace(checksum=0)
            if told != right or its[k].order != k:
                return f"{engine.name.lower()} {k} is {told}, not {right}"
        if expected.ended and len(its) > len(wanted):
            return f"{engine.name.lower()} did more: {_event(its[len(wanted)])}"
    for flow, blocks in expected.received.items():
        whole = [block + bytes(-len(block) % cfg.flit_bytes) for block in blocks]
        its = found.received.get(flow, [])[: len(whole)]
        if found.cut:
            whole = whole[: len(its)]
        if len(its) != len(whole) or (its != whole and not expected.raced):
            return f"blocks of flow {flow} are others"
    masks = expected.masks[: len(found.masks)] if found.cut else expected.masks
    if found.masks[: len(masks)] != masks and not expected.raced:
        return "masks are others"
    return None if expected.endless or found.cut else _end(expected, found)


def _end(expected: Expected, found: Found) -> str | None:
    if expected.status is not None and expected.status.cause is Cause.WATCHDOG:
        return _watched(found)
    if expected.status is not None:
        words = expected.status.words()
        return None if found.status == words else f"status is {found.status}, not {words} ({expected.status})"
    if not expected.ended:
        return None
    if found.status[0]:
        return f"it trapped: {Cause(found.status[0] & 15).name.lower()} {found.status}"
    if found.running or found.busy:
        return "it goes on, but should have ended"
    if found.buffer != expected.buffer and not expected.raced:
        at = next(k for k, (a, b) in enumerate(zip(found.buffer, expected.buffer, strict=True)) if a != b)
        return f"byte {at} of the buffer is {found.buffer[at]}, not {expected.buffer[at]}"
    return None


def _watched(found: Found) -> str | None:
    """Whether the watchdog has ended what waits, wherever the program was by then; it may have found a way on."""
    if found.status[0] or not (found.running or found.busy):
        return None
    return "it waits, and the watchdog does not end that"


def _event(one: Event) -> Retired:
    """An event as the interpreter tells it."""
    return Retired(
        Engine(one.engine), one.pc, Op(one.word >> OPCODE_LOW), one.image, one.taken, one.shown, one.op_id,
        one.checksum)


def skeleton_differs(case: Case, expected: Expected, cfg: TileConfig) -> str | None:
    """What the token machine does otherwise than the interpreter."""
    given = {("t", stream): len(blocks) for stream, blocks in case.given.items()}
    machine = TokenMachine(joined(case, cfg), given, trace=True)
    machine.run(limit=LIMIT)
    tile = machine.tiles["t"]
    here = [one.tokens for one in expected.retired if one.engine is not Engine.SEND]
    sent = [one.tokens for one in expected.retired if one.engine is Engine.SEND]
    trace, blocks = tile.trace or [], tile.sent or []
    if trace[: len(here)] != here:
        return "the token machine retires others"
    data = expected.status is not None and expected.status.cause is Cause.CORE
    if expected.endless or data:
        return None
    if len(trace) != len(here) or blocks != sent:
        return f"the token machine retires {len(trace)} and {len(blocks)}, not {len(here)} and {len(sent)}"
    trap = tile.trap and (tile.trap[0], min(tile.trap[1], 511), tile.trap[2])
    timed = expected.status is not None and expected.status.cause is Cause.WATCHDOG
    status = None if timed else expected.status and (expected.status.cause, expected.status.pc, expected.status.stream)
    if trap != status:
        return f"the token machine traps with {trap}, not {status}"
    there = [a - b for a, b in zip(tile.came, tile.freed, strict=True)]
    return None if there == expected.tokens else "the token machine has other tokens at the end"
