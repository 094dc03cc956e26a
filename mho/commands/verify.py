"""``mho verify``: generated Verilog against its references."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mho.macro_models.errors import InputError, argument
from mho.terminal.console import Output
from mho.terminal.groups import Group
from mho.terminal.options import chip_option, common_options, example
from mho.terminal.paths import FIGURE, READS, WAVES, WORD

if TYPE_CHECKING:
    from mho.hw.noc.config import MeshConfig
    from mho.hw.tile.config import TileConfig
    from mho.sim.tile_programs.simulation import TileMemories


class _Verify(Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # `mho verify --chip CHIP` is about the core.
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["core", *args]
        return super().parse_args(ctx, args)


@click.group("verify", cls=_Verify, epilog=example("mho verify core --chip tnsa16-core --sim icarus"))
def verify_command() -> None:
    """Run the generated Verilog beside its reference, on random work, and compare everything. Exit 1 on a mismatch."""


seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Of all that is random."
)


@verify_command.command(
    "core", short_help="A chip's core, or a gate-level netlist of it; the default.",
    epilog=example("mho verify core --chip tnsa16-core --sim icarus"),
)
@chip_option()
@click.option(
    "--sim", type=click.Choice(["verilator", "icarus"]), default="verilator", show_default=True, help="Simulator."
)
@click.option(
    "--netlist", metavar="F.v", type=READS, help="Verify this netlist of the core instead of the generated Verilog."
)
@click.option("--library", metavar="LIB.v", type=READS, help="Models of the standard cells that the netlist uses.")
@click.option("--sdf", metavar="F.sdf", type=READS, help="Delays of the netlist, with --sim icarus.")
@click.option("--cells", "library_before", type=READS, hidden=True)  # its name in 0.1; elsewhere those of an array
@click.option("--waves", metavar="F.fst", type=WAVES, help="Write the waveforms.")
@click.option(
    "--operations", type=click.IntRange(1), default=60, show_default=True, metavar="N", help="Random operations."
)
@seed_option
@common_options
def core_command(
    chip: str | None, overrides: tuple[str, ...], sim: str, netlist: str | None, library: str | None,
    library_before: str | None, sdf: str | None, waves: str | None, operations: int, seed: int, out: Output,
) -> None:
    """Run the cocotb benches on the generated Verilog of a chip's core, or on a gate-level netlist of it.

    Random legal operations run through the Verilog with the numpy model of the macro behind its pins; every code and
    every cycle count must be that of the reference. Phase-change cores with programming.engine carry out random
    commands, too. --chip defaults to tnsa16-core. Exit 1 on a mismatch.
    """
    library = library or library_before
    if library is not None and netlist is None:
        raise InputError("--library needs --netlist, the netlist that uses them")
    from mho.hw.config import load_chip
    from mho.rtl_gen import check_macro_pins, macro_warnings
    from mho.sim.core.bench.verify import verify_core

    resolved = load_chip(chip or "tnsa16-core", overrides)
    for sentence in () if check_macro_pins(resolved) else macro_warnings(resolved):
        out.warn(sentence)
    out.note(f"verifying the core of {resolved.name} in {sim} ...")
    report = verify_core(
        resolved,
        simulator=sim,
        netlist=None if netlist is None else Path(netlist),
        cells=None if library is None else Path(library),
        sdf=None if sdf is None else Path(sdf),
        waves=None if waves is None else Path(waves),
        operations=operations,
        seed=seed,
    )
    out.text(str(report))
    out.json(vars(report) | {"chip_sha256": resolved.sha256})


@verify_command.command(
    "noc", short_help="A mesh: routers, reduction, network interfaces.",
    epilog=example("mho verify noc --columns 4 --rows 4 --payload 32 -o noc.png"),
)
@chip_option()
@click.option("--columns", type=int, metavar="N", help="Columns instead of those of the chip: 1 to 16.")
@click.option("--rows", type=int, metavar="N", help="Rows: 1 to 16.")
@click.option("--payload", type=int, metavar="BITS", help="Payload of a flit: 32, 64 or 128.")
@click.option("--depth", type=int, metavar="N", help="Flits of a FIFO: 1, 2, 4, 8 or 16.")
@click.option("--queues", type=int, metavar="N", help="FIFOs an input of a router: 1 or 2.")
@click.option("--contexts", type=int, metavar="N", help="Contexts of the reduction: 0, 1, 2 or 4.")
@click.option(
    "--flits", type=click.IntRange(1), default=200_000, show_default=True, metavar="N",
    help="Flits and operands of the whole mesh.",
)
@seed_option
@click.option("-o", "--output", metavar="F.png", type=FIGURE, help="Draw latencies.")
@common_options
def noc_command(
    chip: str | None, overrides: tuple[str, ...], columns: int | None, rows: int | None, payload: int | None,
    depth: int | None, queues: int | None, contexts: int | None, flits: int, seed: int, output: str | None, out: Output,
) -> None:
    """Run random traffic through the generated Verilog of a mesh in Verilator, and check all of it.

    Bare routers are compared with the cycle-accurate model: each pair of nodes alone, and random flits to one node and
    to many, with nodes that stall. Then the whole mesh with network interfaces and reduction runs random blocks, with
    credits, and sums, while the host reads and writes registers of all tiles: nothing may be lost, doubled, changed or
    out of order. --chip defaults to neurram, whose mesh is 8 x 6. Exit 1 on a mismatch.
    """
    sizes = {
        "columns": columns, "rows": rows, "payload_bits": payload, "depth": depth, "queues": queues,
        "contexts": contexts,
    }
    cfg = _mesh(chip or "neurram", overrides, {name: value for name, value in sizes.items() if value is not None})
    from mho.sim.noc.verify import verify_noc

    with out.progress(f"verifying a mesh of {cfg.columns} x {cfg.rows}") as progress:
        report = verify_noc(cfg, flits=flits, seed=seed, progress=progress)
    out.text(str(report))
    if output is not None:
        from mho.figures.run import figure_of_noc, save_figure

        save_figure(figure_of_noc(report), output)
    content = {key: value for key, value in vars(report).items() if key not in ("mesh", "latencies")}
    out.json({"mesh": asdict(cfg), "seed": seed} | content)


def _mesh(chip: str, overrides: tuple[str, ...], sizes: dict[str, int]) -> "MeshConfig":
    from mho.hw.config import load_chip
    from mho.hw.noc.config import MeshConfig

    return replace(MeshConfig.of_network(load_chip(chip, overrides)), **sizes)


@verify_command.command(
    "tile", short_help="A tile: random programs beside the interpreter.",
    epilog=example("mho verify tile --random 100000"),
)
@chip_option()
@click.option("--tile", metavar="C,R", type=WORD, help="Which tile, of a chip that has several kinds.")
@click.option(
    "--random", "instructions", type=click.IntRange(1), default=10_000, show_default=True, metavar="N",
    help="Instructions that retire, at least; a tenth as many programs trap.",
)
@click.option(
    "--library", metavar="LIB.v", type=READS, help="Put its memories on the macros that the chip names; their models.",
)
@seed_option
@common_options
def tile_command(
    chip: str | None, overrides: tuple[str, ...], tile: str | None, instructions: int, library: str | None, seed: int,
    out: Output,
) -> None:
    """Run random programs through the generated Verilog of a tile in Verilator, and compare all that they do.

    Legal programs, programs that are nearly legal and programs that trap run beside the interpreter: what retires, in
    which order, with which tokens and checksums, what is sent, the buffer at the end and the status of a trap must be
    the same. The core is a function; the host, the network and the core stall at random. A program that differs is
    written to tile_litmus.s. --chip defaults to a tile of 64 lines. Exit 1 on a mismatch.
    """
    from mho.sim.tile_programs.verify import verify_tile

    cfg, memories = _tile(chip, overrides, tile, library)
    with out.progress(f"verifying a tile of {cfg.lines} lines") as progress:
        report = verify_tile(cfg, instructions=instructions, seed=seed, memories=memories, progress=progress)
    out.text(str(report))
    out.json({
        "seed": seed, "programs": report.programs, "instructions": report.instructions, "traps": report.traps,
        "cycles": report.cycles, "opcodes": dict(report.opcodes), "causes": dict(report.causes),
    })


def _tile(
    chip: str | None, overrides: tuple[str, ...], tile: str | None, library: str | None
) -> "tuple[TileConfig, TileMemories]":
    """The tile that is verified, and what its memories are."""
    from mho.sim.tile_programs.random_programs import SIZES
    from mho.sim.tile_programs.simulation import TileMemories

    if chip is None and library is None and not overrides and tile is None:
        return SIZES, TileMemories()
    from mho.hw.config import load_chip
    from mho.hw.tile.config import TileConfig, tile_number

    loaded = load_chip(chip or "tnsa64-2x2", overrides)
    cfg = list(TileConfig.of_tiles(loaded).values())[tile_number(loaded, tile or "0,0")]
    if library is None:
        return cfg, TileMemories(one_port=loaded.memory.one_port)
    from mho.macro_models.files import read_text
    from mho.rtl_gen.macro.port_map import VERILOG
    from mho.sim.silicon.memories.binding import binding

    if not loaded.memory.files:
        raise InputError(f"{library}: memory.files of {loaded.name} must name the macros of {argument('library')}")
    return cfg, TileMemories(one_port=True, bind=binding(loaded), models=read_text(Path(library), VERILOG))


@verify_command.command(
    "chip", short_help="A whole chip of tiles: programs and host together.",
    epilog=example("mho verify chip --chip tnsa16-2x2 --host axil --accesses 5000"),
)
@chip_option()
@click.option(
    "--host", type=click.Choice(["registers", "uart", "axil", "wishbone"]), default="registers", show_default=True,
    help="What the host is at: the register bus itself, a serial line, or a bus whose master pauses at random.",
)
@click.option(
    "--accesses", type=click.IntRange(1), default=20_000, show_default=True, metavar="N",
    help="Random accesses of the host.",
)
@seed_option
@common_options
def chip_command(
    chip: str | None, overrides: tuple[str, ...], host: str, accesses: int, seed: int, out: Output
) -> None:
    """Run programs on the generated Verilog of a chip in Verilator while a host reads and writes all of it.

    Two tiles run programs without end, one on what the other sends, with ideal macros; the host reads and writes
    registers and memories of all tiles meanwhile, legal addresses and others: each answer must be right, nothing
    lost, reordered or doubled, and the last images of both programs those of the reference. But for the serial line
    all cells of a third tile are programmed by write-verify then, or its core carries out commands as its reference
    does. A chip of one tile runs one program, and has its cells programmed behind it. --chip defaults to tnsa16-2x2.
    Exit 1 on a mismatch.
    """
    from mho.hw.config import load_chip

    resolved = load_chip(chip or "tnsa16-2x2", overrides)
    with out.progress(f"verifying {resolved.name}") as progress:
        if host == "uart":
            from mho.fpga.link.simulated import verify_line

            report = verify_line(resolved, accesses=accesses, seed=seed, progress=progress)
        else:
            from mho.sim.chip.verify import verify_chip

            wrap = "none" if host == "registers" else host
            report = verify_chip(resolved, wrap=wrap, accesses=accesses, seed=seed, progress=progress)
    out.text(str(report))
    out.json({"chip_sha256": resolved.sha256, "seed": seed} | asdict(report))
