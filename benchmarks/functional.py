"""Speed of the macro model: matrix-vector products per CPU-second of one thread, beside a plain single-precision GEMM.

    python benchmarks/functional.py [--lines 256] [--batch 1024] [--seconds 2] [--json]

Forward, 4-bit signed inputs (one segment), 8-bit counting converter: inputs in, codes and decrements out. CPU time of
the process over at least the given seconds for each row; the rows take turns, so that all see the same machine. Single
conversions, as co-simulation makes them, are given in microseconds.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
from tools import rates

from mho.macro_models import Masks, load_device
from mho.macro_models.array import Wires
from mho.macro_models.devices import Device, device_from_dict
from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.converter.neuron import Neuron
from mho.macro_models.tnsa.converter.walk import compiled
from mho.macro_models.tnsa.model import TnsaModel

TARGETS = {
    "programming error": 200_000,
    "output noise and read noise": 100_000,
    "everything, wires of 1 ohm too": 80_000,
    "everything, amplifiers of 60 dB too": 20_000,
    "everything, noise in every cycle too": 10_000 if compiled() else 1_000,
    "the same, without numba": 1_000,
}
"""Least matrix-vector products per CPU-second, for :data:`TARGET_LINES`."""

TARGET_LINES = 256

OHM = Wires(r_row_ohm=1.0, r_col_ohm=1.0)
AMPLIFIER = Neuron(amplifier_gain=1000.0, c_parasitic_fF=10.0, sigma_amplifier_offset_mV=0.2)
NOISY = replace(AMPLIFIER, sampling_noise=True, comparator_noise_mV=0.3)

SINGLE_TARGETS = {"ideal": 20.0, "read noise": 40.0}
"""Most microseconds of one conversion alone."""


def device_with(**sections: dict[str, Any]) -> Device:
    """The RRAM of NeuRRAM with some keys changed."""
    tree = load_device("rram-neurram").to_dict()
    for section, values in sections.items():
        tree[section] |= values
    return device_from_dict(tree)


def models(lines: int) -> dict[str, TnsaModel]:
    """The macros that are measured, by the name of their row."""
    cell_map = TnsaConfig(lines=lines).cell_map
    weights = np.random.default_rng(0).standard_normal((cell_map.rows, cell_map.columns))
    target = np.empty(cell_map.shape)
    difference = weights / np.abs(weights).max() * cell_map.top(1.0, 40.0)
    cell_map.put(target, np.arange(cell_map.rows), np.arange(cell_map.columns), cell_map.split(difference, 1.0, 40.0))
    spread = TnsaConfig(lines=lines, sigma_offset_mV=1.0, sigma_gain=0.01)
    output: dict[str, Any] = {"sigma_output_mV": 0.5}
    neurram, ideal = load_device("rram-neurram"), load_device("ideal")

    def model(device: Device, *causes: str, config: TnsaConfig = TnsaConfig(lines=lines)) -> TnsaModel:  # noqa: B008
        return TnsaModel(
            config, target, device=device, seed=1, core=0, time_s=86400.0, causes=frozenset(causes) if causes else None
        )

    return {
        "ideal": model(ideal),
        "programming error": model(neurram, "programming"),
        "read noise": model(neurram, "programming", "relaxation", "read-noise"),
        "output noise and read noise": model(
            device_with(converter=output), "programming", "relaxation", "read-noise", "adc"
        ),
        "the same, read noise growing with g": model(
            device_with(converter=output, read_noise={"sigma_uS": [0.1, 0.9]}),
            "programming", "relaxation", "read-noise", "adc",
        ),
        "everything, converters spread too": model(device_with(converter=output), config=spread),
        "everything, wires of 1 ohm too": model(device_with(converter=output), config=replace(spread, wires=OHM)),
        "everything, amplifiers of 60 dB too": model(
            device_with(converter=output), config=replace(spread, wires=OHM, neuron=AMPLIFIER)
        ),
        "everything, noise in every cycle too": model(
            device_with(converter=output), config=replace(spread, wires=OHM, neuron=NOISY)
        ),
    }


def without_numba(work: Callable[[], object]) -> None:
    """Work as it is done where numba is not installed."""
    with mock.patch("mho.macro_models.tnsa.converter.walk.compiled", return_value=None):
        work()


def single_us(model: TnsaModel, x: np.ndarray, op: MvmOperation, seconds: float) -> float:
    """CPU microseconds of one conversion, numbered as the first conversions of successive images."""
    key = model.key(False, np.ones(model.config.lines, dtype=bool))
    lines = np.stack([x, -x], axis=-1).reshape(len(x), -1).astype(np.int32)
    best, done = float("inf"), 0
    for _ in range(10):
        start, first = time.process_time(), done
        while (spent := time.process_time() - start) < seconds / 10 or done == first:
            for k in range(100):
                model.conversion(key, lines[k % len(lines)], (done + k) << 32, op.step_code)
            done += 100
        best = min(best, spent / (done - first) * 1e6)
    return best


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--lines", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    op, masks = MvmOperation(in_bits=4, out_bits=8, step_code=100), Masks.reset(args.lines)
    x = rng.integers(-7, 8, (args.batch, TnsaConfig(lines=args.lines).cell_map.rows))
    op_ids = np.arange(args.batch, dtype=np.uint64) << np.uint64(32)
    measured = models(args.lines)

    a, b = (rng.standard_normal((n, args.lines)).astype(np.float32) for n in (args.batch, args.lines))
    out = np.empty((args.batch, args.lines), dtype=np.float32)
    rows: dict[str, Callable[[], object]] = {"gemm": lambda: np.matmul(a, b, out=out)}
    for name, model in measured.items():
        rows[name] = lambda model=model: model.mvm(op, masks, x, op_ids)
    rows["the same, without numba"] = lambda: without_numba(rows["everything, noise in every cycle too"])
    best = {name: max(by_round) for name, by_round in rates(rows, args.batch, args.seconds, rounds=10).items()}
    gemm = best.pop("gemm")
    result: dict[str, Any] = {
        "lines": args.lines,
        "batch": args.batch,
        "numpy": np.__version__,
        "numba": compiled() is not None,
        "gemm_per_cpu_s": gemm,
        "rows": [
            {
                "name": name, "mvm_per_cpu_s": rate,
                "gemm_over_mvm": gemm / rate,
                "target": TARGETS.get(name) if args.lines == TARGET_LINES else None,
            }
            for name, rate in best.items()
        ],
        "single": [
            {"name": name, "us": single_us(measured[name], x, op, args.seconds), "target_us": target}
            for name, target in SINGLE_TARGETS.items()
        ],
    }
    print(json.dumps(result, indent=2) if args.json else table(result))


def table(result: dict[str, Any]) -> str:
    """The result in words and columns."""
    lines = [
        f"{result['lines']} x {result['lines']}, batches of {result['batch']}, one thread, numpy {result['numpy']}"
        f", numba {'on' if result['numba'] else 'not installed'}",
        f"{'plain float32 GEMM of the same shape':<40}{result['gemm_per_cpu_s']:>12,.0f} vectors / CPU-s",
    ]
    for row in result["rows"]:
        goal = f"   goal {row['target']:,}" if row["target"] else ""
        lines.append(
            f"{row['name']:<40}{row['mvm_per_cpu_s']:>12,.0f} MVM / CPU-s   {row['gemm_over_mvm']:.1f} x GEMM{goal}"
        )
    for row in result["single"]:
        lines.append(f"one conversion alone, {row['name']:<18}{row['us']:>12.1f} us   goal {row['target_us']:g}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
