"""A save file of GTKWave beside a trace, so that it opens with the signals of the core in groups."""

import os
from pathlib import Path

from hw.config import Chip

__all__ = ["write_groups"]

_STREAMS = {
    "op": ("op_payload", "op_valid", "op_ready"),
    "mask": ("mask_payload", "mask_valid", "mask_ready"),
    "i": ("i_payload", "i_valid", "i_ready"),
    "o": ("o_payload", "o_valid", "o_ready"),
}
_PINS = (
    "backward", "bl_pos", "bl_neg", "sl_pos", "sl_neg", "wl_en", "precharge", "sample", "plane", "compare", "latch",
    "decrement", "dec_scale", "step_code", "op_id", "cmp", "hold",
)  # fmt: skip
_COUNTERS = ("busy", "done", "error", "cycles_total", "cycles_analog", "cycles_hold")


def write_groups(waves: Path, chip: Chip) -> Path:
    """Write ``waves`` with the suffix ``.gtkw``; Surfer and GTKWave read it. Returns its path."""
    widths = dict.fromkeys(("bl_pos", "bl_neg", "sl_pos", "sl_neg", "wl_en", "cmp"), chip.lines)
    widths |= {"plane": 3, "dec_scale": 3, "step_code": 16, "op_id": 64, "i_payload": 32, "o_payload": 32}
    widths |= dict.fromkeys(("cycles_total", "cycles_analog", "cycles_hold"), 48)
    path = waves.with_suffix(".gtkw")
    lines = [f'[dumpfile] "{waves.absolute()}"']

    def group(name: str, scope: str, signals: tuple[str, ...]) -> None:
        lines.extend(["@200", f"-{name}", "@28"])
        for signal in signals:
            width = widths.get(signal, 1)
            lines.append(f"{scope}.{signal}" + (f"[{width - 1}:0]" if width > 1 else ""))

    group("clock and reset", "core_tb", ("clk", "rst"))
    for name, signals in _STREAMS.items():
        group(f"stream {name}", "core_tb", signals)
    group("macro pins", "core_tb.core.macro", _PINS)
    group("status and counters", "core_tb", _COUNTERS)
    temporary = path.with_suffix(".gtkw.tmp")
    temporary.write_text("\n".join(lines) + "\n")
    os.replace(temporary, path)
    return path
