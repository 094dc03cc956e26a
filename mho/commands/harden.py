"""``mho harden``: a chip description to a layout in an open process."""

from dataclasses import asdict

import click

from mho.macro_models.errors import ToolError
from mho.terminal.console import Output
from mho.terminal.options import chip_argument, common_options, example
from mho.terminal.paths import READS, WORD, Reads, Writes

__all__ = ["harden_command"]


@click.command("harden", epilog=example("mho harden tnsa16-core --pdk ihp-sg13g2 -o build/layout"))
@chip_argument
@click.option("--pdk", metavar="DIR", type=Reads(), required=True,
              help="Folder of the process, as of IHP's SG13G2 for open flows.")
@click.option("-o", "--output", metavar="DIR", type=Writes(folder=("*",)), required=True,
              help="Folder to write. Stages that are done there with the same inputs are not done again.")
@click.option("--part", type=click.Choice(["core", "tile", "chip"]), default="core", show_default=True,
              help="What of the chip.")
@click.option("--module", metavar="NAME", type=WORD, default="", help="One module of it alone, as line_counters.")
@click.option("--density", metavar="SHARE", type=float, default=0.6, show_default=True,
              help="Share of the rows that cells fill, 0.2 to 0.9.")
@click.option("--until", type=click.Choice(["floorplan", "place", "clock", "finish"]), default=None,
              help="The last stage; wires are estimates before finish.")
@click.option("--abstract", metavar="DIR", type=Reads(), default=None,
              help="Layout of a module within, as of a tile, placed as it is.")
@click.option("--activity", metavar="F.fst", type=READS,
              help="Waveforms of its netlist, of mho verify core --netlist --waves: for the energy of a product.")
@click.option("--products", type=click.IntRange(1), default=1, show_default=True, metavar="N",
              help="How many products these have: the vectors of mho verify.")
@common_options
def harden_command(
    chip: str, overrides: tuple[str, ...], pdk: str, output: str, part: str, module: str, density: float,
    until: str | None, abstract: str | None, activity: str | None, products: int, out: Output,
) -> None:
    """Make a layout: synthesis, placement, routing, GDS, design rules and layout against netlist.

    CHIP is the name of a preset or a TOML file. Exit 1 if anything is left to mend. What it needs: mho doctor layout.
    """
    from mho.api.chip import Chip
    from mho.hw.config import load_chip

    description = load_chip(chip, overrides)
    with out.progress("hardening") as progress:
        layout = Chip(description).harden(
            pdk, output, part=part, module=module, density=density, until=until or "", abstract=abstract,
            activity=activity, products=products,
            note=out.note, progress=progress
        )
    has_clock = layout.stage in ("clock", "finish")
    wires = "extracted wires" if layout.stage == "finish" else "wires of the placement"
    out.table(("", "", ""), [
        ("outline", f"{layout.width_um:g} x {layout.height_um:g} um", f"{layout.cells:,} cells in {layout.process}"),
        ("filled", f"{layout.utilisation:.0%}", "of the rows, by cells"),
        ("slow corner", f"{layout.slow_ns:+.3f} ns", f"at {layout.period_ns:g} ns, with {wires}"),
        *([("fast corner", f"{layout.fast_ns:+.3f} ns", "of hold")] if has_clock else []),
        ("limits", layout.limits, "pins beyond slew or load"),
        *([] if layout.energy is None else [
            ("energy", f"{layout.energy.product_pJ:.4g} pJ", f"of a product, {layout.energy.cycles:.0f} cycles"),
        ]),
        *([] if layout.power_mW is None else [
            ("power", f"{layout.power_mW:.3g} mW", "typical corner, a tenth of the signals changes in a cycle"),
            ("routing", layout.routing, "violations"), ("antennas", layout.antennas, "nets"),
        ]),
        *([] if layout.rules is None or layout.wrong_ports is None else [
            ("rules", sum(layout.rules.values()), ", ".join(layout.rules) or "all kept"),
            ("netlist", "matches" if layout.matches else "differs", "down to transistors"),
            ("pins", len(layout.wrong_ports), ", ".join(layout.wrong_ports) or "all where the netlist has them"),
        ]),
    ])
    out.note(f"wrote {output}/{layout.top}.gds" if layout.rules is not None else f"wrote {output}/{layout.stage}.odb")
    out.json(asdict(layout) | {"clean": layout.clean, "chip": description.sha256, "directory": output})
    if not layout.clean:
        raise ToolError(f"{output}: the layout is not clean; what is left is in its reports")
