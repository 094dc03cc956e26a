"""A programmed core as its conversions see it: keys, steps and counters, made when they are asked for and kept."""

from collections import OrderedDict
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.array.cells import effective_cells
from mho.macro_models.array.nonlinear.reading import Reading
from mho.macro_models.array.wires import Wires
from mho.macro_models.integer.random import LANES, NORMAL_ONE, Purpose, normal_codes
from mho.macro_models.integer.shift_register import ShiftRegister
from mho.macro_models.macro import MacroModel
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.converter.neuron import UNIT_STEP, Counter, Integrator
from mho.macro_models.tnsa.sensing import Key, Steps, line_steps, lines_of, variance_unit
from mho.macro_models.tnsa.traps import CoreTraps
from mho.macro_models.types import Flags, Indices, Integers, Integral, Reals

_STEPS = 64
_CONVERTERS = 1024


@lru_cache(maxsize=_CONVERTERS)
def _of_converters(purpose: Purpose, seed: int, core: int, items: int) -> NDArray[np.int16]:
    """Normal codes of the converters of a core, not to be written to: calibration makes the same core many times."""
    return normal_codes(purpose, seed=seed, core=core, items=items)


class SensedCore(MacroModel):
    """What lies between the cells of a transposable core and its conversions.

    The cells are ``[bit line, source line]``, of shape (lines, lines);
    :class:`~mho.macro_models.macro.MacroModel` has the parameters.
    """

    config: TnsaConfig

    def _begin(self) -> None:
        config, device, causes = self.config, self.device, self.causes
        self.wires = config.wires if "wire" in causes else Wires()
        """Resistances around the cells that this core computes with."""
        acts = "wire" in causes and device.conduction.acts
        self.reading = Reading(conduction=device.conduction, v_V=config.v_read_V, temp_C=self.temp_C) if acts else None
        """How cells are read that are not linear; None where they are."""
        self._steps: OrderedDict[tuple[int, int], tuple[Key, Steps]] = OrderedDict()
        self.register = self._shift_register()
        """What makes the read noise, where it is a shift register."""
        self._read_variances = self._make_variances()
        self.traps = None
        if self._cells_fluctuate:
            self.traps = CoreTraps.of(device, self.cells, config.lsb_uS, self.seed, self.core)
        """Traps of single cells, None if there are none."""
        self.converter_offset_V, self.converter_gain, self.amplifier_offset_V = self._converters()
        self.neuron = None if config.neuron.ideal or not self._spread else config.neuron
        """Amplifier and per-cycle errors of the converters; None where they integrate and count as integers do."""
        self._counters: OrderedDict[tuple[int, int], tuple[Key, Counter]] = OrderedDict()
        self._unit_steps = Steps(*np.full((2, config.lines), UNIT_STEP))

    def read_variances(self) -> tuple[Integers | None, float]:
        """Read-noise variance of every cell, of the shape of the cells; None without such noise.

        They are integers in a unit that comes with them: a power of two in the square of ``1 / NORMAL_ONE`` codes, so
        that the root of a variance multiplies normal codes.
        """
        return self._variances_of(self.cells, slice(None))

    def _variances_of(self, cells: Indices, columns: slice | NDArray[np.intp]) -> tuple[Integers | None, float]:
        """:meth:`read_variances` of some columns, which hold ``cells``."""
        table, unit = self._read_variances
        if table is None:
            return None, unit
        return (table[cells] if self.origin is None else table[:, columns]), unit

    def _make_variances(self) -> tuple[Integers | None, float]:
        """Of every code, or of every cell where they go by the origin, see :meth:`read_variances`."""
        if not self._cells_fluctuate:
            return None, 1.0
        lsb, codes = self.config.lsb_uS, np.arange(2**self.config.g_bits)
        if self.origin is None:
            sigma = self.device.normal_noise_uS(codes * lsb, self.time_s)
        else:
            sigma = self.device.normal_noise_uS(self.cells * lsb, self.time_s, self.origin * lsb)
        variance = (sigma / lsb / NORMAL_ONE) ** 2
        top = float(variance.max())
        if top == 0.0:
            return None, 1.0
        unit = variance_unit(top, self.config.lines)
        return np.rint(variance / unit).astype(np.int64), unit

    @property
    def _cells_fluctuate(self) -> bool:
        return "read-noise" in self.causes and self.device.read_noise.generator == "cells"

    def _shift_register(self) -> ShiftRegister | None:
        if "read-noise" not in self.causes or self.device.read_noise.generator != "lfsr":
            return None
        sigma = float(self.device.read_noise_uS(0.0)) / self.config.lsb_uS
        return ShiftRegister.of(sigma, g_bits=self.config.g_bits, seed=self.seed, core=self.core)

    @property
    def output_noise_V(self) -> float:
        """Standard deviation of the converters' noise in each conversion, referred to the integrator, in V."""
        return self.device.converter.sigma_output_mV * 1e-3 if "adc" in self.causes else 0.0

    @property
    def _spread(self) -> bool:
        """Whether the converters have the errors that the configuration gives them."""
        return "adc" in self.causes and self.device.converter.spread

    def _converters(self) -> tuple[Reals, Reals, Reals]:
        """Errors of each converter: offset in V and that of its amplifier, of shape (lines,); gains, (2, lines)."""
        n, config = self.config.lines, self.config
        offset, gain, amplifier = np.zeros(n), np.zeros((2, n)), np.zeros(n)
        if self._spread:
            if config.sigma_offset_mV > 0.0:
                z = _of_converters(Purpose.CONVERTER_OFFSET, self.seed, self.core, n) / NORMAL_ONE
                offset = config.sigma_offset_mV * 1e-3 * z
            if config.sigma_gain > 0.0:
                z = _of_converters(Purpose.CONVERTER_GAIN, self.seed, self.core, 2 * n) / NORMAL_ONE
                gain = config.sigma_gain * z.reshape(2, n)
            if config.neuron.sigma_amplifier_offset_mV > 0.0:
                z = _of_converters(Purpose.AMPLIFIER_OFFSET, self.seed, self.core, n) / NORMAL_ONE
                amplifier = config.neuron.sigma_amplifier_offset_mV * 1e-3 * z
        return offset, gain, amplifier

    def key(self, backward: bool, wl: Flags) -> Key:
        """What conversions in one direction with the word lines ``wl`` on see of the array. Keys are cached."""
        wl = np.ascontiguousarray(wl, dtype=bool)
        return self.kept_key((bool(backward), wl.tobytes()), lambda: self._make_key(bool(backward), wl.copy()))

    def _forward_key(self, wl: Flags, enabled: Flags) -> Key:
        """``key(False, wl).narrow(enabled)``, of which nothing else is made where nobody asks for the whole key."""
        used = enabled.reshape(-1, LANES).any(axis=1) if len(enabled) % LANES == 0 else np.ones(1, dtype=bool)
        if self.neuron is not None or self.register is not None or used.all() or not used.any():
            return self.key(False, wl).narrow(enabled)
        blocks = np.flatnonzero(used).astype(np.uint64)
        return self.kept_key((False, wl.tobytes() + used.tobytes()), lambda: self._make_key(False, wl.copy(), blocks))

    def _make_key(self, backward: bool, wl: Flags, blocks: NDArray[np.uint64] | None = None) -> Key:
        at = slice(None) if blocks is None else lines_of(blocks)
        cells = self.cells[:, at]
        variances, unit = self._variances_of(cells, at)
        every = bool(wl.all())
        variance = None if variances is None else np.multiply(variances, unit, dtype=np.float64)
        if variance is not None and not every:
            variance = np.where(wl[:, None], variance, 0.0)
        if backward and variance is not None:
            variance = variance.T
        if self.register is not None:
            # The inputs of all lines are alike to the register.
            variance = np.repeat(np.ones_like(wl) if backward else wl, len(wl)).reshape(2 * wl.shape).astype(np.float64)
        # Wires change the weights of a line, not their sum, to which steps and offsets stay proportional.
        gated = cells if every else np.where(wl[:, None], cells, 0)
        sum_g = gated.sum(axis=1 if backward else 0, dtype=np.int64)
        if self.wires.ideal and self.reading is None:
            k = effective_cells(cells, self.config.lsb_uS, self.wires, wl, backward)
        else:
            k = self.effective(wl, backward)[:, at]
        if variance is not None and self.register is None and not sum_g.all():
            # A line without any conductance has no voltage of its own: nothing is integrated.
            variance = np.where(sum_g > 0, variance, 0.0)
        noise_V = self.output_noise_V
        traps = None if self.traps is None else self.traps.lines(backward, wl)
        return Key(
            backward=backward,
            wl=wl,
            k=np.array(k, dtype=np.int32, order="C"),
            sum_g=sum_g,
            offset=2 * np.rint(self.converter_offset_V[at] / self.config.v_read_V * sum_g).astype(np.int64) + 1,
            gain=self.converter_gain[:, at],
            output_noise=noise_V / self.config.v_read_V * sum_g / NORMAL_ONE if noise_V > 0.0 else None,
            variance=variance,
            register=self.register,
            traps=traps if traps is None or blocks is None else traps.narrow(lines_of(blocks)),
            blocks=blocks,
        )

    def effective(self, wl: Flags, backward: bool) -> Integral:
        """Cells as conversions see them, see :func:`~mho.macro_models.array.cells.effective_cells`."""
        return effective_cells(self.cells, self.config.lsb_uS, self.wires, wl, backward, self.reading)

    def steps(self, key: Key, step_code: int) -> Steps:
        """Decrements of each line, ``.pos`` from positive and ``.neg`` from negative charges: even, positive."""
        name = (id(key), step_code)
        entry = self._steps.get(name)
        if entry is None:
            # The key is kept with its steps, so that its identity is not given to another while it serves as a name.
            load = self.config.load_of(key.sum_g, unit_uS=self.config.lsb_uS)
            entry = self._steps[name] = (key, line_steps(step_code, load, key.gain))
            if len(self._steps) > _STEPS:
                self._steps.popitem(last=False)
        return entry[1]

    def answer_steps(self, key: Key, step_code: int) -> Steps:
        """Steps that belong to the charges of :meth:`conversion`: those of :meth:`steps` where the neuron is ideal."""
        if self.neuron is None:
            return self.steps(key, step_code)
        return Steps(*np.full((2, len(key.sum_g)), UNIT_STEP)) if key.blocks is not None else self._unit_steps

    def counter(self, key: Key, step_code: int) -> Counter:
        """Integration and decrements of a neuron that is not ideal. Counters are cached."""
        assert self.neuron is not None
        name = (id(key), step_code)
        entry = self._counters.get(name)
        if entry is None:
            integrator = next((c.integrator for k, c in self._counters.values() if k is key), None)
            if integrator is None:
                offset, v_read = self.amplifier_offset_V, self.config.v_read_V
                integrator = Integrator(self.neuron, key, offset, v_read, self.temp_C)
            entry = self._counters[name] = (key, Counter(integrator, self.steps(key, step_code)))
            if len(self._counters) > _STEPS:
                self._counters.popitem(last=False)
        return entry[1]
