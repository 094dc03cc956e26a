"""``mho preset`` and ``mho check``: chip descriptions, without writing anything but a copy of one."""

import click

from mho.macro_models.errors import InputError
from mho.macro_models.output import write_output
from mho.terminal.console import Output
from mho.terminal.groups import Group
from mho.terminal.options import PRESET, chip_argument, common_options, example
from mho.terminal.paths import WRITES


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
