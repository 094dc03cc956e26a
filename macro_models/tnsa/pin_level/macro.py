"""The macro at every strobe: slow and plain, the truth against which all faster evaluations are tested.

Nothing here is shared with :mod:`mho.macro_models.tnsa.sensing`: sums run over integers cell by cell, one sample and
one decrement at a time, as the pins say. Only the draws, what wires make of the cells, and the order of the few
operations on the noise, are the same.

Where the neuron is not ideal, the discrete equations stand as they are: of
:mod:`mho.macro_models.tnsa.converter.neuron` they share the grid on which the weight of a sample is rounded, and that
the noise of all samples of a conversion is one draw.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import ToolError
from mho.macro_models.integer.operation import STEP_FRACTION_BITS
from mho.macro_models.integer.random import NORMAL_ONE, Purpose, bits16, normal_codes
from mho.macro_models.integer.shift_register import AMPLITUDE_SHIFT, NOISE_SHIFT, seeds, xorshift
from mho.macro_models.tnsa.converter.neuron import grid_bits
from mho.macro_models.tnsa.model import TnsaModel
from mho.macro_models.tnsa.traps import GRID
from mho.macro_models.types import Array, Flags, Integers, Integral, Reals


class PinLevelTnsa:
    """A transposable macro behind its pins."""

    def __init__(self, model: TnsaModel) -> None:
        self._model = model
        self.precharge()

    def precharge(self) -> None:
        """Discharge the integrators and forget the last conversion."""
        lines = self._model.config.lines
        self._backward = False
        self._wl: Flags | None = None
        self._effective: Integers | None = None
        self._input = np.zeros(lines, dtype=np.int64)
        self._accumulated: Array = np.zeros(lines, dtype=np.int64)
        self._taken = np.zeros(lines, dtype=np.int64)
        self._noise: Integers | None = None
        self._negative = np.zeros(lines, dtype=bool)

    def sample(self, backward: bool, positive: Flags, negative: Flags, wl: Flags) -> None:
        """Sample the converted lines once and integrate.

        ``positive`` and ``negative`` are the registers of the driven lines, ``wl`` the word lines; all of shape
        (lines,). Raises ToolError if a line is driven to both sides, or direction or word lines change within a
        conversion.
        """
        if (positive & negative).any():
            raise ToolError(f"line {int(np.argmax(positive & negative))} is driven to both sides")
        if self._wl is not None and (backward != self._backward or not np.array_equal(wl, self._wl)):
            raise ToolError("direction and word lines must stay as they are from precharge to precharge")
        if self._effective is None:
            self._backward, self._wl = backward, np.array(wl, dtype=bool)
            self._effective = self._model.effective(self._wl, backward).astype(np.int64)
        driven = positive.astype(np.int64) - negative.astype(np.int64)
        self._input += driven
        self._accumulated += driven @ self._effective

    def compare(self, latch: bool, op_id: int) -> Flags:
        """Lines whose charge is negative; ``latch`` keeps them as the direction of the decrements that follow."""
        if self._noise is None:
            # Frozen from the first compare of the conversion on.
            self._noise = self._read_noise(op_id) + self._output_noise(op_id) + self._trap_noise(op_id)
        negative = self.charge < 0
        if latch:
            self._negative = negative
        return negative

    @property
    def charge(self) -> Array:
        """Charges of all lines, odd integers: from the first compare on with the noise of the conversion."""
        noise = 0 if self._noise is None else self._noise
        return 2 * (self._accumulated + noise) + self._offset() + self._taken

    def decrement(self, scale: int, step_code: int) -> None:
        """Take ``step_code << scale`` from the magnitude of the charge, in the latched direction."""
        pos, neg = self._steps(step_code)
        step = np.where(self._negative, neg, -pos).astype(np.int64)
        self._taken += step * 2**scale

    def charge_in_steps(self, step_code: int) -> Reals:
        """Charge of each line in decrement steps of its own polarity; 0 before the first sample."""
        if self._wl is None:
            return np.zeros(self._model.config.lines)
        pos, neg = self._steps(step_code)
        return self.charge / np.where(self.charge < 0, neg, pos)

    def _steps(self, step_code: int) -> tuple[Reals, Reals]:
        """What a decrement takes from a positive and from a negative charge, each of shape (lines,)."""
        config = self._model.config
        ideal = step_code * 2.0**-STEP_FRACTION_BITS * config.load_of(self._sum_g(), unit_uS=config.lsb_uS)
        pos, neg = (2 * np.maximum(1, np.rint(ideal * (1.0 + gain))) for gain in self._model.converter_gain)
        return pos, neg

    def _seen(self, cells: Integral) -> Integers:
        """Integers of the cells as [driven, converted]; those behind word lines that are off are not there."""
        assert self._wl is not None, "no sample since precharge"
        gated = np.where(self._wl[:, None], cells, 0).astype(np.int64)
        return gated.T if self._backward else gated

    def _sum_g(self) -> Integers:
        return self._seen(self._model.cells).sum(axis=0)

    def _offset(self) -> Integers:
        relative = self._model.converter_offset_V / self._model.config.v_read_V
        return 2 * np.rint(relative * self._sum_g()).astype(np.int64) + 1

    def _read_noise(self, op_id: int) -> Integers:
        if self._model.register is not None:
            return self._register_noise(op_id)
        of_cells, unit = self._model.read_variances()
        if of_cells is None:
            return np.zeros_like(self._input)
        variances = self._seen(of_cells)
        total, cross = variances.sum(axis=0), self._input @ variances
        square = self._input**2 @ variances
        sum_g = self._sum_g()
        v = self._accumulated * np.where(sum_g > 0, 1.0 / np.maximum(sum_g, 1), 0.0)
        variance = ((unit * total) * v - 2.0 * (unit * cross)) * v + unit * square
        return self._draw(Purpose.READ_NOISE, np.sqrt(np.where(sum_g > 0, np.maximum(variance, 0.0), 0.0)), op_id)

    def _register_noise(self, op_id: int) -> Integers:
        """As a circuit makes it: the root bit by bit, the register step by step."""
        register = self._model.register
        assert register is not None
        assert self._wl is not None
        driven = self._input if self._backward else np.where(self._wl, self._input, 0)
        amplitude = register.step * math.isqrt(int(driven @ driven) << 8) >> AMPLITUDE_SHIFT
        state, shift = int(seeds(register.key, op_id)), NOISE_SHIFT - register.g_bits
        noise = np.zeros_like(self._input)
        for line in range(len(noise)):
            deviate = 512 * ((state >> 8).bit_count() - 12) + 2 * (state & 255) - 255
            noise[line] = amplitude * deviate + (1 << shift - 1) >> shift
            state = xorshift(state)
        return noise

    def _trap_noise(self, op_id: int) -> Integers:
        """The state of every cell that has a trap, found by this conversion."""
        traps, model = self._model.traps, self._model
        if traps is None:
            return np.zeros_like(self._input)
        drawn = bits16(Purpose.TRAP_STATE, seed=model.seed, core=model.core, items=traps.high.size, op_id=op_id)
        state = self._seen(np.where(drawn.reshape(traps.high.shape) < traps.occupancy, traps.high, traps.low))
        sum_g = self._sum_g()
        v = self._accumulated * np.where(sum_g > 0, 1.0 / np.maximum(sum_g, 1), 0.0)
        return np.rint((self._input @ state - state.sum(axis=0) * v) * (1.0 / GRID)).astype(np.int64)

    def _output_noise(self, op_id: int) -> Integers:
        volts = self._model.output_noise_V
        if volts == 0.0:
            return np.zeros_like(self._input)
        deviation = volts / self._model.config.v_read_V * self._sum_g() / NORMAL_ONE
        return self._draw(Purpose.OUTPUT_NOISE, deviation, op_id)

    def _draw(self, purpose: Purpose, deviation: Reals, op_id: int) -> Integers:
        model = self._model
        z = normal_codes(purpose, seed=model.seed, core=model.core, items=len(deviation), op_id=op_id)
        return np.rint(deviation * z).astype(np.int64)


def pin_level_macro(model: TnsaModel) -> PinLevelTnsa:
    """The macro of ``model`` behind its pins."""
    return PinLevelTnsa(model) if model.neuron is None else PinLevelNeuron(model)


class PinLevelNeuron(PinLevelTnsa):
    """A transposable macro behind its pins, with amplifiers that have a finite gain, offsets and noise.

    Parameters
    ----------
    model
        The programmed macro, whose neuron is not ideal.
    """

    def precharge(self) -> None:
        """Discharge the integrators and forget the last conversion."""
        super().precharge()
        self._products: list[Integers] = []
        self._state: Array | None = None
        self._decrements = 0
        self._op_id = 0

    def sample(self, backward: bool, positive: Flags, negative: Flags, wl: Flags) -> None:
        """Sample the converted lines once and integrate; as :meth:`PinLevelTnsa.sample`."""
        before = self._accumulated.copy()
        super().sample(backward, positive, negative, wl)
        self._products.append(self._accumulated - before)

    def compare(self, latch: bool, op_id: int) -> Flags:
        """Lines whose charge is negative; ``latch`` keeps them as the direction of the decrements that follow."""
        self._op_id = op_id
        if self._state is None:
            self._state = self._integrated(noise=True)
        compared = self.charge
        if self._neuron.comparator_noise_mV:
            volts = self._neuron.comparator_noise_mV * 1e-3 / self._neuron.alpha
            compared = compared + volts * self._volt / NORMAL_ONE * self._normals(Purpose.COMPARATOR, self._decrements)
        negative = compared < 0.0
        if latch:
            self._negative = negative
        return negative

    @property
    def charge(self) -> Array:
        """Charges of all lines and the offset of their comparators; from the first compare on with noise."""
        return (self._integrated(noise=False) if self._state is None else self._state) + self._offset()

    def decrement(self, scale: int, step_code: int) -> None:
        """Take ``step_code << scale`` from the magnitude of the charge, in the latched direction."""
        assert self._state is not None, "no compare since precharge"
        self._decrements += 1
        pos, neg = self._steps(step_code)
        state = self._state * self._neuron.beta + (self._cycle + np.where(self._negative, neg, -pos) * 2**scale)
        if self._neuron.sampling_noise:
            state += self._sampling * self._normals(Purpose.SAMPLING, self._decrements)
        self._state = state

    @property
    def _neuron(self) -> Any:
        return self._model.neuron

    @property
    def _volt(self) -> Array:
        return 2.0 / self._model.config.v_read_V * self._sum_g()

    @property
    def _cycle(self) -> Array:
        return (self._model.amplifier_offset_V + self._neuron.injection_mV * 1e-3) * self._volt

    @property
    def _sampling(self) -> Array:
        return self._neuron.sampling_at(self._model.temp_C) * self._volt / NORMAL_ONE

    def _integrated(self, *, noise: bool) -> Array:
        """Charges after the samples since precharge."""
        assert self._effective is not None, "no sample since precharge"
        beta = self._neuron.beta
        grid = grid_bits(int(self._effective.sum(axis=0).max()))
        weight, total = 1.0, np.zeros_like(self._accumulated)
        for product in reversed(self._products):
            total += round(weight * 2.0**grid) * product
            weight *= beta
        accumulated = total * 2.0**-grid
        if noise:
            self._accumulated = accumulated
            of_cells, of_lines = self._read_noise(self._op_id), self._output_noise(self._op_id)
            accumulated = accumulated + of_cells + of_lines + self._trap_noise(self._op_id)
        charge = 2.0 * accumulated
        constant = self._model.amplifier_offset_V * self._neuron.start / self._neuron.alpha * self._volt
        variance = 0.0
        for _ in self._products:
            constant = beta * constant + self._cycle
            variance = beta * beta * variance + 1.0
        charge += constant
        if noise and self._neuron.sampling_noise:
            charge += self._sampling * math.sqrt(variance) * self._normals(Purpose.SAMPLING, 0)
        return charge

    def _normals(self, purpose: Purpose, step: int) -> NDArray[np.int16]:
        model = self._model
        return normal_codes(
            purpose, seed=model.seed, core=model.core, items=model.config.lines, op_id=self._op_id, step=step
        )
