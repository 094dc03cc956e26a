"""The simulator of a chip of tiles as one design: what tiles that are compiled apart are held against."""

import re
from pathlib import Path

from mho.hw.chip.map import ChipParts
from mho.hw.config import Chip
from mho.sim.build.shells import half_period
from mho.sim.build.simulators import Simulator
from mho.sim.build.tile_shell import notes_of
from mho.sim.build.toolchain import HDL
from mho.sim.build.verilate import compile_verilator
from mho.sim.kinds import body
from mho.sim.tile_networks.build import MESH_SOURCES, PUBLIC, bench_of, macro_of, sources_of_mesh


def whole_mesh(chip: Chip, folder: Path) -> Simulator:
    """The same bench with the macros in it, and what is noted of each tile; with waves."""
    parts = ChipParts.from_chip(chip)
    bench = re.sub(r" = mesh\.tile_\w+\.shown_\w+\[\d+:0\];", ";", bench_of(parts, waves=True))
    inside = []
    for n in range(parts.mesh.nodes):
        x, y = parts.mesh.position(n)
        pins = ", ".join(f".{pin}(macro_{n}_{pin})" for pin in parts.core.pins.members)
        inside += [f"{parts.core.pins.module} macro_{n} (.clk(clk), {pins});",
                   notes_of(f"mesh.tile_{x}_{y}", f"32'd{n}", "reset")]
    texts = {
        "mesh.v": "\n".join(sources_of_mesh(chip).values()), "macro.sv": macro_of(chip),
        "notes.sv": (HDL / "tile_notes.sv").read_text("utf-8"),
        "bench.sv": bench.replace("endmodule", "\n".join([*inside, "endmodule"]), 1),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    sources = [*(folder / name for name in texts), *(HDL / name for name in (*MESH_SOURCES, *body(chip).sources))]
    compile_verilator(
        folder, sources, top="core_tb", defines={"MHO_HALF_PS": half_period(chip)}, public=PUBLIC, waves=True,
        optimise=False)
    return Simulator(folder=folder, program=(str(folder / "simulator"),), shell="core_tb.core_0")
