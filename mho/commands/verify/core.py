"""``mho verify core``: the cocotb benches on generated Verilog, or on a netlist of it."""

from pathlib import Path

import click

from mho.macro_models.errors import InputError
from mho.terminal.console import Output
from mho.terminal.options import chip_option, common_options, example
from mho.terminal.paths import READS, WAVES

__all__ = ["core_command"]


@click.command("core", epilog=example("mho verify core --chip tnsa16-core --sim icarus"))
@chip_option()
@click.option(
    "--sim", type=click.Choice(["verilator", "icarus"]), default="verilator", show_default=True, help="Simulator."
)
@click.option(
    "--netlist", metavar="F.v", type=READS, help="Verify this netlist of the core instead of the generated Verilog."
)
@click.option("--library", metavar="LIB.v", type=READS, help="Models of the standard cells that the netlist uses.")
@click.option("--cells", "library_before", type=READS, hidden=True)  # its name in 0.1; elsewhere those of an array
@click.option("--waves", metavar="F.fst", type=WAVES, help="Write the waveforms.")
@click.option(
    "--operations", type=click.IntRange(1), default=60, show_default=True, metavar="N", help="Random operations."
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Of all that is random."
)
@common_options
def core_command(
    chip: str | None,
    overrides: tuple[str, ...],
    sim: str,
    netlist: str | None,
    library: str | None,
    library_before: str | None,
    waves: str | None,
    operations: int,
    seed: int,
    out: Output,
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
        waves=None if waves is None else Path(waves),
        operations=operations,
        seed=seed,
    )
    out.text(str(report))
    out.json(vars(report) | {"chip_sha256": resolved.sha256})
