"""A save file of GTKWave beside a trace, so that it opens with the signals of the core in groups."""

import re
from pathlib import Path

from mho.hw.config import Chip
from mho.hw.core.layout import OpLayout
from mho.hw.core.masks import MaskLayout
from mho.hw.core.timing import duration_bits
from mho.hw.kinds.tnsa.config import OPERATIONS, TnsaCoreConfig
from mho.hw.kinds.tnsa.pins import TnsaPins
from mho.hw.kinds.tnsa.results.counters import COUNT_BITS
from mho.macro_models.output import write_output

__all__ = ["groups", "write_groups"]


def groups(chip: Chip, scope: str) -> dict[str, list[tuple[str, int]]]:
    """Groups of (path of a signal, width) in the order in which they are shown, of the core in the shell ``scope``."""
    digital, macro = f"{scope}.core.digital", f"{scope}.core.macro"
    lines = chip.lines
    widths = {"op": OpLayout().size, "mask": MaskLayout(TnsaCoreConfig.from_chip(chip)).size, "i": 32, "o": 32}
    shown = {"clock and reset": [(f"{scope}.clk", 1), (f"{scope}.rst", 1)]}
    for name, width in widths.items():
        parts = (("payload", width), ("valid", 1), ("ready", 1))
        shown[f"stream {name}"] = [(f"{scope}.{name}_{part}", size) for part, size in parts]
    sequencer = {"fsm_state": 3, "timer": _timer_bits(chip), "repeats": 3, "count": 7}
    sequencer |= dict.fromkeys(("running", "analog", "take", "finish"), 1)
    shown["sequencer"] = [(f"{digital}.sequencer.{name}", width) for name, width in sequencer.items()]
    shown["macro pins"] = [
        (f"{macro}.{name}", member.shape if isinstance(member.shape, int) else 1)
        for name, member in TnsaPins(lines).members.items()
    ]
    vectors = ["counting", "negative", "live", *(f"removed_{k}" for k in range(COUNT_BITS))]
    shown["line counters"] = [(f"{digital}.counters.{name}", lines) for name in vectors]
    status = {"busy": 1, "done": 1, "error": 1, "cycles_total": 48, "cycles_analog": 48, "cycles_hold": 48}
    shown["status"] = [(f"{scope}.{name}", width) for name, width in status.items()]
    return shown


def _timer_bits(chip: Chip) -> int:
    """Width of the timer of the operations at the pins: it reaches what can be written where they are registers."""
    cfg = TnsaCoreConfig.from_chip(chip)
    longest = max(getattr(cfg, name) for name in OPERATIONS)
    return duration_bits(longest) if cfg.trim else max(longest - 1, 1).bit_length()


def write_groups(waves: Path, chip: Chip, scope: str) -> Path:
    """Write ``waves`` with the suffix ``.gtkw``, for GTKWave and Surfer. Returns its path."""
    trace = str(waves.absolute())
    # A name that its line cannot hold is given to GTKWave beside this file.
    rows = [] if re.search(r'["\x00-\x1f]', trace) else [f'[dumpfile] "{trace}"']
    for name, signals in groups(chip, scope).items():
        # Flags of a save file: the start and the end of a group, a bit, a vector in hexadecimal.
        rows += ["@800200", f"-{name}"]
        for path, width in signals:
            rows += ["@28", path] if width == 1 else ["@22", f"{path}[{width - 1}:0]"]
        rows += ["@1000200", f"-{name}"]
    path = waves.with_suffix(".gtkw")
    write_output(path, ("\n".join(rows) + "\n").encode())
    return path
