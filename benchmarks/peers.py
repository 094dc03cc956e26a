"""mho beside CrossSim: speed and error of a product, in one run.

    PYTHONPATH=path/to/cross-sim python benchmarks/peers.py [--batch 64] [--seconds 2] [--json FILE]

A core of 65,536 cells: 128 x 256 signed weights, each the difference of two cells. Inputs of 4 bits, converters of 8.
Speed: thousands of products per CPU-second of one thread, with what programming left (drawn once), and with noise of
reads in every product; rows take turns, and the median of the rounds counts. Error: root mean square of the product's
error, relative to the product, without converters, one second after programming, of both models of the cells of Wan et
al. (Nature, 2022), over chips; each of the two is a fit to that paper. CrossSim (BSD-3, its repository) is left out
where it is not installed; its noise of reads is drawn cell by cell, product after product, so that 16 make its batch.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from functional import case
from tools import Figures, options, rates, tell

from mho.macro_models import load_device
from mho.macro_models.cells.programming import programmed

ROWS, COLUMNS, CHIPS, ROUNDS = 128, 256, 20, 5
G_MAX_US, G_MIN_US = 39.0, 1.0
READ_NOISE = 0.01
"""Standard deviation of CrossSim's reads, of the largest conductance: 0.4 uS as of rram-neurram."""

_NOISY = 16


def weights(rng: np.random.Generator) -> np.ndarray:
    return np.clip(rng.standard_normal((ROWS, COLUMNS)) / 4.0, -1.0, 1.0)


def crosssim_core(w: np.ndarray, *, model: str = "", read_noise: float = 0.0, bits: bool = True) -> Any:
    """A balanced core of CrossSim with the weights of a chip; its products are ``core @ x``."""
    from simulator import AnalogCore, CrossSimParameters

    setup = CrossSimParameters()
    setup.core.style, setup.core.rows_max, setup.core.cols_max = "BALANCED", ROWS, COLUMNS
    setup.core.mapping.weights.percentile = 1.0
    setup.xbar.device.Rmin, setup.xbar.device.Rmax = 1e6 / G_MAX_US, 1e6 / G_MIN_US
    if model:
        setup.xbar.device.programming_error.enable, setup.xbar.device.programming_error.model = True, model
    if read_noise:
        setup.xbar.device.read_noise.enable = True
        setup.xbar.device.read_noise.model = "NormalIndependentDevice"
        setup.xbar.device.read_noise.magnitude = read_noise
    if bits:
        setup.xbar.dac.mvm.model, setup.xbar.dac.mvm.bits = "QuantizerDAC", 4
        adc = setup.xbar.adc.mvm
        adc.model, adc.bits, adc.adc_range_option = "QuantizerADC", 8, "MAX"
    return AnalogCore(w.T, setup)


def error_of_crosssim(rng: np.random.Generator) -> float:
    w, x = weights(rng), rng.integers(-7, 8, (ROWS, 64)).astype(float)
    product = crosssim_core(w, model="RRAMWan", bits=False) @ x
    return relative(np.asarray(product), w.T @ x)


def error_of_mho(rng: np.random.Generator, seed: int) -> float:
    w, x = weights(rng), rng.integers(-7, 8, (ROWS, 64)).astype(float)
    span = G_MAX_US - G_MIN_US
    target = G_MIN_US + span * np.stack([np.maximum(w, 0.0), np.maximum(-w, 0.0)])
    device = load_device("rram-neurram")
    causes = frozenset({"programming", "relaxation"})
    cells = programmed(
        target.reshape(-1, COLUMNS), device=device, seed=seed, core=0, time_s=1.0, temp_C=25.0, causes=causes
    ).g_uS.reshape(target.shape)
    return relative(((cells[0] - cells[1]) / span).T @ x, w.T @ x)


def relative(values: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(np.mean((values - expected) ** 2) / np.mean(expected**2)))


def main() -> None:
    """Measure, and print a table."""
    parser = options(__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    rows: dict[str, Callable[[], object]] = {}
    size: dict[str, int] = {}
    rows["mho, ideal cells"] = case("neurram-core", {}, "ideal", args.batch, in_bits=4).run
    rows["mho, a day, noise of reads and converters"] = case("neurram-core", {}, None, args.batch, in_bits=4).run
    errors = {"mho": [error_of_mho(np.random.default_rng(k), k) for k in range(CHIPS)]}
    try:
        w, x = weights(rng), rng.integers(-7, 8, (ROWS, args.batch)).astype(float)
        still, noisy = crosssim_core(w, model="RRAMWan"), crosssim_core(w, model="RRAMWan", read_noise=READ_NOISE)
        rows["CrossSim, programming error"] = lambda: still @ x
        rows["CrossSim, and noise of reads"] = lambda: noisy @ x[:, :_NOISY]
        size["CrossSim, and noise of reads"] = _NOISY
        np.random.seed(1)  # noqa: NPY002  (CrossSim draws from numpy's global state)
        errors["CrossSim"] = [error_of_crosssim(np.random.default_rng(k)) for k in range(CHIPS)]
    except ImportError:
        print("CrossSim is not installed", file=sys.stderr)
    rounds = rates(rows, args.batch, args.seconds, ROUNDS)
    medians = {name: float(np.median(by_round)) for name, by_round in rounds.items()}
    thousands = {name: rate * (size.get(name) or args.batch) / args.batch / 1000 for name, rate in medians.items()}
    report = {
        "batch": args.batch, "thousand_products_per_cpu_s": thousands,
        "relative_error": {name: [float(np.mean(v)), float(np.std(v, ddof=1))] for name, v in errors.items()},
    }
    tell(args, report, table(report))


def table(report: Figures) -> Iterator[str]:
    """The result in words and columns."""
    for name, value in report["thousand_products_per_cpu_s"].items():
        yield f"{name:45} {value:9.2f} thousand products per CPU-s"
    for name, (mean, deviation) in report["relative_error"].items():
        yield f"{name:45} {mean:9.4f} relative error of a product, deviation of {CHIPS} chips {deviation:.4f}"


if __name__ == "__main__":
    main()
