"""The switched-capacitor neuron whose amplifier is not ideal: discrete equations of integration and of counting.

With the amplifier's gain A and offset V_os, the capacitors C_s (sample), C_i (integrate) and C_p (at the virtual
ground), one cycle takes the integrator from v to

    beta v + alpha (V_in + V_os + q_inj / C_s + n),   n normal with variance k T / C_s,
    alpha = C_s / d,   beta = (C_i (1 + 1/A) + C_p / A) / d,   d = C_i (1 + 1/A) + (C_p + C_s) / A,

where V_in is the settled line while it integrates and -s V_dec while it counts down; v = V_os A / (1 + A) after reset.
An ideal neuron has beta = 1 and nothing but V_in. Everything here is in charges as in
:mod:`mho.macro_models.integer.tnsa.converter`, that is ``2 sum_g v / (alpha V_read)``: alpha drops out but for the
start and the comparator.

A sample that j others follow counts beta**j. These weights are rounded to a grid of integers, so that the sum over
lines is exact whatever its order; all that follows is done line by line in a fixed order of ``+ - * /`` and
comparisons in double. So a conversion has one result, alone or in a batch.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.arrays import product as matrix_product
from mho.macro_models.errors import InputError, check_numbers
from mho.macro_models.integer.operation import MAX_BITS
from mho.macro_models.integer.random import NORMAL_ONE
from mho.macro_models.tnsa.converter.walk import Walk
from mho.macro_models.tnsa.sensing import INPUT_TOP, Key, Product, Steps
from mho.macro_models.types import Flags, Reals

COUNT_TOP = 2 ** (MAX_BITS - 1) - 1
"""Largest count of a conversion."""

UNIT_STEP = 2
"""Step on whose scale :meth:`Counter.compute` answers."""

_BOLTZMANN = 1.380649e-23  # J/K, exact in the SI
_TEMPERATURE_K = 300.0
_GRID_BITS = 30
_WIDTH = COUNT_TOP + 2  # thresholds of a line: counts from 0, and one that nothing reaches


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """Amplifier, capacitors and per-cycle errors of the converters.

    Raises InputError if a value is out of range.
    """

    amplifier_gain: float = 0.0
    """Open-loop gain, above 1; 0 stands for infinite."""
    c_sample_fF: float = 17.0
    """Sampling capacitor, in fF."""
    c_integrate_fF: float = 104.0
    """Integrating capacitor, in fF."""
    c_parasitic_fF: float = 0.0
    """Capacitance at the virtual ground, in fF; matters with a finite gain."""
    sigma_amplifier_offset_mV: float = 0.0
    """Standard deviation over converters of the amplifier's offset, which adds in every cycle, in mV."""
    injection_mV: float = 0.0
    """Injected charge over C_s, added in every cycle, in mV."""
    sampling_noise: bool = False
    """Whether each cycle draws k T / C_s, at 300 K where the chip is read at 25 C."""
    comparator_noise_mV: float = 0.0
    """Standard deviation of each comparison, in mV at the integrator."""

    def __post_init__(self) -> None:
        check_numbers(self, ("c_sample_fF", "c_integrate_fF"), positive=True)
        check_numbers(self, ("amplifier_gain", "c_parasitic_fF", "sigma_amplifier_offset_mV", "comparator_noise_mV"))
        if 0.0 < self.amplifier_gain <= 1.0:
            raise InputError(f"amplifier_gain must be above 1, or 0 for infinite, not {self.amplifier_gain!r}")
        if not math.isfinite(self.injection_mV):
            raise InputError(f"injection_mV must be finite, not {self.injection_mV!r}")

    @property
    def ideal(self) -> bool:
        """True if it integrates and counts as integers do."""
        errors = (self.amplifier_gain, self.sigma_amplifier_offset_mV, self.injection_mV, self.comparator_noise_mV)
        return not (any(errors) or self.sampling_noise)

    @property
    def alpha(self) -> float:
        """Gain of one cycle from the sampled voltage to the integrator."""
        return self.c_sample_fF / self._denominator

    @property
    def beta(self) -> float:
        """What one cycle leaves of the integrator's voltage."""
        capacitance = self.c_integrate_fF * (1.0 + self._inverse) + self.c_parasitic_fF * self._inverse
        return capacitance / self._denominator

    @property
    def start(self) -> float:
        """Voltage of the integrator after reset, over the amplifier's offset: A / (1 + A)."""
        return 1.0 / (1.0 + self._inverse)

    @property
    def sampling_V(self) -> float:
        """Standard deviation of the noise that each cycle samples, in V."""
        return math.sqrt(_BOLTZMANN * _TEMPERATURE_K / (self.c_sample_fF * 1e-15)) if self.sampling_noise else 0.0

    def sampling_at(self, temp_C: float) -> float:
        """:attr:`sampling_V` of a chip that is read at ``temp_C``; its circuits have 300 K at 25 C."""
        return self.sampling_V * math.sqrt(max(_TEMPERATURE_K + temp_C - 25.0, 0.0) / _TEMPERATURE_K)

    @property
    def _inverse(self) -> float:
        return 1.0 / self.amplifier_gain if self.amplifier_gain else 0.0

    @property
    def _denominator(self) -> float:
        return self.c_integrate_fF * (1.0 + self._inverse) + (self.c_parasitic_fF + self.c_sample_fF) * self._inverse


