"""How fast the cores on boards are: products of their Verilog, one behind the other, beside what the device allows.

    python benchmarks/emulator.py [BOARD[:CHIP] ...] [--products 20] [--json FILE]

Each emulated core is compiled by Verilator and given operations as fast as it takes them: forward and backward, of
4-bit and of 8-bit inputs (two conversions). A conversion of n x n cells takes at least n * n * g_bits / w cycles if the
memory of the cells gives w bits in each: shown is that bound as a part of the measured cycles, and what a board does in
a second at its clock. A core that is whole takes its own time for each strobe, whatever the memory gives; what is shown
is the longest that an operation takes.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tools import options, tell

from mho.fpga.boards import BOARDS
from mho.fpga.config import board_config
from mho.hw import emulator
from mho.hw.board import BoardConfig
from mho.hw.config import load_chip
from mho.hw.core.layout import pack
from mho.macro_models.integer.operation import Direction, MvmOperation
from mho.sim.build.bench import build_bench
from mho.sim.build.verilate import verilog_text

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.stream_bench import StreamBench

SPRAM = Path(emulator.__file__).with_name("sb_spram256ka.v")
CASES = (*BOARDS, "ulx3s-85f:neurram-core")
"""The presets of the boards, and a core of 256 lines on the largest."""

BOUNDS = {"icebreaker": (4.3, 2.7), "ulx3s-85f": (131.0, 74.0), "hx8k-breakout": (9.6, 7.5)}
"""What the devices could do at most, in 10**9 products of 4-bit cells a second: with all of their memory read in each
cycle, and of that with as many lanes as they have logic and multipliers for; at the clock of a design of 64 lanes."""

OPERATIONS = {
    "forward": MvmOperation(early_stop=False, in_bits=4),
    "backward": MvmOperation(direction=Direction.BACKWARD, early_stop=False, in_bits=4),
    "forward, 8 bits": MvmOperation(early_stop=False, in_bits=8),
    "backward, 8 bits": MvmOperation(direction=Direction.BACKWARD, early_stop=False, in_bits=8),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was measured of one operation."""

    board: str
    chip: str
    serial: bool
    lines: int
    lanes: int
    g_bits: int
    clock_hz: int
    operation: str
    cycles: float
    bound_cycles: float

    def numbers(self) -> dict[str, float]:
        """Fraction of the bound, products of a vector and of cells a second."""
        products = self.bound_cycles * self.lanes
        return {
            "of_bound": self.bound_cycles / self.cycles, "mvms_per_s": self.clock_hz / self.cycles,
            "macs_per_s": self.clock_hz * products / self.cycles,
        }


def build(cfg: BoardConfig, folder: Path) -> Path:
    """The simulator of an emulated core."""
    core = cfg.kind.component(cfg.emulator)
    sources = [SPRAM] if cfg.memory == "spram" else []
    return build_bench(folder, verilog_text(core, "core"), "mho_core", sources, fast="-O1")


def cycles(folder: Path, op: MvmOperation, products: int) -> int:
    """Cycles from the end of the first product to that of the last, one behind the other."""
    bench = StreamBench(folder)
    bench.reset()
    for stream in ("op", "i"):
        bench.feed(stream)
    bench.catch("o")
    bench.queue("op", [pack(op)], number=0, repeat=True)
    inputs = np.random.default_rng(1).integers(0, 2**32, (64, 1), dtype=np.uint32) & np.uint32(0x07070707)
    bench.queue("i", inputs, number=1, repeat=True)
    done = bench.probe("status_done")
    if not bench.run_until_seen(done, products, limit=4_000_000_000):
        raise SystemExit("it hangs")
    at = bench.noted(done)[:, 0]
    bench.close()
    return int(at[-1] - at[0])


def measure(case: str, products: int, folder: Path) -> list[Row]:
    """All operations of one board."""
    board, _, chip = case.partition(":")
    cfg = board_config(board, load_chip(chip, {"core.g_bits": 8}) if chip else None)
    program, parts, rows = build(cfg, folder), cfg.emulator, []
    for name, op in OPERATIONS.items():
        total = cycles(program, op, products)
        rows.append(
            Row(
                board=board, chip=cfg.chip.name, serial=cfg.serial, lines=parts.lines, lanes=parts.lanes,
                g_bits=parts.g_bits, clock_hz=cfg.clock_hz, operation=name, cycles=total / (products - 1),
                bound_cycles=op.segments * parts.lines**2 * parts.g_bits / parts.word_bits,
            )
        )
    return rows


def main() -> None:
    """Measure, and print a table."""
    parser = options(__doc__)
    parser.add_argument("cases", nargs="*", default=CASES, metavar="BOARD[:CHIP]")
    parser.add_argument("--products", type=int, default=20, help="products of each operation")
    arguments = parser.parse_args()
    results = []
    print("| board | core | serial | lanes | MHz | operation | cycles | of bound | MVM/s | 10^6 MAC/s | device |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for case in arguments.cases:
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(case, arguments.products, Path(folder))
        for row in rows:
            numbers = row.numbers()
            part = f"{100 * numbers['of_bound']:.0f} %" if row.serial else ""
            results.append({**row.__dict__, **numbers})
            print(
                f"| {row.board} | {row.lines} x {row.lines} x {row.g_bits} | {row.serial} | {row.lanes} | "
                f"{row.clock_hz / 1e6:g} | {row.operation} | {row.cycles:.0f} | {part} | "
                f"{numbers['mvms_per_s']:,.0f} | {numbers['macs_per_s'] / 1e6:,.0f} | "
                f"{' / '.join(f'{1000 * bound:,.0f}' for bound in BOUNDS[row.board])} |",
                flush=True,
            )
    tell(arguments, results)


if __name__ == "__main__":
    main()
