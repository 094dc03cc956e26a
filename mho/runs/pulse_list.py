"""The list of programming pulses as a CSV file, for a lab's instrument."""

import os
from contextlib import ExitStack
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip, PulseChip
from mho.macro_models.integer.pulse import Polarity
from mho.macro_models.output import open_output

__all__ = ["COLUMNS", "PulseList"]

COLUMNS = ("step", "tile", "row", "col", "polarity", "amplitude_V", "width_ns")
"""Number of the pulse from 0 on, core, bit line, source line, SET, RESET or FORM, amplitude in volts, width in ns."""

_CHUNK = 1 << 16
"""Pulses that are text at a time: what bounds the memory."""


class PulseList:
    """Writes pulses as they come: whole or not at all.

    Parameters
    ----------
    path
        The file; ``None``: nothing is written.
    chip
        Gives volts and nanoseconds.

    Raises
    ------
    InputError, ToolError
        If the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str] | None, chip: Chip) -> None:
        self.path = path
        self._step = 0
        programming = PulseChip.of(chip).programming
        volts = programming.v_base_V + np.arange(256) * programming.v_step_mV / 1000.0
        self._volts = [f"{v:.6g}" for v in volts]
        self._cycle_ns = 1000.0 / chip.clock.f_clk_MHz
        self._file: IO[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "PulseList":
        if self.path is not None:
            self._file = self._stack.enter_context(open_output(self.path))
            self._file.write((",".join(COLUMNS) + "\n").encode())
        return self

    def add(self, core: int, pulses: NDArray[np.void]) -> None:
        """Pulses of a core in their order, of type :data:`mho.hw.core.write_verify.PULSE`."""
        assert self._file is not None
        polarity = [kind.name for kind in sorted(Polarity)]
        widths = {int(c): f"{c * self._cycle_ns:.10g}" for c in np.unique(pulses["cycles"])}
        for first in range(0, len(pulses), _CHUNK):
            rows = zip(*(pulses[first : first + _CHUNK][name].tolist() for name in _FIELDS), strict=True)
            self._file.writelines(
                f"{step},{core},{row},{col},{polarity[kind]},{self._volts[amplitude]},{widths[cycles]}\n".encode()
                for step, (row, col, kind, amplitude, cycles) in enumerate(rows, self._step)
            )
            self._step += min(_CHUNK, len(pulses) - first)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


_FIELDS = ("row", "col", "polarity", "amplitude", "cycles")
