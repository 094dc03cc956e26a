"""A layer whose weights are pairs of cells of one core: products in both directions, and steps of its weights."""

from dataclasses import dataclass, replace

import numpy as np

from mho.hw.config import Chip
from mho.macro_models import MacroModel, Masks, family
from mho.macro_models.devices.device import Device
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, MAX_BITS, STEP_FRACTION_BITS, Direction
from mho.macro_models.types import Integers, Integral, Reals
from mho.sim.backend import HostScheduled
from mho.sim.programming.write_verify import Pulser
from mho.train.cells import LearningCells

CLIPPED = 0.005, 0.0005
"""Parts of the codes at the end of the range above which a converter's step grows, and below which it shrinks."""
STEP_RATIO = 2**0.25
"""By how much it does."""
MOST_PULSES = 15
"""For a cell in one step."""


@dataclass(kw_only=True)
class Counts:
    """What a layer had done to it: ``pulses``, cycles of the engine, and operations whose step was set anew."""

    pulses: int = 0
    cycles: int = 0
    sets: int = 0


class CellLayer:
    """Weights ``[input, output]`` of a layer, a core for it alone.

    Both cells of a pair begin around the middle of their range; a step of a weight goes to one and the next to the
    other, up in the one and down in the other, so that what loads the lines stays as it is, which is what products are
    brought back to weights by.

    Parameters
    ----------
    chip, device, seed, core
        Where it is.
    weights
        At first, of shape (inputs, outputs).
    reach
        Largest weight: that of a pair at both ends of its range.
    bits
        Of the codes of inputs and outputs.
    """

    def __init__(
        self, chip: Chip, device: Device, seed: int, core: int, weights: Reals, *, reach: float, bits: int
    ) -> None:
        self._config, self._model = chip.macro_config(), family(chip.core.kind).model
        self._device, self._seed, self.core, self.reach = device, seed, core, reach
        law = device.update
        low, high = (law.g_min_uS, law.g_max_uS) if law.model else (chip.cells.g_min_uS, chip.cells.g_max_uS)
        self._unit, middle = (high - low) / reach, (low + high) / 2.0
        self.shape, self._map = weights.shape, self._config.cell_map
        self._rows, self._columns = (np.arange(count) for count in self.shape)
        half = np.clip(weights, -reach, reach) * self._unit / 2.0
        g = np.zeros(self._map.shape)
        self._map.put(g, self._rows, self._columns, np.stack([middle + half, middle - half]))
        self.cells, self.counts = LearningCells(chip, device, seed, core, g), Counts()
        up, down = self.cells.step_uS(middle)
        self.step = (up + down) / 2.0 / self._unit
        """Weight that a pulse is taken for."""
        self._sums = np.zeros(self.shape)
        self._turn = np.zeros(self.shape, dtype=np.int64)
        driven, converted = (np.zeros(lines, dtype=bool) for lines in self._map.shape)
        driven[self._map.lines_of(self._rows)] = True
        converted[self._columns] = True
        off = np.zeros_like(driven), np.zeros_like(converted)
        self._masks = {
            Direction.FORWARD: Masks(driven, converted, *off),
            Direction.BACKWARD: Masks(np.ones_like(driven), driven, *off),
        }
        loads = 2 * self.shape[0] * middle, self.shape[1] * middle
        self._load = {d: self._config.load(np.array([[load]]), axis=0, unit_uS=1.0)[0] for d, load in zip(
            Direction, loads, strict=True)}
        # Inputs of two segments fill the upper one, which counts for most: both have the same step.
        self._finer = 1 if bits <= LSB_SEGMENT_BITS else 2 ** (MAX_BITS - bits)
        in_bits = bits if self._finer == 1 else MAX_BITS
        self._ops = {
            d: chip.operation_type(in_bits=in_bits, in_signed=d is Direction.BACKWARD, out_bits=bits).facing(d)
            for d in Direction
        }
        self._number = 0

    def top(self, direction: Direction) -> int:
        """Largest input code."""
        return self._ops[direction].input_range[1] // self._finer

    def model(self) -> MacroModel:
        """The core as its cells are now."""
        return self._model.from_measured(
            self._config, self.cells.g_uS, device=self._device, seed=self._seed, core=self.core
        )

    def forward(self, backend: HostScheduled, x: Integers) -> Reals:
        """``x W`` of codes of shape (batch, inputs), in units of a code times a weight, (batch, outputs)."""
        codes = self._product(backend, Direction.FORWARD, x, self._map.rows)
        return codes[:, self._columns]

    def backward(self, backend: HostScheduled, x: Integers) -> Reals:
        """``x W^T`` of codes of shape (batch, outputs), (batch, inputs)."""
        codes = self._product(backend, Direction.BACKWARD, x, self._map.columns)
        plus, minus = self._map.lines_of(self._rows)
        return codes[:, plus] - codes[:, minus]

    def _product(self, backend: HostScheduled, direction: Direction, x: Integers, width: int) -> Reals:
        op, inputs = self._ops[direction], np.zeros((len(x), width), dtype=np.int16)
        inputs[:, : x.shape[1]] = self._finer * x
        ids = np.arange(self._number, self._number + 2 * len(x), 2, dtype=np.uint64)
        self._number += 2 * len(x)
        codes = backend.mvm(self.core, op, self._masks[direction], inputs, ids).codes
        # Codes are half steps; a step is its part of the load.
        step = op.step_code / 2.0 ** (STEP_FRACTION_BITS + 1) * self._load[direction]
        values = codes * (step / (self._unit * self._finer))
        self._manage(direction, codes[:, self._masks[direction].lines[0]])
        return values

    def _manage(self, direction: Direction, codes: Integral) -> None:
        """Set the converter's step anew where too many outputs, or none, are at the end of its range."""
        op = self._ops[direction]
        top = (2 * op.max_steps + 1) * (1 if op.segments == 1 else 17)
        clipped = float((np.abs(codes) >= top * 0.97).mean())
        ratio = STEP_RATIO if clipped > CLIPPED[0] else 1 / STEP_RATIO if np.abs(codes).max() < top / 2 else 1.0
        step = int(np.clip(round(op.step_code * ratio), 1, 65535))
        if step != op.step_code:
            self._ops[direction] = replace(op, step_code=step)
            self.counts.sets += 1

    def learn(self, engine: Pulser, change: Reals) -> None:
        """Add ``change`` to the sums at the host, and have pulses given for what has come to a step."""
        self._sums += change
        steps = np.clip(np.trunc(self._sums / self.step), -MOST_PULSES, MOST_PULSES).astype(np.int64)
        if not steps.any():
            return
        self._sums -= steps * self.step
        # In turns, so that the cells of a pair take as many.
        size, odd = np.abs(steps), self._turn & 1
        second = (size + odd) // 2
        self._turn += size
        both = np.stack([np.sign(steps) * (size - second), -np.sign(steps) * second])
        pulses = np.zeros(self._map.shape, dtype=np.int64)
        self._map.put(pulses, self._rows, self._columns, both)
        pulse_count, cycles = self.cells.give(pulses, engine)
        self.counts.pulses += pulse_count
        self.counts.cycles += cycles

    @property
    def weights(self) -> Reals:
        """As the cells hold them, of shape (inputs, outputs)."""
        return self._map.join(self._map.take(self.cells.g_uS, self._rows, self._columns)) / self._unit
