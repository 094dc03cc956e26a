"""The simulator of a whole mesh of tiles: generated Verilog, the bodies of all macros, the host at its port."""

import json
from pathlib import Path

from amaranth.lib import wiring

from mho.hw.chip.map import ChipParts
from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.hw.noc.flit import BodyLayout, FlitLayout
from mho.hw.noc.registers.packet import burst_layout, host_address_bits
from mho.sim.build.shells import half_period
from mho.sim.build.simulators import Simulator
from mho.sim.build.tile_shell import TileModels, models_key, shown, written
from mho.sim.build.toolchain import HDL, cached_build, hash_files, require_cocotb
from mho.sim.build.verilate import EXACT, UNOPTIMISED, compile_verilator, compiler_key, hardware_hash
from mho.sim.kinds import body

_BURST = 64
"""Cycles of one time step of the simulator, as in :mod:`mho.sim.build.simulators`."""
MESH_SOURCES = (
    "asking.cpp", "philox.cpp", "cells.cpp", "mesh_host.cpp", "conversion.h", "pauses.h", "port.h",
    "rows.h", "strobes.h",
)
"""What a simulator of a mesh is made of beside its Verilog, the tiles, and what the body of the macro takes."""
_READ = ("core_tb.sv", "mesh_bench.sv")
PUBLIC = (("core_tb", "wake"),)
"""(Module, signal) that cocotb sees."""


def build_mesh(chip: Chip, *, waves: bool = False, optimise: bool = True) -> Simulator:
    """The tiles of a chip in Verilator, from the cache or built now, with gated clocks where the chip has them.

    Each kind of tile is compiled once, whatever their number, and the mesh around them. With ``waves`` all of them
    write into one file, as one design would. Without ``optimise`` the build is quicker and the simulator slower.
    """
    require_cocotb()
    import cocotb_tools
    from cocotb_tools import config

    parts = ChipParts.from_chip(chip)
    defines: dict[str, object] = {"MHO_HALF_PS": half_period(chip), **({} if waves else {"MHO_BURST": _BURST})}
    files = (*_READ, *MESH_SOURCES, *body(chip).sources)
    bench_hash = hash_files([Path(__file__), *(HDL / name for name in files)]) + macro_of(chip)
    style = f"{chip.verilog.clock_gate} {chip.memory.ports}"
    key = [str(parts), style, json.dumps(sorted(defines.items())), hardware_hash(), bench_hash,
           models_key(),
           f"waves {waves} {optimise}", *compiler_key(), cocotb_tools.__file__, str(config.libs_dir)]

    def build(folder: Path) -> None:
        sources = _apart(folder, chip, parts, optimise=optimise, waves=waves)
        compile_verilator(
            folder, [*sources, *(HDL / name for name in (*MESH_SOURCES, *body(chip).sources))], top="core_tb",
            defines=defines, public=PUBLIC, waves=waves, optimise=optimise,
        )

    folder = cached_build("mesh", key, build)
    return Simulator(folder=folder, program=(str(folder / "simulator"),), shell="core_tb.core_0")


def _apart(folder: Path, chip: Chip, parts: ChipParts, *, optimise: bool, waves: bool) -> list[Path]:
    """Compile each kind of tile to a model of its own; sources of the simulator of the mesh around them."""
    models = TileModels(parts, parts.core.pins.module, waves=waves, gated=chip.verilog.clock_gate == "module")
    modules = _verilog(chip, parts)
    tiles = models.build(folder, {
        "mesh.v": "\n".join(modules.values()), "notes.sv": _read("tile_notes.sv"),
        # In a mesh no macro makes pauses, so a tile at rest need not ask for them.
        "macro.sv": f"`define MHO_STEADY\n{macro_of(chip)}",
    }, fast=EXACT if optimise else UNOPTIMISED)
    around = {"around.sv": models.around(modules), "bench.sv": bench_of(parts, waves=waves)}
    return [*written(folder, around), *tiles]


def _read(name: str) -> str:
    return (HDL / name).read_text(encoding="utf-8")


def sources_of_mesh(chip: Chip) -> dict[str, str]:
    """Verilog of the tiles of a chip, without their macros: text by module."""
    return _verilog(chip, ChipParts.from_chip(chip))


def _verilog(chip: Chip, parts: ChipParts) -> dict[str, str]:
    from mho.hw.tile.rtl.tile import TileMesh
    from mho.rtl_gen.verilog.netlist import emit

    mesh = TileMesh(parts.tiles, parts.mesh, parts.core)
    return emit(
        mesh, name="mho_mesh", prefix="mho_", reset_low=False, configs=parts.configurations,
        clock_gates=chip.verilog.clock_gate == "module", one_port=chip.memory.one_port,
    )


def macro_of(chip: Chip) -> str:
    """The body of a macro."""
    blocks = core_blocks(chip)
    verify = f"`define MHO_VERIFY_BITS {blocks.pins.verify_bits}\n" if blocks.programs else ""
    defines = {"MHO_LINES": blocks.cfg.lines, **body(chip).defines(chip)}
    named = "".join(f"`define {name} {value}\n" for name, value in defines.items())
    return f"{named}{verify}{body(chip).text(chip, blocks.pins.module)}"


def bench_of(parts: ChipParts, *, waves: bool) -> str:
    """The top and the shell around the mesh; with ``waves`` the pins of all macros are there, as if these were."""
    mesh = parts.mesh
    address = host_address_bits(mesh)
    words = {
        "MHO_SHELL": "mesh_bench", "MHO_MESH": "mho_mesh", "MHO_REQUEST_BITS": address + 35,
        "MHO_BURST_BITS": burst_layout(address).size, "MHO_SEND_BITS": FlitLayout(mesh).size,
        "MHO_BODY_BITS": BodyLayout(mesh).size, "MHO_PORTS": _ports(parts, waves=waves),
        "MHO_INSIDE": _wires(parts) if waves else "",
    }
    text = _read("mesh_bench.sv")
    for name, value in sorted(words.items(), key=lambda entry: -len(entry[0])):
        text = text.replace(f"`{name}", str(value))
    return "".join([text, "`define MHO_SHELL mesh_bench\n", _read("core_tb.sv")])


def _pins(parts: ChipParts) -> dict[str, int]:
    """Pins of a macro and their widths."""
    from amaranth.hdl import Shape

    return {name: Shape.cast(member.shape).width for name, member in parts.core.pins.members.items()}


def _ports(parts: ChipParts, *, waves: bool) -> str:
    enable = "\n        , .programming_enable(1'b0)" if parts.core.programs else ""
    return enable + "".join(f"\n        , .macro_{n}_{pin}({f'macro_{n}_{pin}' if waves else ''})"
                            for n in range(parts.mesh.nodes) for pin in _pins(parts))


def _wires(parts: ChipParts) -> str:
    """The pins of the macros, with what these say."""
    wires, pins, members = [], _pins(parts), parts.core.pins.members
    for n in range(parts.mesh.nodes):
        x, y = parts.mesh.position(n)
        for pin, width in pins.items():
            said = members[pin].flow is wiring.In
            value = f" = mesh.tile_{x}_{y}.{shown(f'macro_{pin}', width)}" if said else ""
            wires.append(f"    wire [{width - 1}:0] macro_{n}_{pin}{value};")
    return "\n".join(wires)
