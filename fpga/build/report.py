"""What the tools say about a design: how full the device is, how fast, what is wrong; and what would fit."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from mho.fpga.boards import Board
from mho.hw.board.tiles import TilesConfig
from mho.hw.board.top import AnyConfig
from mho.hw.tile.config import TileConfig
from mho.macro_models.errors import InputError


def what_fits(board: Board) -> str:
    """A sentence about the largest cores that were built for a board."""
    sizes = ", ".join(f"{lines} lines with g_bits up to {g_bits}" for lines, g_bits in board.fits)
    return f"what fits is {sizes}"


def _buffer_bits(cfg: AnyConfig) -> int:
    """Of the buffers of all tiles; a core alone has none."""
    tiles = TileConfig.of_tiles(cfg.chip).values() if isinstance(cfg, TilesConfig) else ()
    return sum(8 * tile.buffer_bytes for tile in tiles)


def check_memory(board: Board, cfg: AnyConfig) -> None:
    """Refuse what can be seen not to fit before it is built: cells, and buffers of tiles, that the memory cannot hold.

    Raises InputError with the sizes that fit.
    """
    emulator = cfg.emulator
    spram = emulator.memory == "spram"
    # A word of SPRAM has 16 bits, so the width of a word says how many there are; its depth was checked before.
    bits = cfg.cores * emulator.cell_words * emulator.word_bits + _buffer_bits(cfg)
    need = cfg.cores * (emulator.word_bits // 16) if spram else bits
    have = board.spram if spram else board.memory_bits
    if need > have:
        sizes = f"{need} SPRAMs" if spram else f"{need / 1024:g} kbit of block RAM"
        capacity = f"{have}" if spram else f"{have / 1024:g} kbit"
        what = "cells and buffers" if isinstance(cfg, TilesConfig) else "cells"
        raise InputError(
            f"{cfg.chip.name} is too large for {board.name}: its {what} need {sizes} and the {board.device} has "
            f"{capacity}; {what_fits(board)}"
        )


CELLS = {
    "ICESTORM_LC": "lut", "ICESTORM_RAM": "bram", "ICESTORM_SPRAM": "spram", "ICESTORM_DSP": "dsp",
    "TRELLIS_COMB": "lut", "TRELLIS_FF": "ff", "DP16KD": "bram", "MULT18X18D": "dsp",
    "LUT4": "lut", "DFF": "ff", "BSRAM": "bram", "MULT18X18": "dsp",
}
"""What nextpnr calls the parts of a device, and what they are. A logic cell of an iCE40 is a LUT with a flip-flop."""

_ROUNDS, _FEW = 30, 20
"""Rounds of the router in which there must be progress, while there are more than so many wires that several want."""

_NAMES = {"lut": "logic cells", "ff": "flip-flops", "bram": "block RAMs", "spram": "SPRAMs", "dsp": "multipliers"}


@dataclass(frozen=True)
class Usage:
    """How full a device is, and how fast the design."""

    used: dict[str, int]
    available: dict[str, int]
    """Number of parts of each kind."""
    fmax_hz: float
    """Greatest frequency of the slowest clock, after routing."""
    critical: str
    """From where to where its longest path leads."""


def read_usage(report: Path) -> Usage:
    """From the report of nextpnr, in JSON."""
    content = json.loads(report.read_text())
    kinds = {CELLS[name]: numbers for name, numbers in content["utilization"].items() if name in CELLS}
    name, clock = min(content["fmax"].items(), key=lambda item: item[1]["achieved"])
    used = {kind: int(numbers["used"]) for kind, numbers in kinds.items()}
    available = {kind: int(numbers["available"]) for kind, numbers in kinds.items()}
    return Usage(used, available, clock["achieved"] * 1e6, _critical(content, name))


def _critical(content: dict, clock: str) -> str:
    """Names of the first and the last cell of the longest path within a clock."""
    for path in content.get("critical_paths", ()):
        if path["from"] == path["to"] and path["from"].endswith(clock) and path["path"]:
            first, last = path["path"][0]["from"]["cell"], path["path"][-1]["to"]["cell"]
            return f"from {_short(first)} to {_short(last)}"
    return ""


def _short(cell: str) -> str:
    """Name of a cell without what the tools appended."""
    return re.sub(r"(_SB_|_TRELLIS_|_LUT4|_DFF|_CCU2C|\$).*", "", cell) or cell


def overfull(log: Path) -> list[str]:
    """What a design needs more of than the device has, from the log of nextpnr."""
    parts = re.findall(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)", log.read_text(errors="replace"), re.MULTILINE)
    return [
        f"{int(used):,} of {int(available):,} {_NAMES[CELLS[name]]}"
        for name, used, available in dict.fromkeys(parts)
        if name in CELLS and int(used) > int(available)
    ]


def unroutable(log: Path) -> bool:
    """Whether nextpnr's ``router2`` goes on without hope, by its log so far.

    In each round it counts wires that several nets want. Where the device is nearly full these become fewer at first,
    and then more again without end. A few are left for many rounds in what is routed in the end.
    """
    overused = [int(count) for count in re.findall(r"iter=\d+ .*?overused=(\d+)", log.read_text(errors="replace"))]
    before, last = overused[:-_ROUNDS], overused[-_ROUNDS:]
    return bool(before) and min(last) > max(min(before), _FEW)


def abc_failed(log: Path) -> bool:
    """Whether Yosys ended because ABC, which it starts, did, or left a file (AIGER) that nobody can read."""
    return re.match(r"ERROR: .*\b(ABC|AIGER)\b", error_line(log)) is not None


def error_line(log: Path) -> str:
    """The first error in the log of a tool, or its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return next(
        (line for line in lines if re.match(r"(ERROR|error|fatal)\b", line)), lines[-1] if lines else "no message"
    )
