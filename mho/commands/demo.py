"""``mho demo``: the main job on shipped data."""

import json
from contextlib import closing
from pathlib import Path

import click

from mho.macro_models.errors import InputError, ToolError, argument
from mho.macro_models.output import write_output
from mho.terminal.console import Output
from mho.terminal.options import common_options, example
from mho.terminal.paths import Writes


@click.command("demo", epilog=example("mho demo -o results"))
@click.option(
    "-o", "--output", metavar="DIR", type=Writes(folder=("demo.*",)), default="results", show_default=True,
    help="Folder for figure and JSON.",
)
@click.option("--limit", type=int, metavar="N", help="Take the first N test images only.")
@click.option("--seeds", type=int, default=10, show_default=True, metavar="N", help="Chips in the functional runs.")
@common_options
def demo_command(output: str, limit: int | None, seeds: int, out: Output) -> None:
    """The main job on shipped data: real images through the generated Verilog.

    Two classifiers are compiled for one 256x256 RRAM core, and one of them for a chip of four programmable tiles. Their
    test images (100 on the tiles) run in floating point, on the functional model, and through the generated Verilog in
    Verilator with the numpy model of the macro behind its pins. The table says how accurate each is, and whether both
    gave the same codes. Writes demo.png, demo.pdf and demo.json. Without Verilator the functional part runs,
    and the exit code is 1.
    """
    from mho.data import SAMPLES, load_sample
    from mho.demo.figure import plot_demo
    from mho.demo.study import CHIP, HEADERS, TILE_IMAGES, TILES, build_simulator, mismatches, study
    from mho.figures.run import save_figure
    from mho.workers import Processes

    for name, value in (("limit", limit), ("seeds", seeds)):
        if value is not None and value < 1:
            raise InputError(f"{argument(name)} must be at least 1, not {value}")
    folder = Path(output)
    samples = [load_sample(name) for name in SAMPLES]
    few = min(limit or TILE_IMAGES, TILE_IMAGES)
    # Who comes to a simulator waits for the process that builds it, or builds it where that failed.
    with closing(Processes(2)) as builders:
        builders.begin(build_simulator, (TILES, CHIP))
        studies = [study(sample, limit=limit, seeds=seeds, step=out.note) for sample in samples]
        studies.append(study(samples[0], limit=few, seeds=seeds, step=out.note, chip=TILES))
    out.table(HEADERS, [case.row(s.title) for s in studies for case in s.cases])
    for s in studies:
        out.note(f"{s.title}: error budget")
        out.text()
        out.text(f"error budget of {s.title} (accuracy over {seeds} chips; losses in points)")
        out.table(*s.chips.budget(s.labels).table())
    out.note("drawing")
    folder.mkdir(parents=True, exist_ok=True)
    figure = plot_demo(studies)
    save_figure(figure, folder / "demo.png")
    save_figure(figure, folder / "demo.pdf")
    content = {"studies": [s.to_dict() for s in studies]}
    write_output(folder / "demo.json", (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
    out.note(f"wrote demo.png, demo.pdf and demo.json to {folder}")
    out.json(content)
    different = mismatches(studies)
    if different:
        raise ToolError(f"codes of the co-simulation differ from those of the functional model: {'; '.join(different)}")
    failure = next((s.failure for s in studies if s.failure is not None), None)
    if failure is not None:
        raise ToolError(f"the co-simulation was left out: {failure}")
