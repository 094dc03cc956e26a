"""Programming of a core's cells through the generated Verilog, beside the numpy reference.

    python benchmarks/write_verify.py [--chip tnsa64-core] [--device rram-neurram] [--seed 0] [--json FILE]

Random targets over the conductance range of the chip, its own parameters of programming. CPU time is that of the
simulator process with the cells behind its pins. Pulses, codes and cells are checked against the reference. Published
for NeuRRAM: 8.5 pulses a cell on average, 3 passes (Wan et al., Nature 608, 504 (2022)); quoted, not checked against
the paper.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mho.hw.config import load_chip
from mho.hw.core.write_verify import WriteVerifyParameters
from mho.macro_models import load_device
from mho.sim.core.cosim import CosimBackend
from mho.sim.programming.write_verify import program_core


def measure(chip_name: str, device_name: str, seed: int) -> dict[str, Any]:
    """One core, programmed twice."""
    chip, device = load_chip(chip_name), load_device(device_name)
    shape = (chip.lines, chip.lines)
    targets = np.random.default_rng(seed).uniform(chip.cells.g_min_uS, chip.cells.g_max_uS, shape)
    start = time.process_time()
    expected = program_core(chip, 0, device, seed, targets)
    reference_s = time.process_time() - start
    backend = CosimBackend()
    backend.open(chip, [])
    run = program_core(chip, 0, device, seed, targets, programmer=backend)
    backend.close()
    for name in ("pulses", "codes", "faults", "g_uS"):
        if not np.array_equal(getattr(run, name), getattr(expected, name)):
            raise SystemExit(f"{name} of the RTL differ from the reference")
    waits = (len(run.counts) - 1) * WriteVerifyParameters.from_chip(chip).wait_cycles
    pulses = run.counts.reshape(len(run.counts), -1).mean(axis=1)
    return {
        "chip": chip.name,
        "cells": chip.lines**2,
        "passes": len(pulses),
        "pulses_a_cell_by_pass": pulses.tolist(),
        "pulses_a_cell": float(pulses.sum()),
        "faults": int(run.fault_map.sum()),
        "within_1_uS": float((abs(run.g_uS - targets) <= 1.0).mean()),
        "seconds_on_chip_without_waits": (run.cycles - waits) * 1e-6 / chip.clock.f_clk_MHz,
        "simulation_cpu_s": run.cpu_s,
        "reference_cpu_s": reference_s,
    }


def main() -> None:
    """Print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--chip", default="tnsa64-core")
    parser.add_argument("--device", default="rram-neurram")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    result = measure(arguments.chip, arguments.device, arguments.seed)
    for name, value in result.items():
        print(f"{name.replace('_', ' '):<32}{value}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
