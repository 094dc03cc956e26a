"""``mho sampler``: Boltzmann machines and max-cut on transposable cores."""

from typing import Any

import click

from mho.macro_models.output import npz_bytes, write_output
from mho.terminal.console import Output
from mho.terminal.options import BACKEND, DEVICE, chip_option, common_options, example
from mho.terminal.paths import FIGURE, READS, WORD, WRITES


@click.command("sampler", epilog=example("mho sampler cut.npz --chip neurram --steps 1000 --from 3 --to 0.6 -o y.npz"))
@click.argument("problem", metavar="P.npz", type=READS)
@chip_option(required=True)
@click.option("--steps", type=int, required=True, metavar="N", help="Steps, each of which moves a part of the spins.")
@click.option("--from", "begin", type=float, default=1.0, show_default=True, metavar="T",
              help="Temperature of the first steps, in units of the couplings.")
@click.option("--to", "end", type=float, default=1.0, show_default=True, metavar="T", help="That of the last ones.")
@click.option("--parts", type=int, default=8, show_default=True, metavar="N",
              help="Parts of the spins of a symmetric problem, of which one moves in a step.")
@click.option("--chains", type=int, default=1, show_default=True, metavar="N", help="Independent chains.")
@click.option("--out-bits", type=int, default=4, show_default=True, metavar="N", help="Bits of the converters.")
@click.option("--device", metavar="DEVICE", type=DEVICE, help="Device of the cells (default: the chip's).")
@click.option(
    "--time", default="0", show_default=True, metavar="T", type=WORD,
    help="Time since programming, in s, m, h, d or y.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Which chip, and which draws.")
@click.option(
    "--backend", metavar="NAME", type=BACKEND, default="functional", show_default=True,
    help="functional (the model), or what a tile runs on beside it: cosim, fpga-sim or fpga.",
)
@click.option("--port", metavar="PORT", type=READS, help="Serial port of the board, with --backend fpga.")
@click.option("-o", "--output", metavar="Y.npz", type=WRITES, help="Write spins, energies and fields.")
@click.option("--plot", metavar="F.png", type=FIGURE, help="Draw the energies of the chains (.png, .pdf or .svg).")
@common_options
def sampler_command(
    problem: str, chip: str, overrides: tuple[str, ...], steps: int, begin: float, end: float, parts: int, chains: int,
    out_bits: int, device: str | None, time: str, seed: int, backend: str, port: str | None, output: str | None,
    plot: str | None, out: Output,
) -> None:
    """Sample spins, or find those of least energy, on cores that are used in both directions.

    P.npz has W (visible, hidden), a and b, of spins 0 and 1: hidden and visible ones move in turn. Or it has J (spins,
    spins), symmetric, and h, of spins -1 and 1. Biases may be left out. Couplings of 0 have cells that are not formed.

    Other backends take tile.programs and tile.draws = true.
    """
    from mho.api.device import device_model
    from mho.api.sampler import run_chains
    from mho.hw.config import load_chip
    from mho.hw.config.device import check_device, default_device
    from mho.runs.backends import backend_of
    from mho.sampler import Schedule, load_problem, sample
    from mho.units import parse_time

    description, spins = load_chip(chip, overrides), load_problem(problem)
    cells = device_model(device, default_device(description))
    check_device(description, cells)
    schedule, chosen = Schedule(steps=steps, begin=begin, end=end, parts=parts), backend_of(backend, {"port": port})
    chosen.check()
    cells_options: dict[str, Any] = {
        "device": cells, "seed": seed, "time_s": parse_time(time), "out_bits": out_bits}
    result = sample(spins, description, schedule, chains=chains, **cells_options)
    lowest = int(result.best_energies.argmin())
    out.text(f"{spins.spins} spins on {result.cores} cores; {steps} steps of {result.analog_cycles:.0f} analog cycles")
    out.text(f"least energy {result.best_energies[lowest]:g} (chain {lowest}), mean of {chains} chains "
             f"{result.best_energies.mean():g}, at the end {result.energies.mean():g}")
    cycles = None
    if chosen.name != "functional":
        with out.progress(f"running on {backend}") as progress:
            cycles = run_chains(spins, description, schedule, result, chosen, progress=progress, note=out.note,
                                **cells_options).cycles
        out.text(f"{backend} gives these spins, bit for bit" + ("" if cycles is None else f", in {cycles:,} cycles"))
    arrays = {name: getattr(result, name) for name in ("spins", "energies", "best", "best_energies", "fields")}
    if output is not None:
        write_output(output, npz_bytes(arrays))
    if plot is not None:
        from mho.figures.lines import figure_of_samples
        from mho.figures.run import save_figure

        save_figure(figure_of_samples(result, f"{spins.spins} spins on {result.cores} cores, {cells.name}"), plot)
    for path in (output, plot):
        if path is not None:
            out.note(f"wrote {path}")
    energies = {name: array.tolist() for name, array in arrays.items() if name.endswith("energies")}
    out.json({"problem": problem, "chip": chip, "backend": backend, "cycles": cycles, "cores": result.cores,
              "analog_cycles": result.analog_cycles, **energies})
