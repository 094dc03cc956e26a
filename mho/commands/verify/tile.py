"""``mho verify tile``: random programs in the Verilog of a tile, compared with the interpreter."""

from typing import TYPE_CHECKING

import click

from mho.terminal.console import Output
from mho.terminal.options import chip_option, common_options, example
from mho.terminal.paths import WORD

if TYPE_CHECKING:
    from mho.hw.tile.config import TileConfig

__all__ = ["tile_command"]


@click.command("tile", epilog=example("mho verify tile --random 100000"))
@chip_option()
@click.option("--tile", metavar="C,R", type=WORD, help="Which tile, of a chip that has several kinds.")
@click.option(
    "--random", "instructions", type=click.IntRange(1), default=10_000, show_default=True, metavar="N",
    help="Instructions that retire, at least; a tenth as many programs trap.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Of all that is random."
)
@common_options
def tile_command(
    chip: str | None, overrides: tuple[str, ...], tile: str | None, instructions: int, seed: int, out: Output
) -> None:
    """Run random programs through the generated Verilog of a tile in Verilator, and compare all that they do.

    Legal programs, programs that are nearly legal and programs that trap run beside the interpreter: what retires, in
    which order, with which tokens and checksums, what is sent, the buffer at the end and the status of a trap must be
    the same. The core is a function; the host, the network and the core stall at random. A program that differs is
    made small and written to tile_litmus.s. --chip defaults to a tile of 64 lines. Exit 1 on a mismatch.
    """
    from mho.sim.tile_programs.verify import verify_tile

    cfg = _tile(chip, overrides, tile)
    with out.progress(f"verifying a tile of {cfg.lines} lines") as progress:
        report = verify_tile(cfg, instructions=instructions, seed=seed, progress=progress)
    out.text(str(report))
    out.json({
        "seed": seed, "programs": report.programs, "instructions": report.instructions, "traps": report.traps,
        "cycles": report.cycles, "opcodes": dict(report.opcodes), "causes": dict(report.causes),
    })


def _tile(chip: str | None, overrides: tuple[str, ...], tile: str | None) -> "TileConfig":
    from mho.sim.tile_programs.random_programs import SIZES

    if chip is None and not overrides and tile is None:
        return SIZES
    from mho.hw.config import load_chip
    from mho.hw.tile.config import TileConfig, tile_number

    loaded = load_chip(chip or "tnsa64-2x2", overrides)
    return list(TileConfig.of_tiles(loaded).values())[tile_number(loaded, tile or "0,0")]
