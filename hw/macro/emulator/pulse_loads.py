"""What is loaded into an emulated macro so that its cells answer to pulses as those of a device, and what it logs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hw.macro.emulator.layout import PULSES
from hw.macro.emulator.pin_config import CONSTANTS, MOVED_TABLE, NORMALS, LogLayout, PinEmulatorConfig, PulseConstants
from hw.macro.emulator.reference import LoadWord
from macro_models.exact.pulse import MOVED, RECORD_WORDS, PulseLaw
from macro_models.exact.random import NORMAL_TABLE

__all__ = ["constant_words", "law_loads", "logged_pulses", "normal_words", "record_loads", "table_words"]


def normal_words() -> list[int]:
    """Words from :data:`~hw.macro.emulator.pin_config.NORMALS` on: the upper half of the table of normal codes."""
    half = NORMAL_TABLE[len(NORMAL_TABLE) // 2 :].astype(np.int64)
    return (half[::2] | half[1::2] << 16).tolist()


def table_words() -> list[LoadWord]:
    """Both tables that do not depend on a device."""
    moved = [LoadWord(PULSES, MOVED_TABLE + k, part) for k, part in enumerate(MOVED.tolist())]
    return moved + [LoadWord(PULSES, NORMALS + k, word) for k, word in enumerate(normal_words())]


def constant_words(law: PulseLaw, key: tuple[int, int]) -> list[int]:
    """Words from :data:`~hw.macro.emulator.pin_config.CONSTANTS` on.

    Parameters
    ----------
    law
        For the widths that pulses stand for.
    key
        Of the draws: :func:`macro_models.exact.random.philox_key` for the purpose ``PULSE``.
    """
    words = [0] * (PulseConstants.KEY + len(key))
    places: tuple[tuple[PulseConstants, Sequence[int]], ...] = (
        (PulseConstants.LOG_RATE, law.log_rate), (PulseConstants.SLOPE, law.slope),
        (PulseConstants.SPREAD, [law.spread]), (PulseConstants.LOG_WEAK, [law.log_weak]),
        (PulseConstants.LOW, [law.low]), (PulseConstants.VERIFY_SIGMA, [law.verify_sigma]), (PulseConstants.KEY, key),
    )  # fmt: skip
    for place, values in places:
        words[place : place + len(values)] = [int(value) & 0xFFFFFFFF for value in values]
    return words


def law_loads(law: PulseLaw, key: tuple[int, int]) -> list[LoadWord]:
    """Words that load :func:`constant_words`."""
    return [LoadWord(PULSES, CONSTANTS + k, word) for k, word in enumerate(constant_words(law, key))]


def record_loads(cfg: PinEmulatorConfig, records: NDArray[np.integer]) -> list[LoadWord]:
    """Words that load the records of all cells, of shape (lines**2, RECORD_WORDS)."""
    if records.shape != (cfg.lines**2, RECORD_WORDS):
        raise ValueError(f"Records must be of shape {(cfg.lines**2, RECORD_WORDS)}, not {records.shape}")
    return [LoadWord(PULSES, cfg.records + k, word) for k, word in enumerate(records.ravel().tolist())]


def logged_pulses(words: NDArray[np.integer]) -> NDArray[np.int64]:
    """Cell (``row * lines + col``), polarity and amplitude of each pulse that the log gave, of shape (pulses, 3)."""
    words, layout = np.asarray(words, dtype=np.int64), LogLayout()
    fields = {str(name): words >> field.offset & (1 << field.width) - 1 for name, field in layout}
    kept = fields["valid"] == 1
    return np.stack([fields[name][kept] for name in ("cell", "polarity", "amplitude")], axis=1)
