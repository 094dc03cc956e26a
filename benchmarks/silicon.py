"""Area and speed of the generated Verilog in a library of standard cells.

    python benchmarks/silicon.py CHIP --liberty SLOW.lib.gz [--area-liberty TYPICAL.lib.gz] [--wrap wishbone]
        [--part tile] [--set KEY=VALUE ...] [--clock-gate CELL:CLOCK:ENABLE:GATED] [--cache FOLDER] [--json FILE]

Each module is synthesised alone by Yosys, its own modules as black boxes, so that the hierarchy stays and a block that
did not change is not built again (``--cache``). Memories (``mem_*``) and the macro are left out; the bits of the
memories are printed. Area is given twice: mapped alone, without buffers, in ``--area-liberty`` (default:
``--liberty``), and buffered and sized by ABC in ``--liberty``, which is the netlist that OpenSTA times.

``--part tile``: a tile of a chip of several, with its node and its core; what is in it is also summed up and timed
part by part.

What is timed: paths from flip-flop to flip-flop, with an ideal clock and without wires. Ports of the top and the trees
of clock and reset (``soft_reset`` too) are left out; paths that pass a memory are not seen. ``--clock-gate``: the chip
with ``verilog.clock_gate = "module"``, whose module is this cell of the library with its pins, such as
``sg13g2_lgcp_1:CLK:GATE:GCLK``.
"""

import argparse
import gzip
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import run_tool

from hw.config import load_chip
from rtl_gen.emit import module_texts
from rtl_gen.verilog.gating import CLOCK_GATE
from sim.build.toolchain import cache_folder

PERIOD_PS = 10_000
FANOUT = 12
"""Most loads of a gate in the netlist that is timed."""

DRIVER = "buf_2"
"""Part of the name of the cell that drives the ports of a module, for ABC."""

NOT_FOR_LOGIC = ("lgcp", "sighold", "dly", "antenna")
"""Parts of names of cells that are not for logic."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A module of the design: its own cells, without those of the modules in it. Areas in um2."""

    module: str
    instances: int
    flip_flops: int
    area: float
    buffered: float


@dataclass(frozen=True, kw_only=True)
class Path_:
    """The slowest path from flip-flop to flip-flop."""

    slack_ns: float
    fmax_MHz: float
    start: str
    end: str


class Library:
    """A Liberty file, unpacked for the tools."""

    def __init__(self, path: Path, folder: Path) -> None:
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        self.hash = hashlib.sha256(text).hexdigest()
        self.path = folder / f"{self.hash[:16]}.lib"
        if not self.path.exists():
            _write(self.path, text.decode())
        cells = re.findall(r"^\s*cell\s*\(\s*\"?(\w+)", text.decode(), re.MULTILINE)
        self.unused = [cell for cell in cells if any(part in cell for part in NOT_FOR_LOGIC)]
        self.driver = next((cell for cell in cells if DRIVER in cell), cells[0])


def _write(path: Path, text: str) -> None:
    """As a whole or not at all: others may use the same cache."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).rename(path)


def black_box(text: str) -> str:
    """A module's ports alone."""
    head = re.search(r"^module .*?\);", text, re.MULTILINE | re.DOTALL)
    return f"(* blackbox *)\n{head[0] if head else ''}\nendmodule\n"


def instances(text: str, modules: dict[str, str]) -> list[str]:
    """Modules that a module instantiates, as often as it does."""
    return [name for name in re.findall(r"^  (\w+) (?:#\(.*\) )?\w+ \($", text, re.MULTILINE) if name in modules]


def macro_stub(adapter: str) -> str:
    """The macro as the adapter uses it, a black box whose ports have no direction that matters here."""
    name, body = re.findall(r"^  (\w+) (?:#\(.*\) )?\w+ \((.*?)\);", adapter, re.MULTILINE | re.DOTALL)[-1]
    widths = {n: w for w, n in re.findall(r"^\s*(?:input|output)\s+wire\s+(\[\d+:0\])?\s*(\w+)", adapter, re.MULTILINE)}
    outputs = re.findall(r"^\s*output\s+wire\s+(?:\[\d+:0\])?\s*(\w+)", adapter, re.MULTILINE)
    ports = [
        f"{'output' if wire in outputs else 'input'} {widths.get(wire, '') or ''} {port}"
        for port, wire in re.findall(r"\.(\w+)\((\w*)\)", body)
    ]
    return f"(* blackbox *)\nmodule {name} ({', '.join(ports)});\nendmodule\n"


