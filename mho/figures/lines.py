"""Figures of samplers, and of crossbars that were tuned in passes."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from mho.figures.run import COLOURS, in_style, new_figure

if TYPE_CHECKING:
    from mho.sampler import Samples
    from mho.sim.programming.tuning import Tuning


@in_style
def figure_of_samples(samples: "Samples", title: str) -> Figure:
    """Energies of the chains, round by round, and their distribution at the end."""
    figure = new_figure(5.6, 2.5)
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    trace = samples.trace
    steps = np.linspace(0, samples.steps, len(trace))
    left.fill_between(steps, trace.min(axis=1), trace.max(axis=1), color=COLOURS[5], alpha=0.4, label="all chains")
    left.plot(steps, np.median(trace, axis=1), color=COLOURS[0], linewidth=0.9, label="median")
    left.plot(steps, np.minimum.accumulate(trace.min(axis=1)), "--", color=COLOURS[1], linewidth=0.9, label="least")
    left.set(xlabel="step", ylabel="energy", title=title.replace("$", r"\$"))
    left.legend()
    right.hist(samples.best_energies, bins=min(20, len(samples.best_energies)), color=COLOURS[0])
    right.set(xlabel="least energy of a chain", ylabel="chains", title=f"{len(samples.best_energies)} chains")
    return figure


@in_style
def figure_of_tuning(tuning: "Tuning", title: str) -> Figure:
    """Error of each cell of the array, their distribution, and what was disturbed pass by pass."""
    figure = new_figure(7.6, 2.5)
    cells, errors, passes = figure.subplots(1, 3)
    reach = 3 * tuning.window
    image = cells.imshow(100 * tuning.error, cmap="PuOr", vmin=-100 * reach, vmax=100 * reach, interpolation="nearest")
    figure.colorbar(image, ax=cells, label="(g - target) / target (%)")
    cells.set(xlabel="column", ylabel="row", title=title.replace("$", r"\$"))
    errors.hist(100 * np.clip(tuning.error.ravel(), -reach, reach), bins=60, color=COLOURS[2])
    for edge in (-tuning.window, tuning.window):
        errors.axvline(100 * edge, color="black", linewidth=0.8, linestyle=":")
    errors.set(xlabel="error (%), clipped at the ends", ylabel="cells", title=f"{tuning.within:.2%} in the window")
    numbers = np.arange(1, len(tuning.passes) + 1)
    for name, colour, marker in (("visited", COLOURS[0], "o"), ("disturbed", COLOURS[1], "s")):
        counts = [getattr(each, name) for each in tuning.passes]
        passes.plot(numbers, counts, f"{marker}-", color=colour, markersize=3, linewidth=0.9, label=name)
    passes.set(xlabel="pass", ylabel="cells", yscale="symlog", title=f"{tuning.retouched} cells touched again")
    passes.legend()
    return figure
