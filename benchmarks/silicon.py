"""Area and speed of the generated Verilog in a library of standard cells.

    python benchmarks/silicon.py CHIP --liberty SLOW.lib.gz [--area-liberty TYPICAL.lib.gz] [--wrap wishbone]
        [--part tile] [--set KEY=VALUE ...] [--json FILE]

Each module is synthesised alone by Yosys, its own modules as black boxes, so that the hierarchy stays and a block that
did not change is taken from the cache. Memories (``mem_*``) and the macro are left out; the bits of the
memories are printed. Area is given twice: mapped alone, without buffers, in ``--area-liberty`` (default:
``--liberty``), and buffered and sized by ABC in ``--liberty``, which is the netlist that OpenSTA times.

``--part tile``: a tile of a chip of several, with its node and its core; what is in it is also summed up and timed
part by part.

What is timed: paths from flip-flop to flip-flop, with an ideal clock and without wires. Ports of the top and the trees
of clock and reset (``soft_reset`` too) are left out; paths that pass a memory are not seen. Where the library has a
cell for gates of clocks, four flip-flops or more of one enable have one, and ``verilog.clock_gate = "module"`` is that.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tools import Figures, options, tell

from mho.hw.config import load_chip
from mho.rtl_gen.emit import module_texts
from mho.sim.silicon.area import Netlist, synthesise
from mho.sim.silicon.liberty.library import Library
from mho.sim.silicon.synthesis.blocks import counted, memory_bits, parts_of, slowest, without_comments


def measure(args: argparse.Namespace) -> Figures:
    """All figures of a chip."""
    chip = load_chip(args.chip, overrides=args.set)
    tile, prefix = args.part == "tile", chip.verilog.prefix
    texts = module_texts(chip, "none" if tile else args.wrap, part=args.part, top="top" if tile else None)
    modules = without_comments(texts)
    timed, plain = Library(args.liberty), Library(args.area_liberty or args.liberty)
    netlist = synthesise(modules, prefix, timed, plain, jobs=args.jobs)
    rows = netlist.blocks(prefix)
    path = None if args.no_timing else asdict(slowest(timed, list(netlist.netlists.values()), netlist.top))
    parts = [part(netlist, root, prefix, timed, args) for root in parts_of(modules, netlist.top)] if tile else []
    return {
        "chip": chip.name, "wrap": args.wrap, "set": args.set, "clock_gate": timed.clock_gate,
        "area_library": (args.area_liberty or args.liberty).name, "library": args.liberty.name,
        "blocks": [asdict(row) for row in rows], "area_mm2": sum(row.area for row in rows) / 1e6,
        "buffered_mm2": sum(row.buffered for row in rows) / 1e6, "flip_flops": sum(row.flip_flops for row in rows),
        "memory_bits": netlist.memory_bits, "slowest": path, "parts": parts,
    }


def part(netlist: Netlist, root: str, prefix: str, timed: Library, args: argparse.Namespace) -> Figures:
    """Figures of a part of a tile."""
    inner = counted(netlist.modules, root)
    instances = {name: number for name, number in inner.items() if name in netlist.netlists}
    counts = {name: netlist.counts[name] for name in instances}
    figures = {name: count["plain"] | {"buffered": count["timed"]["area"]} for name, count in counts.items()}
    keys = ("area", "buffered", "flip_flops")
    total = {key: sum(figures[name][key] * number for name, number in instances.items()) for key in keys}
    worst = None
    if not args.no_timing:
        worst = asdict(slowest(timed, [netlist.netlists[name] for name in instances], root))
    bits = sum(memory_bits(netlist.modules, inner, prefix).values())
    return {"part": root.removeprefix(prefix)} | total | {"slowest": worst, "memory_bits": bits}


def table(result: Figures) -> Iterator[str]:
    """The lines of the table."""
    yield f"{'module':<26}{'number':>7}{'flip-flops':>12}{'mm2':>10}{'buffered':>10}"
    for row in result["blocks"]:
        yield (
            f"{row['module']:<26}{row['instances']:>7}{row['flip_flops']:>12,}"
            f"{row['area'] / 1e6:>10.4f}{row['buffered'] / 1e6:>10.4f}"
        )
    areas = f"{result['area_mm2']:>10.4f}{result['buffered_mm2']:>10.4f}"
    yield f"{'all, without memories':<33}{result['flip_flops']:>12,}{areas}"
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
    parser = options(__doc__)
    parser.add_argument("chip", help="name or file of a chip description")
    parser.add_argument("--liberty", type=Path, required=True, help="library that is timed: the slow corner")
    parser.add_argument("--area-liberty", type=Path, help="library of the area without buffers: the typical corner")
    parser.add_argument("--wrap", default="wishbone", choices=("none", "wishbone", "axil"))
    parser.add_argument("--part", default="core", choices=("core", "tile"), help="what is built")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="key of the description")
    parser.add_argument("--no-timing", action="store_true", help="area alone")
    parser.add_argument("--jobs", type=int, default=1, help="modules at once")
    args = parser.parse_args()
    result = measure(args)
    tell(args, result, table(result))


if __name__ == "__main__":
    main()
