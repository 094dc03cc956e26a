"""Size and clock of a tile without core and node in an ECP5: ``python benchmarks/tile_size.py [--seeds 1 2 3]``.

The tile of 256 lines with 4 lanes, 16 KiB and a memory of parameters for each lane has a flip-flop at each port.
COMB is what nextpnr counts: LUT4, two for a CCU2C, two for a TRELLIS_DPR16X4. With ``--seeds`` it is placed and routed
alone in an LFE5U-85F.
"""

import re
import tempfile
from pathlib import Path

from tools import Figures, fmax_MHz, options, run_tool, tell

from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.controller import TileController
from mho.rtl_gen.verilog.netlist import emit
from mho.rtl_gen.verilog.ports import module_ports

COMB = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 2}
COUNTED = (*COMB, "TRELLIS_FF", "DP16KD", "MULT18X18D")


def wrapper(text: str) -> str:
    """Verilog of a top whose flip-flops feed and take the ports of module ``dut``."""
    lines, pins, into = [], [], []
    for port in (module_ports(text, "dut") or {}).values():
        pins.append(f".{port.name}({port.name})")
        if port.name in ("clk", "rst"):
            continue
        if port.direction == "input":
            lines.append(f"reg {port.bits}{port.name};")
            into.append(f"{port.name} <= {{{port.name}, pin}};")
        else:
            lines += [f"wire {port.bits}{port.name};", f"(* keep *) reg {port.bits}{port.name}_taken;"]
            into.append(f"{port.name}_taken <= {port.name};")
    body = "\n  ".join([*lines, f"dut dut({', '.join(pins)});", "always @(posedge clk) begin", *into, "end"])
    return f"module top(input clk, input rst, input pin);\n  {body}\nendmodule\n"


def cells(text: str) -> dict[str, int]:
    """Cells by kind of the last statistics in what Yosys printed, and ``comb``."""
    last = text[text.rindex("Number of cells:"):]
    counts = {kind: int(n) for kind, n in re.findall(r"^\s+(\w+)\s+(\d+)\s*$", last, re.MULTILINE) if kind in COUNTED}
    return counts | {"comb": sum(counts.get(kind, 0) * n for kind, n in COMB.items())}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="place and route with each of these")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=N", help="another configuration")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave all files there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mho-tile-") as name:
        folder = args.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        changes: Figures = {key: int(value) for key, _, value in (one.partition("=") for one in args.set)}
        cfg = TileConfig(**{"ranged": True, "copies": True} | changes)
        texts = list(emit(TileController(cfg), name="dut", prefix="mho_", reset_low=False).values())
        (folder / "tile.v").write_text("\n".join([*texts, wrapper(texts[0])]))
        script = "read_verilog tile.v; synth_ecp5 -top top -json tile.json; stat"
        report: Figures = cells(run_tool(["yosys", "-p", script], folder))
        print(", ".join(f"{n} {kind}" for kind, n in report.items()))
        for seed in args.seeds:
            text = run_tool([
                "nextpnr-ecp5", "--85k", "--package", "CABGA756", "--json", "tile.json", "--lpf-allow-unconstrained",
                "--freq", "70", "--seed", str(seed), "--timing-allow-fail"], folder)
            (folder / f"seed{seed}.log").write_text(text)
            report[f"seed {seed}"] = fmax_MHz(text)
            print(f"seed {seed}: {report[f'seed {seed}']} MHz", flush=True)
    tell(args, report)


if __name__ == "__main__":
    main()