def gate_module(prefix: str, cell: str, clock: str, enable: str, gated: str) -> tuple[str, str]:
    """The module of the clock gates with a cell of the library in it, and that cell as a black box."""
    ports = "input wire clk,\n  input wire enable,\n  output wire gated"
    inner = f".{clock}(clk), .{enable}(enable), .{gated}(gated)"
    module = f"module {prefix}{CLOCK_GATE} (\n  {ports}\n);\n  {cell} gate ({inner});\nendmodule\n"
    stub = f"(* blackbox *) module {cell} (input {clock}, input {enable}, output {gated});\nendmodule\n"
    return module, stub


class Synthesis:
    """Synthesises modules one at a time, those that the cache does not have.

    Parameters
    ----------
    modules
        Texts of all modules by name.
    timed, plain
        Library of the buffered netlist, and of the area without buffers.
    """

    def __init__(self, modules: dict[str, str], timed: Library, plain: Library, folder: Path, stubs: str = "") -> None:
        self.modules, self.timed, self.plain, self.folder, self.stubs = modules, timed, plain, folder, stubs

    def block(self, name: str) -> tuple[dict[str, Any], Path]:
        """Counts of a module, and its netlist."""
        inner = sorted(set(instances(self.modules[name], self.modules)))
        stubs = "".join(black_box(self.modules[child]) for child in inner)
        if name.endswith(CLOCK_GATE):
            stubs += self.stubs
        if "macro_adapter" in name:
            stubs += macro_stub(self.modules[name])
        source = self.modules[name] + stubs
        key = hashlib.sha256("\0".join([source, self._script(name, "K")]).encode()).hexdigest()[:24]
        counts, netlist = self.folder / f"{key}.json", self.folder / f"{key}.v"
        if not (counts.exists() and netlist.exists()):
            with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
                work = Path(scratch)
                (work / "source.v").write_text(source)
                (work / "script.ys").write_text(self._script(name, "."))
                (work / "drive").write_text(f"set_driving_cell {self.timed.driver}\nset_load 0.02 [all_outputs]\n")
                run_tool(["yosys", "-q", "script.ys"], work)
                found = {kind: self._counts(work / kind, name) for kind in ("plain", "timed")}
                (work / "netlist.v").rename(netlist)
                _write(counts, json.dumps(found))
        return json.loads(counts.read_text()), netlist

    def _script(self, name: str, folder: str) -> str:
        """Yosys' script: one synthesis, mapped twice."""
        unused = {lib: " ".join(f"-dont_use {cell}" for cell in lib.unused) for lib in (self.timed, self.plain)}
        sized = f"+strash;ifraig;dc2;dch,-f;map,-B,0.9,-D,{PERIOD_PS // 2};topo;"
        sized += f"buffer,-p,-N,{FANOUT};topo;upsize,-D,{PERIOD_PS // 2};dnsize,-D,{PERIOD_PS // 2}"
        return f"""read_verilog {folder}/source.v
hierarchy -check -top {name}
synth -noabc -top {name}
opt_clean
design -save made
dfflibmap -liberty {self.plain.path}
abc -liberty {self.plain.path} {unused[self.plain]}
opt_clean
tee -q -o {folder}/plain stat -json -liberty {self.plain.path}
design -load made
dfflibmap -liberty {self.timed.path}
abc -liberty {self.timed.path} {unused[self.timed]} -constr {folder}/drive -script {sized}
setundef -zero
opt_clean
tee -q -o {folder}/timed stat -json -liberty {self.timed.path}
write_verilog -noattr -noexpr -nohex -simple-lhs {folder}/netlist.v
"""

    def _counts(self, file: Path, name: str) -> dict[str, float]:
        text = file.read_text()
        found = json.loads(text[text.index("{") :])["modules"][f"\\{name}"]
        flops = sum(n for cell, n in found["num_cells_by_type"].items() if "df" in cell)
        return {"area": found.get("area", 0.0), "flip_flops": flops}


