"""A save file of GTKWave beside a trace, so that it opens with the signals of the core in groups."""

import re
from pathlib import Path

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.macro_models.output import write_output
from mho.rtl_gen.macro.contract import contract_signals
from mho.sim.core.kinds import simulated


def groups(chip: Chip, scope: str) -> dict[str, list[tuple[str, int]]]:
    """Groups of (path of a signal, width) in the order in which they are shown, of the core in the shell ``scope``."""
    blocks = core_blocks(chip)
    widths = {"op": blocks.port.op_bits, "mask": blocks.port.mask_bits, "i": 32, "o": 32}
    shown = {"clock and reset": [(f"{scope}.clk", 1), (f"{scope}.rst", 1)]}
    for name, width in widths.items():
        parts = (("payload", width), ("valid", 1), ("ready", 1))
        shown[f"stream {name}"] = [(f"{scope}.{name}_{part}", size) for part, size in parts]
    pins = [(f"{scope}.core.macro.{name}", width) for name, (width, _) in contract_signals(blocks.pins).items()]
    inside = simulated(chip).groups(chip, f"{scope}.core.digital")
    status = {"busy": 1, "done": 1, "error": 1, "cycles_total": 48, "cycles_analog": 48, "cycles_hold": 48}
    return {
        **shown, **inside, "macro pins": pins[1:],
        "status": [(f"{scope}.{name}", width) for name, width in status.items()],
    }


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
