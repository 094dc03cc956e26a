"""What is loaded into an emulated macro so that its cells answer to pulses as those of a device, and what it logs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.layout import EXTRA, LoadWord
from mho.hw.emulator.pulses.config import CONSTANTS, MOVED_TABLE, NORMALS, LogLayout, records_from
from mho.macro_models.integer.pulse import MOVED, RECORD_WORDS
from mho.macro_models.integer.random import NORMAL_TABLE


def normal_words() -> list[int]:
    """Words from :data:`~mho.hw.emulator.pulses.config.NORMALS` on: the upper half of the table of normal codes."""
    half = NORMAL_TABLE[len(NORMAL_TABLE) // 2 :].astype(np.int64)
    return (half[::2] | half[1::2] << 16).tolist()


def table_words() -> list[LoadWord]:
    """Both tables that do not depend on a device."""
    moved = [LoadWord(EXTRA, MOVED_TABLE + k, part) for k, part in enumerate(MOVED.tolist())]
    return moved + [LoadWord(EXTRA, NORMALS + k, word) for k, word in enumerate(normal_words())]


def law_loads(words: Sequence[int]) -> list[LoadWord]:
    """Words that load a law and the key of its draws, as of :meth:`mho.macro_models.integer.pulse.PulseLaw.words`."""
    return [LoadWord(EXTRA, CONSTANTS + k, word) for k, word in enumerate(words)]


def record_loads(cfg: EmulatorConfig, records: NDArray[np.integer]) -> list[LoadWord]:
    """Words that load the records of all cells, of shape (lines**2, RECORD_WORDS)."""
    if records.shape != (cfg.lines**2, RECORD_WORDS):
        raise ValueError(f"Records must be of shape {(cfg.lines**2, RECORD_WORDS)}, not {records.shape}")
    return [LoadWord(EXTRA, records_from(cfg) + k, word) for k, word in enumerate(records.ravel().tolist())]


def logged_pulses(words: NDArray[np.integer]) -> NDArray[np.int64]:
    """Cell (``row * lines + col``), polarity and amplitude of each pulse that the log gave, of shape (pulses, 3)."""
    words, layout = np.asarray(words, dtype=np.int64), LogLayout()
    fields = {str(name): words >> field.offset & (1 << field.width) - 1 for name, field in layout}
    valid = fields["valid"] == 1
    return np.stack([fields[name][valid] for name in ("cell", "polarity", "amplitude")], axis=1)
