"""Devices of a phase-change core while they are programmed row by row: what the engine drives."""

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import STEP_FRACTION_BITS
from mho.macro_models.integer.pwm.converter import COUNT_BITS, POSITIVE, counts, level
from mho.macro_models.integer.pwm.programming import AMPLITUDE_TOP, DeviceResponse, WriteParameters
from mho.macro_models.integer.random import LANES, NORMAL_ONE, Purpose, bits16, normal_codes
from mho.macro_models.pwm.config import PwmConfig
from mho.macro_models.pwm.model import PwmModel
from mho.macro_models.types import Flags, Integers, Reals

_READ = 127
"""Input of a verify read."""


def device_response(config: PwmConfig, device: DriftDevice, seed: int, core: int) -> DeviceResponse:
    """How the devices of a core answer to pulses.

    Raises InputError if the device says nothing of pulses.
    """
    law, shape = device.drift, config.cell_map.shape
    if law.set_uS <= 0.0 or law.melt_to <= law.melt_from:
        raise InputError(f"{device.name}: drift.set_uS, melt_from and melt_to must say what pulses do to a device")

    def spread(step: int) -> Reals:
        z = normal_codes(Purpose.PULSE, seed=seed, core=core, items=shape[0] * shape[1], step=step)
        return 1.0 + law.melt_spread / NORMAL_ONE * z.reshape(shape).astype(np.float64)

    start, span = law.melt_from * AMPLITUDE_TOP, (law.melt_to - law.melt_from) * AMPLITUDE_TOP
    high = np.maximum(law.set_uS * spread(1), config.g_min_uS) / config.lsb_uS
    low = np.full(shape, np.rint(config.g_min_uS / config.lsb_uS))
    return DeviceResponse(
        low=low.astype(np.int64), high=np.rint(high).astype(np.int64),
        threshold=np.rint(256.0 * start * spread(2)).astype(np.int64),
        slope=np.rint(256.0 * (high - low) / span * spread(3)).astype(np.int64),
        sigma=round(law.pulse_sigma_uS / config.lsb_uS * 2**16 / NORMAL_ONE),
    )


def target_counts(config: PwmConfig, target_uS: NDArray[np.floating], parameters: WriteParameters) -> Integers:
    """Counts of devices at their targets: 0 for the lowest conductance, ``parameters.top`` for the highest."""
    share = (np.asarray(target_uS, dtype=np.float64) - config.g_min_uS) / (config.g_max_uS - config.g_min_uS)
    return np.rint(np.clip(share, 0.0, 1.0) * parameters.top).astype(np.int64)


def verify_step_code(config: PwmConfig, parameters: WriteParameters) -> int:
    """Step code of verify reads: a device at the highest target counts ``parameters.top``."""
    full = _READ * config.g_max_uS / config.lsb_uS
    product = full * 512.0 / (config.nominal_gain_code * parameters.top)
    unit = config.full_conductance_uS / config.lsb_uS
    return min(max(round(product / unit * 2**STEP_FRACTION_BITS), 1), 2**16 - 1)


def read_number(line: int) -> int:
    """Number of the first verify read of a driven line."""
    return (1 << 62) + (line << 16)


class ProgrammedRows:
    """The macro of :func:`mho.macro_models.integer.pwm.programming.write_rows`.

    Parameters
    ----------
    model
        The core: its converters, calibrated, read the devices, one of each cell at a time in one window; its devices
        are as it has them at the start.
    parameters
        Registers of the engine, for the range of the reads.

    Attributes
    ----------
    cells
        Codes of all devices, ``[driven line, column]``.
    """

    def __init__(self, model: PwmModel, parameters: WriteParameters) -> None:
        if not isinstance(model.device, DriftDevice):
            raise InputError(f"{model.device.name}: only devices with a section [drift] are programmed row by row")
        config = model.config
        self.response = device_response(config, model.device, model.seed, model.core)
        self.cells = model.cells.astype(np.int64)
        self._model, self._pulses, self._reads = model, np.zeros(len(self.cells), int), np.zeros(len(self.cells), int)
        self.step_code = verify_step_code(config, parameters)
        """Step code of the verify reads."""

    def pulse(self, line: int, amplitude: Integers, on: Flags) -> None:
        """See :class:`RowMacro`."""
        # Steps 1 to 3 are those of what a device is.
        step = 4 + int(self._pulses[line])
        draw = {"seed": self._model.seed, "core": self._model.core, "items": self.cells.shape[1]}
        z = normal_codes(Purpose.PULSE, op_id=line, step=step, **draw).astype(np.int64)
        self._pulses[line] += 1
        self.cells[line] = np.where(on, self.response.after(line, amplitude, z), self.cells[line])

    def read(self, line: int) -> Integers:
        """See :class:`RowMacro`: counts of the positive oscillators."""
        self._reads[line] += 1
        number = read_number(line) + int(self._reads[line]) - 1
        return self.read_numbered(line, number, self._model.calibration.step_code(self.step_code))

    def read_numbered(self, line: int, number: int, step_code: int) -> Integers:
        """The same with any number and step code at the pins."""
        config = self._model.config
        u = level(_READ * self.cells[line].astype(np.float64), config.step(step_code), config.nominal_gain_code)
        grown = self._model.trimmed.grow(POSITIVE, u)
        if not self._model.free_running:
            phase = np.full(len(u), float(1 << COUNT_BITS - 1))
        else:
            draw = {"seed": self._model.seed, "core": self._model.core, "items": -(-len(u) // LANES) * LANES}
            drawn = bits16(Purpose.REFERENCE_PHASE, op_id=number, **draw)[: len(u)]
            phase = drawn.astype(np.float64) * 2.0 ** (COUNT_BITS - 16) + 2.0 ** (COUNT_BITS - 17)
        return counts(phase, grown).astype(np.int64)
