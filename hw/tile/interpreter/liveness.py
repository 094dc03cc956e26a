"""Whether programs can get stuck, and what would help: one untimed run of the token machine.

Each tile's program is sequential, a stream has one producer and one consumer, waits block, nothing polls, and no
control depends on data. Such a network is a Kahn network with bounded channels: what happens does not depend on the
order in which tiles go on (a run that gets through shows that no timing gets stuck), and what it is after an image
is the same for every order. So if a second image leaves all as the first one did, every number of images gets
through, one after another or overlapped. Where tiles do the same every so many images (``period``), it is as many
images that must leave all as those before did, each of them getting through.

A run that gets stuck is continued with a larger ring, the smallest that somebody waits for (Parks 1995, "Bounded
Scheduling of Process Networks"), which is as if the ring had been that large from the beginning.
"""

from collections.abc import Mapping
from typing import Any

from mho.hw.tile.interpreter.joined import Joined, Place
from mho.hw.tile.interpreter.state import Wait
from mho.hw.tile.interpreter.token_tile import TokenTile
from mho.hw.tile.interpreter.tokens import TokenMachine
from mho.hw.tile.isa import DESCRIPTORS
from mho.macro_models.errors import InputError

MOST = 50_000_000
"""Instructions of an image after which a program is taken for one that never ends."""

RUNS = (1, 2, 3, 4)
"""Images of the runs that are tried of programs that count them, at least: as many as two periods have."""
MOST_IMAGES = 1 << 16
"""Images that they count."""

MOST_BLOCKS = DESCRIPTORS["stream"].layout["blocks"].range[1]
Rings = Mapping[tuple[str, int], int]


def runs_of(period: int) -> range:
    """Images of the runs that are tried, one after the other."""
    return range(RUNS[0], max(RUNS[-1], 2 * period) + 1)


