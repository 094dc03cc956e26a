"""``mho generate``: a chip description to Verilog and everything around it."""

from dataclasses import asdict

import click

from mho.terminal.console import Output
from mho.terminal.options import chip_argument, common_options, example
from mho.terminal.paths import WORD, Writes

_NAMED = 8
"""Files of the user that are named."""


@click.command("generate", epilog=example("mho generate neurram-core -o build/neurram --wrap axil"))
@chip_argument
@click.option(
    "-o", "--output", metavar="DIR", type=Writes(folder=("*",)), required=True,
    help="Folder to write; made if it does not exist.",
)
@click.option(
    "--part", type=click.Choice(["core", "chip", "tile", "noc"]),
    help="What of the chip: the core of one that has one; of one that has several all of it, a tile, or the network on "
    "chip.  [default: all]",
)
@click.option(
    "--wrap", type=click.Choice(["none", "wishbone", "axil", "uart"]),
    help="Bus, or serial line, around a core or a chip.  [default: wishbone]",
)
@click.option(
    "--top", metavar="NAME", type=WORD,
    help="Name of the top module (default: PREFIX and core or chip with _wb, _axil or _uart, core_tile, or noc).",
)
@click.option(
    "--tile", metavar="C,R", type=WORD, help="Which tile, with --part tile, of a chip that has several kinds.",
)
@click.option("--prefix", metavar="P", type=WORD, help="Put before the name of every module (default: the chip's).")
@common_options
def generate_command(
    chip: str,
    overrides: tuple[str, ...],
    output: str,
    part: str | None,
    wrap: str | None,
    top: str | None,
    prefix: str | None,
    tile: str | None,
    out: Output,
) -> None:
    """Write Verilog-2005, macro stubs, registers and tape-out files of a chip.

    CHIP is the name of a preset or a TOML file. The same input gives the same bytes.
    """
    from mho.api.chip import Chip
    from mho.hw.config import load_chip, warnings
    from mho.rtl_gen import macro_warnings

    resolved = load_chip(chip, overrides)
    for sentence in warnings(resolved):
        out.warn(sentence)
    report = Chip(resolved).generate(output, part=part, wrap=wrap, top=top, prefix=prefix, tile=tile)
    for sentence in macro_warnings(resolved):
        out.warn(sentence)
    size = report.statistics
    out.text(
        f"{report.top}: {size.modules} modules, {size.flip_flops:,} flip-flops, {size.memory_bits:,} bits of memory"
    )
    out.table(("file", "bytes"), [(file.path, file.bytes) for file in report.files])
    for name in report.kept[:_NAMED]:
        out.note(f"kept {name}, which is yours")
    if (more := len(report.kept) - _NAMED) > 0:
        out.note(f"kept {more} more of your files")
    for name, place in report.replaced:
        out.note(f"replaced {name}, which was changed by hand: its text is in {place}")
    out.note(f"wrote {len(report.files)} files to {output}")
    out.json({
        "directory": output, "top": report.top, "part": report.part, "wrap": report.wrap,
        "chip_sha256": resolved.sha256, "statistics": asdict(size),
        "files": [asdict(file) for file in report.files], "kept": list(report.kept),
        "replaced": dict(report.replaced),
    })
