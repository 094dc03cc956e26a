"""Where what programming by pulses needs is in region 3 of the load port.

For the law of :mod:`mho.macro_models.integer.pulse`:

* from :data:`MOVED_TABLE` on its table; from :data:`CONSTANTS` on its constants and the key of its draws
  (:class:`mho.macro_models.integer.pulse.LawWords`);
* from :data:`NORMALS` on the upper half of :data:`mho.macro_models.integer.random.NORMAL_TABLE`, two entries a word, 16
  bits each, the lower one first;
* from :func:`records_from` on what distinguishes the cells, :data:`RECORD_WORDS` words each
  (:class:`mho.macro_models.integer.pulse.PulseRecord`), row by row.

The records can be read too, and the log of pulses, oldest first: how many there are at :data:`LOG_LEVEL`, the next one
at each of the :data:`LOG_WINDOW` words from :data:`LOG` on (:class:`LogLayout`; 0 where there is none).
"""

from amaranth.lib import data

from mho.hw.emulator.config import EmulatorConfig
from mho.macro_models.integer.pulse import AMPLITUDE_BITS, RECORD_WORDS

MOVED_TABLE, CONSTANTS, LOG_LEVEL, LOG, NORMALS = 0, 2048, 2176, 2304, 16384
"""Indices in region 3, see the module."""

LOG_WINDOW = 256
"""Words at which the log is read: one queue, so that it can be read in blocks."""

LOG_DEPTH = 512
"""Pulses that the log holds; the macro holds the core where it is full."""


class LogLayout(data.StructLayout):
    """A pulse in the log: which, on which cell (``row * lines + col``); ``valid`` is 0 where there is none."""

    def __init__(self) -> None:
        super().__init__({"amplitude": AMPLITUDE_BITS, "polarity": 2, "cell": 20, "reserved": 1, "valid": 1})


def cell_bits(cfg: EmulatorConfig) -> int:
    """Bits of the number of a cell."""
    return 2 * (cfg.lines - 1).bit_length()


def records_from(cfg: EmulatorConfig) -> int:
    """Index of the first record in region 3: a power of two beyond everything else."""
    return max(2 * NORMALS, RECORD_WORDS * cfg.lines**2)
