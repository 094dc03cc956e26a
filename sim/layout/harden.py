"""A chip's part to a layout in a folder, stage by stage, and what was found."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from mho.hw.config import Chip
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.files.scripts import is_plain
from mho.rtl_gen.templates import fill
from mho.sim.build.toolchain import require_tool
from mho.sim.layout.block import Block, generate_block
from mho.sim.layout.pdk import find_pdk
from mho.sim.layout.plan import FILES, script_settings, write_outline
from mho.sim.layout.signoff import Layout, layout_energy, read_layout
from mho.sim.layout.stages import FIGURES, MODELS, PARTS, STAGES, Stages, openroad
from mho.sim.silicon.liberty.library import Library
from mho.sim.silicon.synthesis.blocks import gate_module, gating

_FLOW = Path(__file__).parent / "flow"

_LATCHED = """write_json gated.json
exec -q -- {} flow/latches.py gated.json
design -reset
read_json gated.json
"""
"""Commands of Yosys for registers that become latches."""


def harden(
    chip: Chip, pdk_folder: Path, folder: Path, *, part: str = "core", module: str = "", density: float = 0.6,
    until: str = "", abstract: Path | None = None, activity: Path | None = None, products: int = 1,
    note: Callable[[str], None] | None = None, progress: Callable[[int, int], None] | None = None,
) -> Layout:
    """Make a layout of a chip's core, of its tile, of all of it, or of one module.

    Raises InputError if the part, the module, the density or the PDK is none. Raises ToolError if a tool is missing or
    fails.

    Parameters
    ----------
    pdk_folder
        Of a process that is known (:mod:`mho.sim.layout.pdks`), or with settings of its own.
    folder
        What is written: Verilog, scripts of the stages, logs, DEF, GDS, netlists, SDF, LEF, Liberty, reports. A stage
        that is done there with the same inputs is not done again.
    part, module
        ``core``, ``tile`` or ``chip``; a module in it alone.
    density
        Share of the rows that cells fill, 0.2 to 0.9.
    until
        The stage that is the last: ``floorplan``, ``place``, ``clock`` or ``finish``; else all are done.
    abstract
        Folder of the layout of a module within, as the chip's tile, which is placed as it is.
    activity, products
        Waveforms of its netlist, as of ``mho verify core --netlist``, and how many products (vectors) they have.
    note, progress
        Called with what a stage that begins does, and with how many of all are done.
    """
    if not 0.2 <= density <= 0.9:
        raise InputError(f"--density must be 0.2 to 0.9, not {density:g}")
    if until and until not in FIGURES:
        raise InputError(f"--until must be one of {', '.join(FIGURES)}, not {until!r}")
    folder = folder.absolute()
    if not is_plain(folder):
        raise ToolError(f"{folder}: must be a path without blanks and signs but . _ + -, since flows' scripts take it")
    pdk = find_pdk(pdk_folder)
    for tool in ("yosys", "klayout"):
        require_tool(tool)
    openroad()
    folder.mkdir(parents=True, exist_ok=True)
    block = generate_block(chip, pdk, folder, part=part, module=module, abstract=abstract)
    settings = script_settings(block, pdk, folder, density=density)
    _write_flow(settings, block, folder)
    words = {"top": block.top, "folder": str(folder), "drc": settings["drc"],
             "density": str(not settings["hollow"]).lower()}
    stages = Stages(folder, words, note=note, progress=progress)
    stages.run(STAGES[:1], [*block.sources, *block.stubs, *settings["liberty"]["slow"]])
    whole = write_outline(settings, block, folder)
    views = (whole["lefs"], whole["layouts"], whole["netlists"], *whole["liberty"].values())
    process = [*chain(*views), *whole["models"], *(whole[key] for key in FILES)]
    Stages(folder, {}, note=note).run([MODELS], whole["models"])
    last = next((number for number, stage in enumerate(STAGES) if stage.name == until), len(STAGES))
    stages.run(STAGES[1 : last + 1], [*process, block.constraints, "settings.json"])
    stages.words["stage"] = until or "finish"
    stages.run(PARTS, ["settings.json"])
    outline = whole["cells"], whole["width"], whole["height"], block.period_ns
    layout = read_layout(folder, block.top, pdk.name, outline, stages.seconds, until=until)
    if activity is None:
        return layout
    energy = layout_energy(stages, block.top, activity, products, block.period_ns, stage=layout.stage)
    return replace(layout, energy=energy)


def _write_flow(settings: Mapping[str, Any], block: Block, folder: Path) -> None:
    """Scripts of all stages into ``flow``; those whose language has no settings with what they take."""
    (folder / "flow").mkdir(exist_ok=True)
    gate = Library(Path(settings["liberty"]["slow"][0])).clock_gate
    if gate is not None and block.clock_gate:
        (folder / "flow/clock_gate.v").write_text(gate_module(block.clock_gate, *gate))
    boxes = " ".join(macro.name for macro in block.macros)
    words = _synthesis(settings, block, gate) | {"BOXES": boxes, "DECK": settings["lvs"]}
    for template in sorted(_FLOW.glob("*.txt")):
        (folder / "flow" / template.name.removesuffix(".txt")).write_text(fill(template.read_text(), words))
    (folder / "drive.sdc").write_text(f"set_driving_cell {settings['driver']}\nset_load 0.006\n")


def _synthesis(
    settings: Mapping[str, Any], block: Block, gate: tuple[str, str, str, str] | None
) -> dict[str, str]:
    memories = [macro.liberty["slow"] for macro in block.macros if macro.side == "left"]
    return {
        "TOP": block.top, "STUBS": "".join(f"read_verilog -lib {path}\n" for path in block.stubs),
        "SOURCES": " ".join(block.sources), "SLOW": settings["liberty"]["slow"][0],
        "MACROS": "".join(f"read_liberty -lib -overwrite -ignore_miss_func {path}\n" for path in memories),
        "GATE": "read_verilog -overwrite flow/clock_gate.v\n" if gate is not None and block.clock_gate else "",
        "GATING": "" if gate is None else gating(*gate),
        "GATE_CELL": "" if gate is None else " ".join(gate[:1] + gate[2:]),
        "LATCHED": "" if gate is None else _LATCHED.format(sys.executable),
        "MACRO_CELLS": " ".join(f"t:{macro.name}" for macro in block.macros) or "t:none",
        "UNUSED": "".join(f" -dont_use {cell}" for cell in settings["unused"]),
        "HIGH": " ".join(settings["high"]), "LOW": " ".join(settings["low"]), "LATCHES": settings["latches"],
    }
