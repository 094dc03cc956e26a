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


import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from mho.hw.emulator.config import EXTRA, EmulatorConfig, LoadWord
from mho.macro_models.integer.pulse import AMPLITUDE_BITS, MOVED, RECORD_WORDS
from mho.macro_models.integer.random import NORMAL_TABLE

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


def normal_words() -> list[int]:
    """Words from :data:`~mho.hw.emulator.pulses.config.NORMALS` on: the upper half of the table of normal codes."""
    half = NORMAL_TABLE[len(NORMAL_TABLE) // 2 :].astype(np.int64)
    return (half[::2] | half[1::2] << 16).tolist()


def table_words() -> list[LoadWord]:
    """Both tables that do not depend on a device."""
    moved = [LoadWord(EXTRA, MOVED_TABLE + k, part) for k, part in enumerate(MOVED.tolist())]
    return moved + [LoadWord(EXTRA, NORMALS + k, word) for k, word in enumerate(normal_words())]


def logged_pulses(words: NDArray[np.integer]) -> NDArray[np.int64]:
    """Cell (``row * lines + col``), polarity and amplitude of each pulse that the log gave, of shape (pulses, 3)."""
    words, layout = np.asarray(words, dtype=np.int64), LogLayout()
    fields = {str(name): words >> field.offset & (1 << field.width) - 1 for name, field in layout}
    valid = fields["valid"] == 1
    return np.stack([fields[name][valid] for name in ("cell", "polarity", "amplitude")], axis=1)
