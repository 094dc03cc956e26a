"""Predicts how many cycles an image takes on the tiles of a chip: from the programs and the decrements of products."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compiler.program import Call, Mvm
from compiler.tile.file import joined_of
from compiler.tile.placed.streams import tile_name
from hw.kinds import Timing, core_blocks, timing
from hw.noc.config import MeshConfig
from hw.tile.timing.core import Conversions
from hw.tile.timing.mesh import ChipTime, Source
from macro_models import MacroModel, Masks, family

if TYPE_CHECKING:
    from compiler.network import Network

__all__ = ["IMAGES", "TileCycles", "expected_cycles", "tile_cycles"]

IMAGES = 4
"""Images of a prediction."""

_INSTRUCTION = 2000
"""Cycles of an instruction without its product, at most."""

Durations = dict[tuple[int, int], tuple[int, ...]]
"""Analog cycles of the conversions of each product, by its core and the number of its first conversion."""


@dataclass(frozen=True, kw_only=True)
class TileCycles:
    """What is predicted.

    Attributes
    ----------
    ends
        Cycles from the first flit of the host to the result of each image, images following each other without a gap.
    analog
        Analog cycles of an image in the mean, by tile: no image takes fewer than the most of them, in the steady state.
    first
        Cycles of the first image, alone on the chip.
    tail
        Images at the end that are done sooner, since tiles that begin the next image before them have none.
    head
        Images at the beginning that do not count, since copies that are dealt images begin them at once.
    """

    ends: tuple[int, ...]
    analog: dict[str, float]
    first: int
    tail: int = 0
    head: int = 0

    @property
    def each(self) -> float:
        """Cycles of each further image, in the mean, while others follow."""
        last = len(self.ends) - 1 - self.tail
        count = last - self.head
        return (self.ends[last] - self.ends[self.head]) / count if count > 0 else float(self.first)

    @property
    def bottleneck(self) -> str:
        """The tile whose array works longest."""
        return max(self.analog, key=lambda tile: self.analog[tile])

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "first": self.first, "each": self.each, "bottleneck": self.bottleneck,
            "tiles": [{"tile": tile, "analog_cycles": cycles, "utilisation": cycles / self.each}
                      for tile, cycles in self.analog.items()],
        }


def expected_cycles(network: "Network", x: NDArray[np.floating]) -> TileCycles:
    """The cycles of inputs like ``x`` (images, ...), on the chip of seed 0 of the network's device.

    Parameters
    ----------
    network
        With its programs.
    x
        Inputs in the model's units, of which :data:`IMAGES` are taken, again and again: from a result to the next one
        of the same image each of them is done once.
    """
    kind, chip = family(network.chip.core.kind), network.chip
    cores = [kind.model(chip.macro_config(), one.targets_uS, device=network.device, seed=0, core=k,
                        time_s=network.calibration["time_s"]) for k, one in enumerate(network.cores)]
    masks = [Masks(one.word_lines, one.converted_lines, one.bl_skip, one.sl_skip) for one in network.cores]
    some, period = np.asarray(x[:IMAGES]), network.program.period
    # Each of them by each copy.
    some = np.tile(some.reshape(len(some), -1), (math.lcm(len(some), period) // len(some), 1))
    lanes, numbers = network.program.input.compute(some), np.arange(len(some), dtype=np.uint64)
    return tile_cycles(network, cores, masks, lanes, numbers, run=len(some) + 1 + _tail(network) + _head(network))


def _tail(network: "Network") -> int:
    """Images that are done sooner at the end of a run."""
    return int(network.tiles is not None and bool(network.tiles.ahead))


def _head(network: "Network") -> int:
    """Images until copies that are dealt images have them one after the other: each has had one."""
    period = network.program.period
    return 2 * period if period > 1 else 0


def tile_cycles(
    network: "Network", cores: Sequence[MacroModel], masks: Sequence[Masks], lanes: NDArray[np.int16],
    images: NDArray[np.integer], *, run: int = 0,
) -> TileCycles:
    """The cycles of certain images one behind the other, on certain cores.

    Parameters
    ----------
    network
        With its programs of tiles.
    cores, masks
        Its programmed cores.
    lanes, images
        The network's input, (images, elements), and the numbers of the images, one behind the other.
    run
        Images of the run, those that are given again and again; 0: each of them once.

    Raises
    ------
    ValueError
        If the network has no programs, or they get stuck.
    """
    code = network.tiles
    if code is None:
        raise ValueError("A network must have programs of tiles.")
    mesh = MeshConfig.from_chip(network.chip)
    durations = _durations(network, cores, masks, lanes, images)
    sources: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for tile, stream, value in code.given:
        slot = code.programs[tile].descriptor("stream", stream)["slot"]
        sources.setdefault((slot, value), []).append((tile, stream))
    size, core = mesh.payload_bits // 8, core_blocks(network.chip, tiled=True).cfg
    given = [Source(tuple(to), -(-code.inputs[value].block // size), code.inputs[value].pixels)
             for (_, value), to in sources.items()]
    results = {(sender, flow): held.pixels * -(-held.block // size) for sender, flow, held in code.values.values()}
    lines = getattr(core, "drain_lines", 2)

    def conversions(tile: str) -> Conversions:
        x, y = map(int, tile.split(","))
        number, which = y * network.chip.mesh.columns + x, images.tolist()
        return lambda image, operation: durations[number, which[image % len(which)] << 32 | operation]

    joined, rows = joined_of(code, network.program, network.chip), (lines // 2, core.lines // lines)
    length, tail = run or len(lanes), _tail(network)
    # Nothing takes longer than all products one after the other, and some hundred cycles for each instruction.
    serial = (sum(map(sum, durations.values())) + _INSTRUCTION * code.instructions) * length

    def ends(count: int) -> tuple[int, ...]:
        chip = ChipTime(mesh, joined.for_images(count), conversions, rows, given, results, count)
        if not chip.run(2 * serial):
            raise ValueError("The programs do not end.")
        return tuple(end - chip.first for end in chip.ends)

    found = ends(length)
    works = dict.fromkeys(joined.tiles, 0)
    for (core, _), parts in durations.items():
        works[tile_name(network.chip, core)] += sum(parts)
    return TileCycles(
        ends=found, first=ends(1)[0] if tail else found[0], tail=tail,
        head=min(_head(network), max(length - 2 - tail, 0)),
        analog={name: cycles / len(lanes) for name, cycles in works.items()},
    )


def _durations(
    network: "Network", cores: Sequence[MacroModel], masks: Sequence[Masks], lanes: NDArray[np.int16],
    images: NDArray[np.integer],
) -> Durations:
    """How long each product takes: its decrements are computed."""
    times, found = timing(network.chip), Durations()
    rows = network.chip.macro_config().cell_map.rows

    def product(call: Call, mvm: Mvm, codes: NDArray[np.int16], op_id: NDArray[np.uint64]) -> NDArray[np.int16]:
        made = cores[mvm.core].mvm(mvm.op, masks[mvm.core], mvm.vector(codes, rows), op_id)
        for number, parts in zip(op_id.tolist(), _parts(times, mvm, made.steps), strict=True):
            found[mvm.core, number] = parts
        return made.codes[:, mvm.columns]

    network.program.run(lanes, images, product)
    return found


def _parts(times: Timing, mvm: Mvm, steps: NDArray[np.int64]) -> list[tuple[int, ...]]:
    """Analog cycles of each conversion of a product, for decrements of shape (vectors, segments)."""
    total, first = times.analog_cycles(mvm.op, steps).tolist(), times.first_cycles(mvm.op, steps).tolist()
    return [(one,) if mvm.op.segments == 1 else (one, each - one) for one, each in zip(first, total, strict=True)]