def grid_bits(peak: int) -> int:
    """Fraction bits of the weight of a sample: sums of magnitudes up to ``peak`` stay exact in double precision."""
    return min(_GRID_BITS, 52 - (peak * INPUT_TOP).bit_length())


class Integrator:
    """Integration on the lines of one key.

    Parameters
    ----------
    neuron
        Amplifier and capacitors.
    key
        Array, direction and word lines.
    offset_V
        Offsets of the amplifiers of all lines of the core, of shape (lines,).
    v_read_V
        Read voltage.
    temp_C
        Temperature of the read, in degrees Celsius.
    """

    def __init__(self, neuron: Neuron, key: Key, offset_V: Reals, v_read_V: float, temp_C: float = 25.0) -> None:
        self.key = key
        self.beta = neuron.beta
        offset_V = offset_V[key.columns]
        volt = 2.0 / v_read_V * key.sum_g  # charge of one volt
        self.cycle = (offset_V + neuron.injection_mV * 1e-3) * volt
        """Charge that each cycle adds."""
        self.start = offset_V * neuron.start / neuron.alpha * volt
        """Charge after reset."""
        self.sampling = neuron.sampling_at(temp_C) * volt / NORMAL_ONE if neuron.sampling_noise else None
        """Deviation of the charge that each cycle samples, for normal codes; None without."""
        noise = neuron.comparator_noise_mV * 1e-3 / neuron.alpha
        self.comparator = noise * volt / NORMAL_ONE if noise else None
        """Deviation of each comparison, likewise."""
        # One grid for all lines, so that a line does not depend on which others are converted.
        self.grid_bits = grid_bits((key.whole or key).lines.peak)
        self.powers = _powers(self.beta, 2 * INPUT_TOP)
        self._weights = self._plane_weights()
        self._held: dict[int, tuple[Reals, Reals | None]] = {}

    def sample_weight(self, later: int) -> int:
        """What a sample counts that ``later`` others follow: beta**later on the grid of ``2**-grid_bits``."""
        return round(self.powers[later] * 2.0**self.grid_bits)

    def _plane_weights(self) -> Reals:
        """Weight of each input from -15 to 15: plane k is sampled 2**k times and followed by 2**k - 1 samples."""
        planes = range(INPUT_TOP.bit_length())
        weight = [sum(self.sample_weight(j) for j in range(2**k - 1, 2 ** (k + 1) - 1)) for k in planes]
        positive = [sum(weight[k] for k in planes if x >> k & 1) for x in range(INPUT_TOP + 1)]
        return np.array([-w for w in positive[:0:-1]] + positive, dtype=np.float64)

    def held(self, samples: int) -> tuple[Reals, Reals | None]:
        """What a conversion of so many samples holds without input: charges, and the deviation of their noise."""
        entry = self._held.get(samples)
        if entry is None:
            base = self.start * self.powers[samples] + self.cycle * math.fsum(self.powers[:samples])
            deviation = None
            if self.sampling is not None:
                deviation = self.sampling * math.sqrt(math.fsum(p * p for p in self.powers[:samples]))
            entry = self._held[samples] = (base, deviation)
        return entry

    def compute(
        self,
        product: Product,
        x: NDArray[np.floating],
        samples: int,
        read: NDArray[np.int16] | None,
        output: NDArray[np.int16] | None,
        sampled: NDArray[np.int16] | None,
        op_id: NDArray[np.uint64],
    ) -> Reals:
        """Charges before the first comparison, without the comparator's offset, of shape (batch, lines).

        ``x``, the normal codes ``read`` and ``output`` and the numbers ``op_id`` as in :meth:`Key.charge`; ``sampled``
        is that of the noise of all samples together.
        """
        a = matrix_product(self._weights.take(x.astype(np.intp) + INPUT_TOP), product.wide)
        a *= 2.0**-self.grid_bits
        a = self.key.add_noise(product, x, a, read, output, op_id)
        a *= 2.0
        base, deviation = self.held(samples)
        a += base
        if sampled is not None and deviation is not None:
            a += deviation * sampled
        return a