def counted(modules: dict[str, str], top: str) -> dict[str, int]:
    """How often each module is in the design."""
    result: dict[str, int] = {}

    def visit(name: str) -> None:
        result[name] = result.get(name, 0) + 1
        for child in instances(modules[name], modules):
            visit(child)

    visit(top)
    return result


def memory_bits(modules: dict[str, str], number: dict[str, int], prefix: str) -> dict[str, int]:
    """Bits of each memory wrapper, all its instances."""
    shapes = {name: re.match(rf"{prefix}mem_(\d+)x(\d+)", name) for name in number}
    return {name: int(m[1]) * int(m[2]) * number[name] for name, m in shapes.items() if m}


def parts_of(modules: dict[str, str], top: str) -> list[str]:
    """Parts of a tile that have modules: its own logic, its node, its core, the registers of that."""
    return [name for name in dict.fromkeys(instances(modules[top], modules)) if instances(modules[name], modules)]


def slowest(timed: Library, netlists: list[Path], top: str, folder: Path) -> Path_:
    """The worst path of the buffered netlist, by OpenSTA."""
    reads = "\n".join(f"read_verilog {path}" for path in netlists)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        work = Path(scratch)
        (work / "time.tcl").write_text(f"""read_liberty {timed.path}
{reads}
link_design {top}
create_clock -name clk -period {PERIOD_PS / 1000} [get_ports clk]
set_false_path -from [all_inputs]
set_false_path -to [all_outputs]
set resets [get_pins -quiet -hierarchical *soft_reset]
if {{[llength $resets]}} {{set_false_path -through $resets}}
report_checks -path_delay max -format full -fields {{fanout slew}} -digits 3
exit
""")
        text = run_tool(["sta", "-no_splash", "-exit", "time.tcl"], work)
    if failed := re.search(r"^Error.*", text, re.MULTILINE):
        raise SystemExit(f"sta failed: {failed[0]}")
    slack = re.search(r"^\s*(-?[\d.]+)\s+slack", text, re.MULTILINE)
    ends = re.findall(r"^(?:Startpoint|Endpoint): (\S+)", text, re.MULTILINE)
    if slack is None or len(ends) < 2:
        raise SystemExit(f"sta found no path:\n{text[-3000:]}")
    (folder / "slowest.txt").write_text(text)
    nets = re.findall(r"([\w/.\[\]]+)/[A-Z]\w* \(", text)
    delay = PERIOD_PS / 1000 - float(slack[1])
    start, end = (nets[0], nets[-1]) if nets else ends[:2]
    return Path_(slack_ns=float(slack[1]), fmax_MHz=1000 / delay, start=start, end=end)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All figures of a chip."""
    overrides = [*args.set, *(["verilog.clock_gate=module"] if args.clock_gate else [])]
    chip = load_chip(args.chip, overrides=overrides)
    # Without comments, which change no netlist.
    tile = args.part == "tile"
    texts = module_texts(chip, "none" if tile else args.wrap, part=args.part, top="top" if tile else None)
    modules = {name: re.sub(r" *//.*", "", text) for name, text in texts.items()}
    top = next(iter(modules))
    stub = ""
    if args.clock_gate:
        prefix = chip.verilog.prefix
        modules[f"{prefix}{CLOCK_GATE}"], stub = gate_module(prefix, *args.clock_gate.split(":"))
    folder = args.cache
    folder.mkdir(parents=True, exist_ok=True)
    timed = Library(args.liberty, folder)
    plain = Library(args.area_liberty or args.liberty, folder)
    number = counted(modules, top)
    memories = memory_bits(modules, number, chip.verilog.prefix)
    synthesis = Synthesis(modules, timed, plain, folder, stub)
    names = [name for name in number if name not in memories]
    with ThreadPoolExecutor(args.jobs) as pool:
        done = list(pool.map(synthesis.block, names))
    rows = [
        Block(
            module=name.removeprefix(chip.verilog.prefix), instances=number[name],
            flip_flops=int(counts["plain"]["flip_flops"]) * number[name],
            area=counts["plain"]["area"] * number[name], buffered=counts["timed"]["area"] * number[name],
        )
        for name, (counts, _) in zip(names, done, strict=True)
    ]
    netlists = {name: netlist for name, (_, netlist) in zip(names, done, strict=True)}
    path = None if args.no_timing else asdict(slowest(timed, list(netlists.values()), top, folder))
    parts = []
    for root in parts_of(modules, top) if tile else ():
        inner = counted(modules, root)
        its = {name: number for name, number in inner.items() if name in netlists}
        found = {name: counts["plain"] | {"buffered": counts["timed"]["area"]}
                 for name, (counts, _) in zip(names, done, strict=True) if name in its}
        total = {key: sum(found[name][key] * its[name] for name in its) for key in ("area", "buffered", "flip_flops")}
        worst = None if args.no_timing else asdict(slowest(timed, [netlists[name] for name in its], root, folder))
        parts.append({"part": root.removeprefix(chip.verilog.prefix)} | total | {
            "slowest": worst, "memory_bits": sum(memory_bits(modules, inner, chip.verilog.prefix).values())})
    return {
        "chip": chip.name, "wrap": args.wrap, "set": overrides, "clock_gate": args.clock_gate,
        "area_library": (args.area_liberty or args.liberty).name, "library": args.liberty.name,
        "blocks": [asdict(row) for row in sorted(rows, key=lambda row: -row.area)],
        "area_mm2": sum(row.area for row in rows) / 1e6, "buffered_mm2": sum(row.buffered for row in rows) / 1e6,
        "flip_flops": sum(row.flip_flops for row in rows), "memory_bits": memories, "slowest": path,
        "parts": parts,
    }


def table(result: dict[str, Any]) -> Iterator[str]:
    """The lines of the table."""
    yield f"{'module':<26}{'number':>7}{'flip-flops':>12}{'mm2':>10}{'buffered':>10}"
    for row in result["blocks"]:
        yield (
            f"{row['module']:<26}{row['instances']:>7}{row['flip_flops']:>12,}"
            f"{row['area'] / 1e6:>10.4f}{row['buffered'] / 1e6:>10.4f}"
        )
    yield f"{'all':<33}{result['flip_flops']:>12,}{result['area_mm2']:>10.4f}{result['buffered_mm2']:>10.4f}"
    listed = ", ".join(f"{name} {bits:,}" for name, bits in result["memory_bits"].items())
    yield f"bits of memories, left out: {sum(result['memory_bits'].values()):,} ({listed})"
    for part in result["parts"]:
        path = part["slowest"]
        timed = f"{path['fmax_MHz']:.0f} MHz, {path['start']} -> {path['end']}" if path else ""
        yield (
            f"  {part['part']:<24}{part['flip_flops']:>19,.0f}{part['area'] / 1e6:>10.4f}"
            f"{part['buffered'] / 1e6:>10.4f}{part['memory_bits']:>10,} bits  {timed}"
        )
    if path := result["slowest"]:
        yield f"{result['library']}: {path['fmax_MHz']:.0f} MHz, slack {path['slack_ns']:.2f} ns at 10 ns"
        yield f"slowest path: {path['start']} -> {path['end']}"


def main() -> None:
    """Measure, print the table and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("chip", help="name or file of a chip description")
    parser.add_argument("--liberty", type=Path, required=True, help="library that is timed: the slow corner")
    parser.add_argument("--area-liberty", type=Path, help="library of the area without buffers: the typical corner")
    parser.add_argument("--wrap", default="wishbone", choices=("none", "wishbone", "axil"))
    parser.add_argument("--part", default="core", choices=("core", "tile"), help="what is built")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="key of the description")
    parser.add_argument("--clock-gate", metavar="CELL:CLOCK:ENABLE:GATED", help="cell of all clock gates, and its pins")
    parser.add_argument("--no-timing", action="store_true", help="area alone")
    parser.add_argument("--jobs", type=int, default=1, help="modules at once")
    parser.add_argument("--cache", type=Path, default=cache_folder() / "silicon", help="where netlists are kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    args = parser.parse_args()
    result = measure(args)
    print("\n".join(table(result)))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
