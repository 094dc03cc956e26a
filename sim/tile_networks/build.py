"""The simulator of a whole mesh of tiles: generated Verilog, the bodies of all macros, the host at its port."""

import json
from pathlib import Path

from hw.chip.config import ChipParts
from hw.config import Chip
from hw.noc.flit import BodyLayout, FlitLayout
from hw.noc.registers.packet import burst_layout, host_address_bits
from sim.build.shells import MACRO, half_period
from sim.build.simulators import Simulator
from sim.build.toolchain import HDL, cached_build, hash_files, require_cocotb
from sim.build.verilate import compile_verilator, compiler_key, hardware_hash

__all__ = ["build_mesh"]

_BURST = 64
"""Cycles of one time step of the simulator, as in :mod:`sim.build.simulators`."""
_SOURCES = ("shim.cpp", "cells.cpp", "mesh_host.cpp", "pauses.h")
_PUBLIC = (("core_tb", "wake"),)
_ONCE = ("core_tile",)
"""Modules that the simulator keeps as one, and does not write out for each tile."""


def build_mesh(chip: Chip, *, waves: bool = False, optimise: bool = True) -> Simulator:
    """The tiles of a chip in Verilator, from the cache or built now (about a minute).

    ``waves``: with tracing; without ``optimise`` the build is quicker and the simulator slower.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    require_cocotb()
    import cocotb_tools
    from cocotb_tools import config

    parts = ChipParts.from_chip(chip)

    def build(folder: Path) -> None:
        text = "\n".join(_verilog(parts).values())
        (folder / "mesh.v").write_text(text, encoding="utf-8")
        (folder / "bench.sv").write_text(_bench(parts), encoding="utf-8")
        control = folder / "tiles.vlt"
        control.write_text("`verilator_config\n" + "".join(f'no_inline -module "mho_{name}*"\n' for name in _ONCE))
        compile_verilator(
            folder, [control, folder / "mesh.v", folder / "bench.sv", *(HDL / name for name in _SOURCES)],
            top="core_tb", defines=defines, public=_PUBLIC, waves=waves, optimise=optimise and not waves,
        )

    defines: dict[str, object] = {"MHO_HALF_PS": half_period(chip), **({} if waves else {"MHO_BURST": _BURST})}
    own = hash_files([Path(__file__), *(HDL / name for name in ("core_tb.sv", "mesh_bench.sv", "tnsa_macro.sv")),
                      *(HDL / name for name in _SOURCES)])
    key = [str(parts), json.dumps(sorted(defines.items())), hardware_hash(), own, f"waves {waves} {optimise}",
           *compiler_key(), cocotb_tools.__file__, str(config.libs_dir)]
    folder = cached_build("mesh", key, build)
    return Simulator(folder=folder, program=(str(folder / "simulator"),), scopes=("core_tb.core_0",))


def _verilog(parts: ChipParts) -> dict[str, str]:
    from hw.tile.mesh import TileMesh
    from rtl_gen.verilog.netlist import emit

    mesh = TileMesh(parts.tile, parts.mesh, parts.core)
    return emit(mesh, name="mho_mesh", prefix="mho_", reset_low=False, own=parts.configurations)


def _bench(parts: ChipParts) -> str:
    """The top, the shell around the mesh, and the macros."""
    mesh, lines = parts.mesh, parts.core.cfg.lines
    address = host_address_bits(mesh)
    words = {
        "MHO_SHELL": "mesh_bench", "MHO_MESH": "mho_mesh", "MHO_REQUEST_BITS": address + 35,
        "MHO_BURST_BITS": burst_layout(address).size, "MHO_SEND_BITS": FlitLayout(mesh).size,
        "MHO_BODY_BITS": BodyLayout(mesh).size, "MHO_TILES": mesh.nodes, "MHO_PORTS": _ports(parts),
        "MHO_INSIDE": _inside(parts),
    }
    verify = f"`define MHO_VERIFY_BITS {parts.core.pins.verify_bits}\n" if parts.core.programs else ""
    text = (HDL / "mesh_bench.sv").read_text(encoding="utf-8")
    for name, value in sorted(words.items(), key=lambda one: -len(one[0])):
        text = text.replace(f"`{name}", str(value))
    shell = "mesh_bench core_0 (.clk(clk), .rst(rst), .wake(wakes[0]));"
    return "".join([
        f"`define MHO_MACRO {MACRO}\n`define MHO_LINES {lines}\n{verify}", (HDL / "tnsa_macro.sv").read_text("utf-8"),
        text,
        f"`define MHO_CORES 1\n`define MHO_SHELLS {shell}\n", (HDL / "core_tb.sv").read_text("utf-8"),
    ])


def _pins(parts: ChipParts) -> dict[str, int]:
    """Pins of a macro and their widths."""
    from amaranth.hdl import Shape

    return {name: Shape.cast(member.shape).width for name, member in parts.core.pins.members.items()}


def _ports(parts: ChipParts) -> str:
    enable = "\n        , .programming_enable(1'b0)" if parts.core.programs else ""
    return enable + "".join(f"\n        , .macro_{n}_{pin}(macro_{n}_{pin})"
                   for n in range(parts.mesh.nodes) for pin in _pins(parts))


def _inside(parts: ChipParts) -> str:
    """The macros, and what is noted of each tile."""
    made = []
    for n in range(parts.mesh.nodes):
        x, y = parts.mesh.position(n)
        tile = f"mesh.tile_{x}_{y}"
        made += [f"    wire [{width - 1}:0] macro_{n}_{pin};" for pin, width in _pins(parts).items()]
        pins = ", ".join(f".{pin}(macro_{n}_{pin})" for pin in _pins(parts))
        made += [f"    {MACRO} macro_{n} (.clk(clk), {pins});", f"    assign retired[{n}] = {tile}.tile.retire;", f"""
    reg [3:0] state_{n} = 4'd0, analog_{n} = 4'd0;
    wire [3:0] state_now_{n} = {{{tile}.core.status_cycles_analog[3:0] != analog_{n},
        {tile}.tile.o_valid && {tile}.tile.o_ready,
        {tile}.tile.vector.write_valid || ({tile}.tile.drain_valid && {tile}.tile.drain_ready),
        {tile}.tile.codes_valid && {tile}.tile.codes_ready}};
    always @(posedge clk) if (!reset) begin
        if ({tile}.tile.op_valid && {tile}.tile.op_ready)
            mho_host_op(handle, {n}, {tile}.tile.op_payload[{_op_id_at()} +: 64]);
        if ({tile}.tile.drain_valid && {tile}.tile.drain_ready)
            mho_host_word(handle, {n}, {tile}.tile.drain_payload);
        if (tracing) begin
            analog_{n} <= {tile}.core.status_cycles_analog[3:0];
            if (retired[{n}]) mho_host_retire(handle, {n}, {{23'd0, {tile}.tile.retired[40:32]}});
            if (state_now_{n} != state_{n}) begin
                state_{n} <= state_now_{n};
                mho_host_state(handle, {n}, {{28'd0, state_now_{n}}});
            end
        end
    end"""]
    return "\n".join(made)


def _op_id_at() -> int:
    """The least bit of an operation's number in its descriptor."""
    from hw.core.layout import OpLayout

    return OpLayout()["op_id"].offset