class Counter:
    """Decrements of one integrator for one step code.

    A line that holds C after integration holds ``beta**n C + g_n (E - s S)`` after n decrements, ``g_n`` the sum of
    beta**j for j below n. So without noise it has not flipped if C is at least a threshold that grows with n: the
    thresholds are tabulated. With noise decrements are walked through one by one (:mod:`.walk`).
    """

    def __init__(self, integrator: Integrator, steps: Steps) -> None:
        self.integrator = integrator
        self.offset = integrator.key.offset.astype(np.float64)
        self.pos = integrator.cycle - steps.pos
        """Charge that a decrement adds to a line that was positive, of shape (lines,)."""
        self.neg = integrator.cycle + steps.neg
        self.walk = Walk(
            beta=integrator.beta, offset=self.offset, pos=self.pos, neg=self.neg,
            sampling=integrator.sampling, comparator=integrator.comparator, blocks=integrator.key.draw_blocks,
        )
        self.noisy = integrator.sampling is not None or integrator.comparator is not None
        self._table = None if self.noisy else self._thresholds()
        lines = np.arange(len(self.pos)) * _WIDTH
        self._first = np.stack([lines, lines + len(lines) * _WIDTH])
        self._guess_terms()

    def _thresholds(self) -> Reals:
        """Least magnitudes that reach each count, flattened from (polarity, line, count)."""
        powers = np.array(_powers(self.integrator.beta, _WIDTH))
        sums = np.concatenate([[0.0], np.cumsum(powers)[:-1]])
        positive = (-self.pos[:, None] * sums - self.offset[:, None]) / powers
        # A negative line has flipped where its charge with the comparator's offset is 0, a positive one below.
        negative = np.nextafter((self.neg[:, None] * sums + self.offset[:, None]) / powers, np.inf)
        table = np.stack([positive, negative])
        table[:, :, 0], table[:, :, -1] = -np.inf, np.inf
        return np.maximum.accumulate(table, axis=2).reshape(-1)  # once flipped, flipped

    def _guess_terms(self) -> None:
        """Terms of the count n of a magnitude m: ``rate ln(1 + scale (m + shift))``, or ``scale (m + shift)``."""
        beta, offset = self.integrator.beta, np.stack([self.offset, -self.offset])
        step = np.stack([-self.pos, self.neg])
        self._rate = -1.0 / math.log(beta) if beta < 1.0 else 0.0
        # The threshold of count n is (step / (1 - beta) - offset) beta**-n - step / (1 - beta).
        base = step - offset * (1.0 - beta)
        base = np.where(base > 0.0, base, np.inf)  # such a line never flips; the table knows
        self._shift, self._scale = offset, (1.0 - beta if self._rate else 1.0) / base

    def compute(self, charge: Reals, cap: int, op_id: NDArray[np.uint64], seed: int, core: int) -> Reals:
        """Counts n up to ``cap`` (2**k - 1) and signs as charges ``+-(2 n + 1)`` of a converter of step UNIT_STEP.

        ``charge`` has shape (batch, lines), ``op_id`` (batch,). An ideal converter makes of these charges the codes and
        the decrements that this one has made.
        """
        if self._table is not None:
            negative = charge + self.offset < 0.0
            count = self._look_up(charge, negative, cap)
        else:
            negative, count = self.walk.count(charge, cap, op_id, seed, core)
        count *= 2
        count += 1
        return np.where(negative, -count, count).astype(np.float64)

    def _look_up(self, charge: Reals, negative: Flags, cap: int) -> NDArray[np.intp]:
        """Counts from the table. A logarithm guesses them; whatever it gives, the table decides."""
        assert self._table is not None
        at = np.where(negative, self._first[1], self._first[0])
        magnitude = np.abs(charge)
        # A charge that the comparator's offset alone made negative, or positive.
        np.negative(magnitude, out=magnitude, where=(charge < 0.0) != negative)
        guess = magnitude + np.where(negative, self._shift[1], self._shift[0])
        guess *= np.where(negative, self._scale[1], self._scale[0])
        if self._rate:
            np.log1p(np.maximum(guess, -0.5, out=guess), out=guess)
            guess *= self._rate
        count = np.clip(guess, 0, COUNT_TOP, out=guess).astype(np.intp)
        at += count
        while True:
            move = (magnitude >= self._table.take(at + 1, mode="clip")).astype(np.int8)
            move -= magnitude < self._table.take(at, mode="clip")
            if not move.any():
                break
            count += move
            at += move
        return np.minimum(count, cap, out=count)


def _powers(base: float, count: int) -> list[float]:
    """Powers 0 to ``count - 1`` by repeated products, which are the same everywhere."""
    powers = [1.0]
    while len(powers) < count:
        powers.append(powers[-1] * base)
    return powers
