"""The macro at every strobe where its neuron is not ideal: the discrete equations as they stand.

Of :mod:`.neuron` it shares the grid on which the weight of a sample is rounded, and that the noise of all samples of a
conversion is one draw.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.random import NORMAL_ONE, Purpose, normal_codes
from mho.macro_models.tnsa.converter.neuron import grid_bits
from mho.macro_models.tnsa.model import TnsaModel
from mho.macro_models.tnsa.pin_level.macro import PinLevelTnsa

__all__ = ["PinLevelNeuron", "pin_level_macro"]


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
        self._products: list[NDArray[np.int64]] = []
        self._state: NDArray[Any] | None = None
        self._decrements = 0
        self._op_id = 0

    def sample(
        self, backward: bool, positive: NDArray[np.bool_], negative: NDArray[np.bool_], wl: NDArray[np.bool_]
    ) -> None:
        """Sample the converted lines once and integrate; as :meth:`PinLevelTnsa.sample`."""
        before = self._accumulated.copy()
        super().sample(backward, positive, negative, wl)
        self._products.append(self._accumulated - before)

    def compare(self, latch: bool, op_id: int) -> NDArray[np.bool_]:
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
    def charge(self) -> NDArray[Any]:
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
    def _volt(self) -> NDArray[Any]:
        return 2.0 / self._model.config.v_read_V * self._sum_g()

    @property
    def _cycle(self) -> NDArray[Any]:
        return (self._model.amplifier_offset_V + self._neuron.injection_mV * 1e-3) * self._volt

    @property
    def _sampling(self) -> NDArray[Any]:
        return self._neuron.sampling_V * self._volt / NORMAL_ONE

    def _integrated(self, *, noise: bool) -> NDArray[Any]:
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
