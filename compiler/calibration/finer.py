"""Calibration of a network, once more with finer inputs, or inputs in two parts, where answers would not be right.

Whether they are is seen on perfect cells: on the inputs of calibration, and on inputs that it has not seen, for which
every other one calibrates and those between are answered. Few inputs tell little of ranges, and what goes beyond them
is clipped. Large networks have errors of many terms that average out, and twice the conversions would cost them more.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mho.compiler.calibration.calibrate import Calibrated, Calibrator
from mho.compiler.calibration.outputs import OutputError, output_errors
from mho.compiler.mapping import Placement
from mho.compiler.mapping.redundancy import Redundancy
from mho.compiler.model import FloatNetwork
from mho.compiler.options import CompileOptions
from mho.compiler.types import Float
from mho.hw.config import Chip
from mho.macro_models.devices import Device, load_device

Placed = tuple[Placement, Redundancy | None]

MOST_MULTIPLICATIONS = 1 << 14
"""Of a network that is tried with inputs in two parts: of weights, for an input."""
MOST_LAYERS = 64
"""Its layers: each is searched after those before it, four times as often as without."""

FINE_COPIES = 32
"""Copies of a layer that takes its inputs in two parts, at most: leaves round to whole lanes, and more have too few."""

ENOUGH, UNSEEN_CHOICES, ENOUGH_LAST = 0.5, 2.0, 0.01
"""Part of what is allowed that errors of numbers may be, and times that of choices among classes for inputs that
calibration has not seen, and error of the last value where all codes are as fine as they can be in one part: else finer
is tried."""

ABOUT, CLEARLY = 1.1, 0.7
"""Times that errors of few inputs are about as large, and that the error of the last value is clearly smaller."""

FEWEST_INPUTS = 8
"""Inputs from which on half of them calibrate for the others."""


def calibrated(
    network: FloatNetwork, placed: Placed, again: Callable[[int], Placed], chip: Chip, device: Device,
    options: CompileOptions, x: Float, progress: Callable[[int, int], None] | None = None,
) -> tuple[Calibrated, Placed]:
    """A network calibrated for inputs ``x`` of shape (images, features), the better way of two for a small one.

    ``placed`` is where it is; ``again`` gives where it would be with more copies. What it is calibrated for comes back.
    """
    if options.in_parts == 2:
        roomier = again(FINE_COPIES)
        return Calibrator(network, roomier[0], chip, device, options, x, progress, in_two=True).run(), roomier
    first = refined(lambda chosen: Calibrator(network, placed[0], chip, device, chosen, x, progress).run(), options)
    if not may_be_in_two(network, options):
        return first, placed
    coarse_errors = unseen_errors(network, placed[0], chip, options, x)
    excess_seen, unseen = excess(first.outputs), excess(coarse_errors)
    right = not _strained(first.outputs, 1.0) and not _strained(coarse_errors, UNSEEN_CHOICES)
    if right and (is_coarse(first) or first.last <= ENOUGH_LAST):
        return first, placed
    roomier = again(FINE_COPIES)
    finer = Calibrator(network, roomier[0], chip, device, options, x, in_two=True).run()
    fine_errors = unseen_errors(network, roomier[0], chip, options, x, in_two=True)
    reached = max(excess(finer.outputs), excess(fine_errors))
    before = max(excess_seen, unseen)
    finest = reached <= max(ABOUT * before, 1.0) and finer.last < CLEARLY * first.last
    if finest or reached < before / ABOUT:
        return replace(finer, unseen=tuple(fine_errors)), roomier
    return replace(first, unseen=tuple(coarse_errors)), placed


def refined(calibrate: Callable[[CompileOptions], Calibrated], options: CompileOptions) -> Calibrated:
    """What ``calibrate`` makes with options; of all bits where numbers are off on perfect cells and less so with these.

    Estimates of rounding layer by layer miss what it does to crossing connections.
    """
    first, is_chosen = calibrate(options), options.tolerance is not None or options.in_bits is not None
    if is_chosen or not is_coarse(first) or not any(output.misses for output in first.outputs):
        return first
    exact = calibrate(replace(options, tolerance=0.0))
    return exact if excess(exact.outputs) < excess(first.outputs) / ABOUT else first


def is_coarse(result: Calibrated) -> bool:
    """Whether a product takes fewer bits of its inputs than it could, or all in one conversion."""
    return any(mvm.op.segments == 1 for layer in result.program.layers for mvm in layer.mvms)


def may_be_in_two(network: FloatNetwork, options: CompileOptions) -> bool:
    """Whether inputs may be taken in two parts: of small networks, where the user has not said how fine they are."""
    small = network.multiplications <= MOST_MULTIPLICATIONS and len(network.layers) <= MOST_LAYERS
    return small and options.in_bits is None and options.in_parts is None


def unseen_errors(
    network: FloatNetwork, placement: Placement, chip: Chip, options: CompileOptions, x: Float, **how: Any
) -> list[OutputError]:
    """Errors on perfect cells of every other input, where the others have calibrated; none of too few."""
    if len(x) < FEWEST_INPUTS:
        return []
    calibrator = Calibrator(network, placement, chip, load_device("ideal"), options, x[::2], keep=True, **how)
    program, unseen = calibrator.run().program, x[1::2]
    images = np.arange(len(unseen), dtype=np.uint64)
    lanes = program.run_layers(
        program.input.compute(unseen), lambda call, codes, _: calibrator.perfect[call.layer].of(call).run(codes, images)
    )
    return output_errors(network, network.last(unseen), program.output.compute(lanes)[None])


def _strained(errors: Sequence[OutputError], choices: float) -> bool:
    """Whether an output is beyond what is enough: of numbers, or ``choices`` times what is allowed of those."""
    return any(output.excess > (choices if output.is_choice else ENOUGH) for output in errors)


def excess(errors: Sequence[OutputError]) -> float:
    """Times that the worst output is what is allowed."""
    return max((output.excess for output in errors), default=0.0)