def check_liveness(joined: Joined, given: Rings | None = None, limit: int = MOST, period: int = 1) -> int:
    """Refuse programs that can get stuck.

    Raises InputError, naming the rings that are too small and the number of blocks that would do; or who waits for
    what, if none would; or what is left over of an image.

    Parameters
    ----------
    joined
        The tiles with their programs.
    given
        Blocks that the host sends for each image, by (tile, stream).
    limit
        Instructions that one image may take.
    period
        Images after which tiles do the same again.

    Returns
    -------
    int
        Instructions of one image, of ``period`` ones in the mean.
    """
    machine = TokenMachine(joined, grow=True)
    states, fired = list[Any](), list[int]()
    for image in range(1, 2 * period + 1):
        machine.expect(given or {})
        _one_image(machine, image, limit)
        states.append(machine.state() if not image % period else None)
        fired.append(_fired(machine))
    if states[-1] != states[period - 1] and not machine.grown:
        raise InputError(_left_over(machine, states[period - 1], states[-1]))
    if machine.grown:
        raise InputError(_too_small(machine))
    return -(-(fired[-1] - fired[period - 1]) // period)


def check_runs(joined: Joined, given: Rings, limit: int = MOST, period: int = 1) -> int:
    """Refuse programs that can get stuck, some of which count the images of a run by register 1.

    Those do something before the first image, the same for each image but the last one, and something for that. Runs of
    :data:`RUNS` images get through and leave nothing. In a longer one all is after some images as it was after one
    image less (``period`` less), what a host has given being done as far as that goes: so it is after each that
    follows, until the last one, which goes on as in a short run.

    Parameters, Returns, Raises
        As :func:`check_liveness`.
    """
    ends, fired, runs = list[object](), list[int](), runs_of(period)
    for images in runs:
        machine = TokenMachine(joined.for_images(images), grow=True)
        for _ in range(images):
            machine.expect(given)
        _one_image(machine, images, limit)
        if machine.grown:
            raise InputError(_too_small(machine))
        ends.append(machine.state())
        fired.append(_fired(machine))
        if images >= 2 * period and ends[-1 - period] != ends[-1]:
            raise InputError(_left_over(machine, ends[-1 - period], ends[-1]))
    machine, middle = TokenMachine(joined.for_images(MOST_IMAGES)), list[object]()
    for _ in runs:
        machine.expect(given)
        machine.run(limit=limit)
        middle.append(machine.state(counted=False))
    if middle[-1] != middle[-1 - period]:
        raise InputError(_left_over(machine, middle[-1 - period], middle[-1]))
    return -(-(fired[-1] - fired[-1 - period]) // period)


def _fired(machine: TokenMachine) -> int:
    return sum(tile.fired for tile in machine.tiles.values())


def _one_image(machine: TokenMachine, image: int, limit: int) -> None:
    """Run an image, with larger rings where it gets stuck."""
    end = _fired(machine) + limit
    while not machine.run(image, end - _fired(machine)):
        _refuse_traps(machine, end, limit)
        rings = machine.full()
        if not rings:
            raise InputError(_stuck(machine))
        name, stream = min(rings, key=lambda ring: (machine.tiles[ring[0]].blocks[ring[1]], ring))
        blocks = machine.tiles[name].blocks[stream] + 1
        if blocks > MOST_BLOCKS:
            raise InputError(f"{_ring(machine, name, stream)} fills up: no number up to {MOST_BLOCKS} blocks would do")
        machine.enlarge(name, stream, blocks)


def _refuse_traps(machine: TokenMachine, end: int, limit: int) -> None:
    for name, tile in machine.tiles.items():
        if (status := tile.status) is not None:
            place = machine.joined.tiles[name]
            about = f" (stream {place.ring(status.stream)})" if status.stream else ""
            raise InputError(f"tile {name!r} traps at instruction {tile.at}: {status.cause.name.lower()}{about}")
    if _fired(machine) >= end:
        raise InputError(f"an image must end within {limit} instructions of all tiles, and this one does not")


def _ring(machine: TokenMachine, tile: str, stream: int) -> str:
    return f"ring {machine.joined.tiles[tile].ring(stream)} of tile {tile!r}"


def _too_small(machine: TokenMachine) -> str:
    rings = []
    for (name, stream), blocks in sorted(machine.grown.items()):
        have = machine.joined.tiles[name].program.descriptor("stream", stream)["blocks"]
        rings.append(f"{_ring(machine, name, stream)} has {have} blocks, {blocks} would do")
    more = f"; and {len(rings) - 2} more" if len(rings) > 2 else ""
    return f"the programs can get stuck: {'; '.join(rings[:2])}{more}"


def _stuck(machine: TokenMachine) -> str:
    """Who waits for what, where no larger ring helps."""
    waiting = []
    for name, tile in machine.tiles.items():
        for wait in (tile.waits, tile.sends):
            if wait is not None and not tile.ended:
                waiting.append(_waiting(machine, name, tile, wait))
    left = [f"the host keeps {n} blocks for {_ring(machine, *key)}" for key, n in machine.given.items() if n]
    return f"the programs get stuck whatever the rings: {'; '.join((waiting or left)[:2])}"


def _waiting(machine: TokenMachine, name: str, tile: TokenTile, wait: Wait) -> str:
    place: Place = machine.joined.tiles[name]
    what = {
        "blocks": f"blocks of {place.ring(wait.stream)}", "send": "its send engine",
        "root": f"the root of context {wait.n}", "sum": f"operands of context {wait.n}",
    }
    return f"tile {name!r} waits at instruction {tile.at} for {what.get(wait.why, wait.why)}"


def _left_over(machine: TokenMachine, before: Any, after: Any) -> str:
    """What an image leaves behind that the one before did not, by their states."""
    for name, first, second in zip(machine.joined.tiles, before[0], after[0], strict=True):
        for stream, (a, b) in enumerate(zip(first[2], second[2], strict=True)):
            if a != b:
                ring = _ring(machine, name, stream)
                return f"an image leaves {b - a:+d} blocks in {ring}, and must leave as many as it found"
        if first != second:
            return f"tile {name!r} is not at the same point of its program or its walks after two images"
    return "reductions have operands or sums left over after an image"
