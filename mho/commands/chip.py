"""``mho preset``, ``mho check``, ``mho generate``: chip descriptions, and the Verilog of one."""

import re
from dataclasses import asdict

import click

from mho.macro_models.errors import InputError
from mho.macro_models.output import write_output
from mho.terminal.console import Output
from mho.terminal.groups import Group
from mho.terminal.options import PRESET, chip_argument, common_options, example
from mho.terminal.paths import WORD, WRITES, Writes


@click.group("preset", cls=Group, epilog=example("mho preset show neurram-core -o my-chip.toml"))
def preset_command() -> None:
    """List and show the shipped chip descriptions.

    A preset is a commented TOML file, and the documentation of every key.
    """


@preset_command.command("list", epilog=example("mho preset list"))
@common_options
def list_command(out: Output) -> None:
    """List the presets."""
    from mho.api.lists import presets

    headers = ("name", "cores", "lines", "device", "description")
    rows = [(c.name, c.cores, c.lines, c.device, c.description) for c in (c.description for c in presets().values())]
    out.table(headers, rows)
    out.json({"presets": [dict(zip(headers, row, strict=True)) for row in rows]})


@preset_command.command("show", epilog=example("mho preset show neurram-core -o my-chip.toml"))
@click.argument("name", type=PRESET)
@click.option("-o", "--output", metavar="FILE", type=WRITES, help="Write the TOML to a file.")
@common_options
def show_command(name: str, output: str | None, out: Output) -> None:
    """Print a preset's TOML file, every key of it commented."""
    from mho.hw.config import load_chip, preset_text

    text = preset_text(name)
    if output is not None:
        write_output(output, text.encode())
        out.note(f"wrote {output}")
    else:
        out.text(text.rstrip("\n"))
    out.json({"name": name, "toml": text, "chip": load_chip(name).to_dict()})


@click.command("check", epilog=example("mho check neurram-core --set adc.bits=6"))
@chip_argument
@common_options
def check_command(chip: str, overrides: tuple[str, ...], out: Output) -> None:
    """Resolve a chip description and print it with sizes and warnings.

    CHIP is the name of a preset or a TOML file. For a macro of your own every pin that is missing, unconnected or of
    the wrong width is listed. Nothing is written.
    """
    from mho.api.chip import Chip
    from mho.api.lists import check
    from mho.hw.config import describe, load_chip

    resolved = load_chip(chip, overrides)
    checked = check(Chip(resolved))
    rows = [(row.key + ("" if row.default else " *"), row.value, row.doc) for row in describe(resolved)]
    out.table(("key", "value", "meaning"), rows)
    out.text("* differs from the default")
    out.text()
    out.table(("size", ""), list(checked.sizes.items()))
    out.text()
    out.table(("all cores busy", ""), list(checked.rated.items()))
    for sentence in checked.warnings:
        out.warn(sentence)
    problems = checked.pins
    if problems:
        out.text()
        out.table(("pins of the macro",), [(problem,) for problem in problems])
    out.json({
        "chip": resolved.to_dict(), "sha256": resolved.sha256, "sizes": checked.sizes, "warnings": checked.warnings,
        "pins": problems, "rated": checked.rated,
    })
    if problems:
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise InputError(f"{chip}: the pins of the macro do not fit, {count} as listed")


_NAMED = 8
"""Files of the user that are named."""


def _two_ports(paths: list[str], least_bits: int) -> list[str]:
    """Memories of two ports, and of as many bits, among the files that were written."""
    sizes = [(match[1], int(match[2]) * int(match[3])) for path in paths
             if (match := re.search(r"/(mem_(?!\w*_1p\.)(\d+)x(\d+)\w*)\.v$", path))]
    return [name for name, bits in sizes if bits >= least_bits]


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
    chip: str, overrides: tuple[str, ...], output: str, out: Output, **choices: str | None
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
    report = Chip(resolved).generate(output, **choices)
    for sentence in macro_warnings(resolved):
        out.warn(sentence)
    size = report.statistics
    out.text(
        f"{report.top}: {size.modules} modules, {size.flip_flops:,} flip-flops, {size.memory_bits:,} bits of memory"
    )
    out.table(("file", "bytes"), [(file.path, file.bytes) for file in report.files])
    wide = _two_ports([file.path for file in report.files], resolved.memory.least_bits)
    if resolved.memory.one_port and wide:
        out.note(f"of two ports stay {', '.join(wide)}, which are written and read in one cycle")
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
