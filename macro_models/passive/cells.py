"""Cells of an array without transistors: a pulse for one of them reaches the others of its lines.

The cells are those of :class:`~mho.macro_models.cells.pulses.PulseArray`. Unselected ones see a part of the pulse
(:mod:`~mho.macro_models.cells.bias`), and answer as they would to a pulse of that amplitude: not at all below their
threshold. Wires take from the selected cell what the exact solver finds; what the others see is not reduced by
them, which is the worst case and nearly that of cells near the drivers.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.array.nonlinear import Sinh, solve_array
from mho.macro_models.array.wires import Wires
from mho.macro_models.cells.bias import WRITES, line_voltages
from mho.macro_models.cells.pulses import PulseArray, PulseConfig
from mho.macro_models.devices.device import Device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pulse import AMPLITUDE_BITS, Polarity
from mho.macro_models.types import Reals

Places = NDArray[np.int64]

AMPLITUDE_MAX = 2**AMPLITUDE_BITS - 1
"""Largest code of an amplitude."""


@dataclass(frozen=True, kw_only=True)
class PassiveConfig:
    """An array of ``rows`` x ``columns`` cells and how its lines are biased.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    rows: int = 64
    columns: int = 64
    scheme: str = "half"
    """``half`` (V/2) or ``third`` (V/3)."""
    pulse_s: float = 1e-6
    """Width of a pulse, in seconds."""
    v_step_V: float = 0.01
    """Step of the amplitudes, in V."""
    verify_bits: int = 12
    """Width of a verify read's code."""
    g_full_scale_uS: float = 150.0
    """Conductance of the largest verify code, in uS."""
    wires: Wires = field(default_factory=Wires)
    v0_V: float = 0.25
    """Of the I-V law ``sinh`` of all cells in the drop along the wires, in V."""

    def __post_init__(self) -> None:
        if self.scheme not in WRITES:
            raise InputError(f"scheme must be {' or '.join(WRITES)}, not {self.scheme!r}")
        if not (1 <= self.rows <= 256 and 1 <= self.columns <= 256):
            raise InputError(f"rows and columns must be between 1 and 256, not {self.rows!r} and {self.columns!r}")

    @property
    def pulses(self) -> PulseConfig:
        """Scales of the cells."""
        return PulseConfig(
            lines=self.rows, columns=self.columns, v_step_V=self.v_step_V, verify_bits=self.verify_bits,
            g_full_scale_uS=self.g_full_scale_uS, cycle_s=self.pulse_s, bias=self.scheme,
        )


class PassiveArray:
    """See the module.

    Parameters
    ----------
    config
        Size and bias.
    device
        With a section ``[pulse]``.
    seed
        Of the draws.
    fresh
        The cells have not been formed.

    Members
    -------
    cells
        The cells; cell (row, column) is ``row * columns + column``.
    """

    def __init__(self, config: PassiveConfig, *, device: Device, seed: int = 0, fresh: bool = False) -> None:
        self.config, self.device = config, device
        self.cells = PulseArray(config.pulses, device=device, seed=seed, fresh=fresh)
        self.place: Places = np.arange(config.rows * config.columns).reshape(config.rows, config.columns)
        self.share = np.ones((config.rows, config.columns)) if config.wires.ideal else self._shares()
        """Part of a pulse that reaches each cell through the wires, of shape (rows, columns)."""
        self.cells.share = None if config.wires.ideal else self.share.ravel()

    @property
    def moved(self) -> NDArray[np.int64]:
        """How often each cell was moved by a pulse for another one, of shape (rows, columns)."""
        return self.cells.disturbed[self.place]

    @property
    def g_uS(self) -> Reals:
        """Conductances, of shape (rows, columns), in uS."""
        return self.cells.g_uS[self.place]

    def read_uS(self, row: int, column: int) -> float:
        """A verify read of one cell, the other lines at 0 V, in uS."""
        return float(self.cells.verify(self.place[row, column].reshape(1))[0]) * self.cells.config.verify_step_uS

    def read_all_uS(self) -> Reals:
        """A verify read of every cell, of shape (rows, columns), in uS."""
        codes = self.cells.verify(self.place.ravel())
        return np.asarray(codes.reshape(self.place.shape) * self.cells.config.verify_step_uS, dtype=np.float64)

    def pulse(self, row: int, column: int, polarity: Polarity, amplitude: int) -> int:
        """One pulse for a cell, ``amplitude`` in steps of ``v_step_V``; how many others it moved."""
        before = int(self.cells.disturbed.sum())
        self.cells.pulse(*(np.array([value]) for value in (self.place[row, column], polarity, amplitude, 1)))
        return int(self.cells.disturbed.sum()) - before

    def _shares(self) -> Reals:
        """Part of a pulse at each cell, exact at nine places of an array of middling cells and bilinear between."""
        config, limits = self.config, self.device.range
        shape = (config.rows, config.columns)
        g = np.full(shape, 1e-6 * np.sqrt(max(limits.g_min_uS, 1.0) * max(limits.g_max_uS, 1.0)))
        volts = self.device.pulse.set_threshold_V
        rows, columns = (np.unique(np.linspace(0, count - 1, 3).round().astype(int)) for count in shape)
        exact = np.array([[self._reaching(g, int(i), int(j), volts) for j in columns] for i in rows])
        along = np.array([np.interp(np.arange(shape[1]), columns, line) for line in exact])
        return np.array([np.interp(np.arange(shape[0]), rows, line) for line in along.T]).T

    def _reaching(self, g: Reals, row: int, column: int, volts: float) -> float:
        lines = line_voltages(g.shape, row, column, volts, self.config.scheme)
        point = solve_array(g, self.config.wires, *lines, law=Sinh(v0_V=self.config.v0_V))
        return float(point.cell_V[row, column]) / volts
