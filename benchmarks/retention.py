"""Accuracy of programmed chips over time and temperature, and which cause costs it.

    python benchmarks/retention.py [--networks digits,fashion14_cnn] [--chips 5] [--limit N] [-o retention.png]

Two networks, digits (a perceptron) and Fashion-MNIST of 14 x 14 pixels (a convolutional one), are compiled for one
256-line core and each of two devices. The write-verify engine programs the cells of each chip; the test images then
run an hour, a day and a year later at 25 and at 85 C, with the error budget. ``--backend cosim`` programs through the
engine of the generated Verilog, which gives the same cells.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tools import Figures, options, tell

import mho
from mho.data import load_sample
from mho.figures.run import COLOURS, in_style, new_figure, save_figure
from mho.macro_models.devices import CAUSES

ROOT = Path(__file__).resolve().parent.parent
DEVICES = ("rram-neurram", "rram-relax")
TIMES = ("1h", "1d", "1y")
TEMPERATURES_C = (25.0, 85.0)


@dataclass(frozen=True)
class Network:
    """A model with its data: float32 images, and the class of each test image."""

    name: str
    model: Path
    calibrate: NDArray[np.float32]
    x: NDArray[np.float32]
    y: NDArray[np.int64]


def networks() -> list[Network]:
    """Digits as the package ships them, and the convolutional example."""
    digits = load_sample("digits")
    with np.load(ROOT / "examples" / "data" / "fashion_mnist14.npz", allow_pickle=False) as data:
        x_train, x, y = (data[name] for name in ("x_train", "x_test", "y_test"))
    return [
        Network("digits", digits.model, digits.calibrate, digits.x, digits.y),
        Network(
            "fashion14_cnn", ROOT / "examples" / "models" / "fashion14_cnn.onnx", x_train[:256].astype(np.float32),
            x.astype(np.float32), y.astype(np.int64),
        ),
    ]


def study(network: Network, device: str, chips: int, backend: str, limit: int | None) -> list[Figures]:
    """Rows of one network and device: for each condition means over chips, losses as fractions of 1."""
    net = mho.compile(network.model, "neurram-core", calibrate=network.calibrate, device=device)
    cells = [net.program(seed=seed, backend=backend) for seed in range(chips)]
    pulses = float(np.mean([chip_cells.report["pulses_per_cell"] for chip_cells in cells]))
    rows = []
    for time_s in TIMES:
        for temp_C in TEMPERATURES_C:
            runs = [net.run(network.x, cells=chip_cells, time=time_s, temp=temp_C, limit=limit) for chip_cells in cells]
            budgets = [run.budget(network.y[:limit]) for run in runs]
            scores = np.array([budget["all"].mean for budget in budgets])
            losses = np.array([[b.loss(b[c]) for c in CAUSES] for b in budgets]).mean(axis=0)
            shares = np.array([[b.shares[c][0] for c in CAUSES] for b in budgets])
            rows.append({
                "network": network.name, "device": device, "time": time_s, "temp_C": temp_C, "chips": chips,
                "pulses_per_cell": pulses, "images": len(runs[0].reference), "float": budgets[0]["float"].mean,
                "ideal": budgets[0]["ideal"].mean, "accuracy": float(scores.mean()),
                "deviation": float(scores.std(ddof=1)) if chips > 1 else 0.0,
                "total": float(np.mean([b.loss(b["all"]) for b in budgets])),
                "alone": dict(zip(CAUSES, losses.tolist(), strict=True)),
                "share": dict(zip(CAUSES, shares.mean(axis=0).tolist(), strict=True)),
                "share_deviation": dict(zip(CAUSES, shares.std(axis=0).tolist(), strict=True)),
                "warnings": list(runs[0].warnings),
            })
    return rows


def table(rows: list[Figures]) -> str:
    """The rows as a Markdown table: accuracies in per cent, shares and losses in points."""
    used = [cause for cause in CAUSES if any(row["share"][cause] or row["alone"][cause] for row in rows)]
    headers = ["network", "device", "time", "C", "accuracy", "loss", *(f"{c}: share (alone)" for c in used), "sum"]
    lines = [" | ".join(headers), " | ".join("---" for _ in headers)]
    for row in rows:
        parts = [f"{100 * row['share'][c]:+.2f} ({100 * row['alone'][c]:+.2f})" for c in used]
        start = [row["network"], row["device"], row["time"], f"{row['temp_C']:g}"]
        scores = [f"{100 * row['accuracy']:.2f} ± {100 * row['deviation']:.2f}", f"{100 * row['total']:+.2f}"]
        lines.append(" | ".join([*start, *scores, *parts, f"{100 * sum(row['share'].values()):+.2f}"]))
    return "\n".join(f"| {line} |" for line in lines)


@in_style
def figure(rows: list[Figures]) -> Figure:
    """Shares of the causes as stacked bars, one panel for each network and device."""
    groups = list(dict.fromkeys((row["network"], row["device"]) for row in rows))
    result = new_figure(7.2, 2.3 * ((len(groups) + 1) // 2))
    grid, names = result.add_gridspec((len(groups) + 1) // 2, 2), {}
    for k, group in enumerate(groups):
        axes = result.add_subplot(grid[k // 2, k % 2])
        draw_shares(axes, [row for row in rows if (row["network"], row["device"]) == group])
        axes.set_title(f"({'abcdefgh'[k]}) {group[0]}, {group[1]}")
        names |= {name: handle for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    result.legend(names.values(), names.keys(), loc="outside upper center", ncols=len(names))
    return result


def draw_shares(axes: Axes, rows: list[Figures]) -> None:
    """Stacked bars of shares above and below 0, and the loss of all as points with its deviation over chips."""
    positions = np.arange(len(rows))
    above, below = np.zeros(len(rows)), np.zeros(len(rows))
    for cause, colour in zip(CAUSES, COLOURS, strict=False):
        shares = np.array([100 * row["share"][cause] for row in rows])
        if not shares.any():
            continue
        axes.bar(positions, shares, bottom=np.where(shares > 0, above, below), color=colour, width=0.65, label=cause)
        above, below = above + np.maximum(shares, 0), below + np.minimum(shares, 0)
    axes.errorbar(
        positions, [100 * row["total"] for row in rows], yerr=[100 * row["deviation"] for row in rows], fmt="o",
        color="black", markersize=3, linewidth=0.7, capsize=2, label="all",
    )
    axes.set_xticks(positions, [f"{row['time']}\n{row['temp_C']:g} °C" for row in rows])
    axes.axhline(0.0, color="black", linewidth=0.6)
    axes.set_ylabel("loss of accuracy (points)")


def main() -> None:
    """Runs the study, prints the table and writes picture and JSON."""
    parser = options(__doc__)
    parser.add_argument("--networks", default="digits,fashion14_cnn")
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--backend", default="functional", help="what programs the cells: functional or cosim")
    parser.add_argument("--limit", type=int, help="test images of each network, 500 if not given")
    parser.add_argument("-o", "--output", type=Path, help="picture (.png, .pdf or .svg)")
    args = parser.parse_args()
    start, rows = time.process_time(), []
    for network in [n for n in networks() if n.name in args.networks.split(",")]:
        for device in DEVICES:
            rows += study(network, device, args.chips, args.backend, args.limit)
            print(f"{network.name} on {device}: {time.process_time() - start:.0f} CPU seconds", file=sys.stderr)
    tell(args, rows, [table(rows)])
    for sentence in dict.fromkeys(w for row in rows for w in row["warnings"]):
        print(f"warning: {sentence}", file=sys.stderr)
    if args.output:
        save_figure(figure(rows), args.output)


if __name__ == "__main__":
    main()
