"""``mho verify chip``: the generated Verilog of a chip of tiles, programs and host together."""

import click

from mho.terminal.console import Output
from mho.terminal.options import chip_option, common_options, example

__all__ = ["chip_command"]


@click.command("chip", epilog=example("mho verify chip --chip tnsa16-2x2 --host axil --accesses 5000"))
@chip_option()
@click.option(
    "--host", type=click.Choice(["registers", "uart", "axil", "wishbone"]), default="registers", show_default=True,
    help="What the host is at: the register bus itself, a serial line, or a bus whose master pauses at random.",
)
@click.option(
    "--accesses", type=click.IntRange(1), default=20_000, show_default=True, metavar="N",
    help="Random accesses of the host.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Of all that is random."
)
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
    from dataclasses import asdict

    from mho.hw.config import load_chip

    resolved = load_chip(chip or "tnsa16-2x2", overrides)
    with out.progress(f"verifying {resolved.name}") as progress:
        if host == "uart":
            from mho.fpga.link.chip import verify_line

            report = verify_line(resolved, accesses=accesses, seed=seed, progress=progress)
        else:
            from mho.sim.chip.verify import verify_chip

            wrap = "none" if host == "registers" else host
            report = verify_chip(resolved, wrap=wrap, accesses=accesses, seed=seed, progress=progress)
    out.text(str(report))
    out.json({"chip_sha256": resolved.sha256, "seed": seed} | asdict(report))
