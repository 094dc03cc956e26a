"""Predicts how many cycles an image takes on the tiles of a chip: from the programs and the decrements of products."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mho.compiler.input_time import InputTime
from mho.compiler.program import Call, Mvm, Program
from mho.compiler.tile.placement.streams import place_of, tile_name
from mho.compiler.tile.programs import joined_of
from mho.compiler.types import Facts, Lanes
from mho.hw.kinds import core_blocks, timing
from mho.hw.noc.config import MeshConfig
from mho.hw.tile.timing.core import Conversions
from mho.hw.tile.timing.mesh import ChipTime, Source
from mho.macro_models import MacroModel, Masks, family
from mho.macro_models.types import Integral

if TYPE_CHECKING:
    from mho.compiler.network import Network
    from mho.compiler.network.tiles import TileCode

IMAGES = 4
"""Images of a prediction."""

_CONVERSIONS = 1000
"""Conversions of the images of which a run is predicted: about a quarter of a second for all."""

_INSTRUCTION = 2000
"""Cycles of an instruction without its product, at most."""

Durations = dict[tuple[int, int], tuple[int, ...]]
"""Analog cycles of the conversions of each product, by its core and the number of its first conversion."""


@dataclass(frozen=True, kw_only=True)
class TileCycles:
    """What is predicted."""

    ends: tuple[int, ...]
    """Cycles from the first flit of the host to the result of each image, images following each other without a gap."""
    analog: dict[str, float]
    """Analog cycles of an image in the mean of those that :attr:`interval` is of, by tile: no image takes fewer than
    the most of them, in the steady state."""
    counted: tuple[int, int]
    """Images of whose ends the interval is: the first and the last of them, see :func:`counted_images`."""

    @property
    def latency(self) -> int:
        """Cycles of the first image."""
        return self.ends[0]

    @property
    def steady(self) -> bool:
        """Whether there are images enough for an interval."""
        return self.counted[1] > self.counted[0]

    @property
    def interval(self) -> float:
        """Cycles of each further image, in the mean, while others follow."""
        first, last = self.counted
        return (self.ends[last] - self.ends[first]) / (last - first) if self.steady else float(self.latency)

    @property
    def bottleneck(self) -> str:
        """The tile whose array works longest."""
        return max(self.analog, key=lambda tile: self.analog[tile])

    def facts(self) -> Facts:
        """For JSON."""
        return {
            "latency_cycles": self.latency, "interval_cycles": self.interval, "bottleneck": self.bottleneck,
            "tiles": [{"tile": tile, "analog_cycles": cycles, "utilisation": cycles / self.interval}
                      for tile, cycles in self.analog.items()],
        }


def counted_images(program: Program, code: "TileCode", images: int) -> tuple[int, int]:
    """The first and the last image of a run whose ends an interval is of; the last is not behind it in short runs.

    Left out are images at the beginning where copies are dealt images, each of which begins one at once; and the last
    one where tiles begin the next image before it, and have none.
    """
    return 2 * program.period if program.period > 1 else 0, images - 1 - bool(code.ahead)


def expected_cycles(network: "Network", x: NDArray[np.floating]) -> TileCycles:
    """The cycles of inputs like ``x`` (images, ...), on the chip of seed 0 of the network's device.

    Parameters
    ----------
    network
        With its programs.
    x
        Inputs in the model's units, of which :data:`IMAGES` are taken, again and again.
    """
    kind, chip = family(network.chip.core.kind), network.chip
    cores = [kind.model(chip.macro_config(), core.targets_uS, device=network.device, seed=0, core=k,
                        time_s=network.calibration.time_s) for k, core in enumerate(network.cores)]
    masks = [Masks(core.word_lines, core.converted_lines, core.bl_skip, core.sl_skip) for core in network.cores]
    inputs = np.asarray(x[:IMAGES])
    return _repeated(network, cores, masks, network.program.input.compute(inputs.reshape(len(inputs), -1)))


def predicted_time(
    network: "Network", cores: Sequence[MacroModel], masks: Sequence[Masks], lanes: Lanes,
    images: Integral, analog: NDArray[np.floating] | None = None,
) -> InputTime:
    """How long certain images take one behind the other, on certain cores.

    Of too few for an interval it is that of the same again and again. ``analog`` are the analog cycles of each core for
    an image where these are the first of many: what the busiest array does longer, or shorter, for others counts.
    """
    predicted = tile_cycles(network, cores, masks, lanes, images)
    steady = predicted if predicted.steady else _repeated(network, cores, masks, lanes)
    away = 0.0
    if analog is not None:
        every = {tile_name(network.chip, core): float(cycles) for core, cycles in enumerate(analog)}
        busiest = max(steady.analog, key=lambda tile: every.get(tile, 0.0))
        away = every[busiest] - steady.analog[busiest]
    return InputTime(latency=float(predicted.latency), interval=steady.interval + away, predicted=True)


def predicted_images(network: "Network", images: int) -> int:
    """Of how many of some images times are predicted: of the first, as many as have so many conversions."""
    return min(images, max(2 * (IMAGES + network.program.period), _CONVERSIONS // network.program.conversions))


def _repeated(network: "Network", cores: Sequence[MacroModel], masks: Sequence[Masks], lanes: Lanes) -> TileCycles:
    """The cycles of images again and again: from a result to the next one of the same image each is done once."""
    count = math.lcm(len(lanes), network.program.period)  # each of them by each copy
    assert network.tiles is not None
    lanes, (first, last) = np.tile(lanes, (count // len(lanes), 1)), counted_images(network.program, network.tiles, 0)
    return tile_cycles(network, cores, masks, lanes, np.arange(count, dtype=np.uint64), run=count + first - last)


def tile_cycles(
    network: "Network", cores: Sequence[MacroModel], masks: Sequence[Masks], lanes: Lanes,
    images: Integral, *, run: int = 0,
) -> TileCycles:
    """The cycles of certain images one behind the other, on certain cores.

    Raises ValueError if the network has no programs, or they get stuck.

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
    size = mesh.payload_bits // 8
    cfg = core_blocks(network.chip, tiled=True).cfg
    core = timing(network.chip).overhead_cycles, cfg.masks_cycles, cfg.drain
    host_sources = [Source(tuple(to), -(-code.inputs[value].block // size), code.inputs[value].pixels)
             for (_, value), to in sources.items()]
    results = {(sender, flow): layout.pixels * -(-layout.block // size)
               for sender, flow, layout in code.values.values()}

    def conversions(tile: str) -> Conversions:
        x, y = place_of(tile)
        number, which = y * network.chip.mesh.columns + x, images.tolist()
        return lambda image, operation: durations[number, which[image % len(which)] << 32 | operation]

    joined, length = joined_of(code, network.program, network.chip), run or len(lanes)
    # Nothing takes longer than all products one after the other, and some hundred cycles for each instruction.
    serial = (sum(map(sum, durations.values())) + _INSTRUCTION * code.instructions) * length
    chip = ChipTime(mesh, joined.for_images(length), conversions, core, host_sources, results, length)
    if not chip.run(2 * serial):
        raise ValueError("The programs do not end.")
    first, last = counted = counted_images(network.program, code, length)
    # Of the images between the two ends, or of all where there are none.
    images_counted = Counter(k % len(lanes) for k in range(first + 1, last + 1)) or Counter(range(len(lanes)))
    numbers, works = dict(zip(images.tolist(), range(len(lanes)), strict=True)), dict.fromkeys(joined.tiles, 0)
    for (number, operation), parts in durations.items():
        works[tile_name(network.chip, number)] += sum(parts) * images_counted[numbers[operation >> 32]]
    return TileCycles(
        ends=tuple(end - chip.first for end in chip.ends), counted=counted,
        analog={name: cycles / images_counted.total() for name, cycles in works.items()},
    )


def _durations(
    network: "Network", cores: Sequence[MacroModel], masks: Sequence[Masks], lanes: Lanes,
    images: Integral,
) -> Durations:
    """How long each product takes: its decrements are computed."""
    times, durations = timing(network.chip), Durations()
    rows = network.chip.macro_config().cell_map.rows

    def product(call: Call, mvm: Mvm, codes: Lanes, op_id: NDArray[np.uint64]) -> Lanes:
        result = cores[mvm.core].mvm(mvm.op, masks[mvm.core], mvm.vector(codes, rows), op_id)
        for number, parts in zip(op_id.tolist(), times.conversion_cycles(mvm.op, result.steps).tolist(), strict=True):
            durations[mvm.core, number] = tuple(parts)
        return result.codes[:, mvm.columns]

    network.program.run(lanes, images, product)
    return durations
