"""What the interpreter makes of a case, and where a tile did something else."""

from dataclasses import dataclass
from itertools import pairwise

from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.state import Retired, Status
from mho.hw.tile.interpreter.tiles import TileMachine, Tiles
from mho.hw.tile.isa import DESCRIPTORS, STREAMS, Cause, Engine, Op
from mho.sim.tile_programs.cases import Case, joined
from mho.sim.tile_programs.simulation import TileRun

_MOST = 4000
"""Instructions of the interpreter after which the host sends again."""
LIMIT = 20_000
"""Instructions after which a program is taken for one that never ends."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the interpreter did."""

    status: Status | None
    """Of a trap, None if there was none."""
    ended: bool
    """It halted, and all that it was to send was sent."""
    retired: list[Retired]
    """What retired, in the order of the program."""
    received: dict[int, list[bytes]]
    """Blocks of flows."""
    masks: list[tuple[int, int]]
    buffer: bytes
    """The buffer at the end."""
    endless: bool
    """It was cut off."""
    raced: bool
    """Rings lie over each other or over what stands for pixels outside of an image: data depend on time."""


class _EnoughError(Exception):
    """More instructions than anybody wants to see."""


def expected(case: Case, cfg: TileConfig) -> Expected:
    """Run the interpreter."""
    retired: list[Retired] = []
    raced: list[bool] = []

    def watch(_: str, event: Retired) -> None:
        retired.append(event)
        if event.op is Op.SET:
            raced.append(_overlaps(tiles.tiles["t"]))
        if len(retired) >= LIMIT:
            raise _EnoughError

    place = joined(case, cfg)
    tiles = Tiles(place, watch=watch)
    for stream, blocks in case.given.items():
        tiles.give("t", stream, blocks)
    endless = False
    raced.append(_overlaps(tiles.tiles["t"]))
    try:
        tiles.run(most=_MOST)
    except _EnoughError:
        endless = True
    tile = tiles.tiles["t"]
    if case.watchdog and not endless:
        tile.expire()
    core = place.tiles["t"].core
    return Expected(
        status=tile.status, ended=tile.halted and tile.status is None and tile.sending is None, retired=retired,
        received={flow: list(blocks) for (_, flow), blocks in tiles.received.items()},
        masks=list(getattr(core, "masks", [])), buffer=tile.buffer.tobytes(),
        endless=endless, raced=any(raced),
    )


def _overlaps(tile: TileMachine) -> bool:
    """Whether anything that is written lies over what something else reads."""
    streams = [tile.descriptor("stream", k) for k in range(STREAMS)]
    rings = sorted((s["base"], s["base"] + s["block"] * s["blocks"]) for s in streams if s["block"] * s["blocks"])
    if any(low < end for (_, end), (low, _) in pairwise(rings)):
        return True
    walks = [tile.descriptor("walk", k) for k in range(DESCRIPTORS["walk"].count)]
    pads = [(w["pad"], w["pad"] + w["run"] + w["tail"]) for w in walks if any(w.values())]
    return any(first < high and low < end for first, end in pads for low, high in rings)


def difference(expected: Expected, run: TileRun, cfg: TileConfig) -> str | None:
    """What a tile did otherwise than the interpreter, None if it did the same.

    What the interpreter carried out is the beginning of what the tile did, in the order of the program and in each
    engine. Where a program traps other engines may have gone further. Where it waits for ever a tile may even go on,
    since what one engine waits for another one may give that is behind it in the program. Of a tile that was cut off
    what it did is the beginning.
    """
    order = [event.pc for event in expected.retired if event.engine is not Engine.SEND]
    if run.cut:
        order = order[: len(run.retired)]
    if run.retired[: len(order)] != order:
        at = next((k for k, (a, b) in enumerate(zip(order, run.retired, strict=False)) if a != b), len(run.retired))
        return f"instruction {at} to retire is at {run.retired[at : at + 1]}, not at {order[at]}"
    for engine in Engine:
        events = [event for event in expected.retired if event.engine is engine]
        told_events = [(number, event) for number, event in run.events if event.engine is engine]
        if run.cut:
            events = events[: len(told_events)]
        for k, event in enumerate(events):
            if k >= len(told_events):
                return f"{engine.name.lower()} {k} is missing: {event}"
            number, tile_event = told_events[k]
            if expected.raced:
                tile_event, event = tile_event._replace(checksum=0), event._replace(checksum=0)
            if tile_event != event or number != k:
                return f"{engine.name.lower()} {k} is {tile_event}, not {event}"
        if expected.ended and len(told_events) > len(events):
            return f"{engine.name.lower()} did more: {told_events[len(events)][1]}"
    for flow, blocks in expected.received.items():
        whole = [block + bytes(-len(block) % cfg.flit_bytes) for block in blocks]
        sent = run.received.get(flow, [])[: len(whole)]
        if run.cut:
            whole = whole[: len(sent)]
        if len(sent) != len(whole) or (sent != whole and not expected.raced):
            return f"blocks of flow {flow} are others"
    masks = expected.masks[: len(run.masks)] if run.cut else expected.masks
    if run.masks[: len(masks)] != masks and not expected.raced:
        return "masks are others"
    return None if expected.endless or run.cut else _end(expected, run)


def _end(expected: Expected, run: TileRun) -> str | None:
    if expected.status is not None and expected.status.cause is Cause.WATCHDOG:
        return _watched(run)
    if expected.status is not None:
        words = expected.status.words()
        return None if run.status == words else f"status is {run.status}, not {words} ({expected.status})"
    if not expected.ended:
        return None
    if run.status[0]:
        return f"it trapped: {Cause(run.status[0] & 15).name.lower()} {run.status}"
    if run.running or run.busy:
        return "it goes on, but should have ended"
    if run.buffer != expected.buffer and not expected.raced:
        at = next(k for k, (a, b) in enumerate(zip(run.buffer, expected.buffer, strict=True)) if a != b)
        return f"byte {at} of the buffer is {run.buffer[at]}, not {expected.buffer[at]}"
    return None


def _watched(run: TileRun) -> str | None:
    """Whether the watchdog has ended what waits, wherever the program was by then; it may have found a way on."""
    if run.status[0] or not (run.running or run.busy):
        return None
    return "it waits, and the watchdog does not end that"
