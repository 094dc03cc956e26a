"""The mesh: latency against load, layers, and cells and clock in FPGAs.

    python benchmarks/noc.py [--meshes 8x6,8x8] [--cycles 8000] [--parts load,...] [--json FILE]

All traffic runs through the generated Verilog in Verilator. Latencies are in cycles, first and last counted, from the
cycle in which a flit comes to its source, whose queue has no end; rates are in flits (of multicast: deliveries) a cycle
and node that sends. Flits have 32 bits in `load`, 64 in `layer`; neither changes with the width.
That nothing is lost on the way is what `mho verify noc` shows.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import noc_layer
import noc_load
from noc_synthesis import parts
from tools import Figures, options, tell

from mho.hw.noc.config import MeshConfig
from mho.sim.noc.mesh import MeshSimulation
from mho.sim.noc.verify import check_pairs, per_output

PARTS = ("load", "layer", "synthesis")
BASELINES = json.loads(Path(__file__).with_name("noc_baselines.json").read_text())
"""Published meshes and open routers, each with its source."""
BOOKSIM = BASELINES["mesh"]["figures"]


def mesh(name: str, **more: int) -> MeshConfig:
    columns, rows = map(int, name.split("x"))
    return MeshConfig(columns=columns, rows=rows, **({"payload_bits": 32, "contexts": 0} | more))


def load_rows(name: str, figures: Figures) -> Iterator[str]:
    """Table of a mesh beside the published router of most alike queues."""
    published = BOOKSIM.get(name, {})
    yield f"{name}: zero-load latency / saturation / accepted at full load (flits a cycle and node)"
    yield f"  {'pattern':<15} {'bound':>6}  {'here':>20} {'of bound':>9}  {'BookSim 1 VC x 8':>20}"
    for pattern, row in figures.items():
        here = f"{row['zero_load']:.1f} / {row['saturation']:.3f} / {row['accepted']:.3f}"
        reference = " / ".join(f"{v:.1f}" if k == 0 else f"{v:.3f}" for k, v in enumerate(published.get(pattern, ())))
        part = row["saturation"] / row["bound"]
        yield f"  {pattern:<15} {row['bound']:>6.3f}  {here:>20} {part:>8.0%}  {reference or '-':>20}"


def run_load(meshes: list[str], cycles: int) -> Iterator[tuple[str, Any]]:
    for name in meshes:
        simulation = MeshSimulation(mesh(name))
        pairs, rates = check_pairs(simulation), per_output(simulation)
        print(f"{name}: {pairs} pairs of nodes at hops + 1 cycles (hops: routers on the way);")
        print(f"  {len(rates)} ways through a router: {min(rates.values()):.3f} flits a cycle at least")
        figures = noc_load.sweep(simulation, cycles)
        print("\n".join(load_rows(name, figures)), flush=True)
        yield name, {"patterns": figures, "pairs": pairs, "per_output": rates}


def run_synthesis() -> list[Figures]:
    rows = []
    print(f"{'':<58} LUT4  DPR16X4    FF   COMB    MHz")

    def show(row: Figures) -> None:
        columns = ("lut4", "dpr16x4", "ff", "comb", "mhz")
        print(f"{row['router']:<56}" + "".join(f"{row.get(key, '-'):>7}" for key in columns), flush=True)

    for row in parts():
        rows.append(row)
        show(row)
    for row in BASELINES["router"]["figures"]:
        show(row)
    return rows


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--meshes", default="8x6,8x8", help="columns x rows of `load`")
    parser.add_argument("--cycles", type=int, default=4000, help="cycles that count, of each point and each of 3 seeds")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of %(default)s")
    arguments = parser.parse_args()
    meshes, chosen = arguments.meshes.split(","), arguments.parts.split(",")
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"--parts must be some of {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    results: Figures = {"baselines": {what: published["source"] for what, published in BASELINES.items()}}
    if "load" in chosen:
        results["load"] = dict(run_load(meshes, arguments.cycles))
    if "layer" in chosen:
        results["layer"] = noc_layer.run()
    if "synthesis" in chosen:
        results["synthesis"] = run_synthesis()
    tell(arguments, results)


if __name__ == "__main__":
    main()
