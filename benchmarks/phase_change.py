"""What a programmed phase-change core does beside what is published of HERMES, in one table.

    python benchmarks/phase_change.py [--chips 3] [--vectors 300]

The error of products with normal weights and inputs, 256 x 256, and write-verify of all devices of a core of 64 rows.
Published: Khaddam-Aljameh et al., JSSC 57, 1027 (2022); Le Gallo et al., Nature Electronics 6, 680 (2023).
"""

from dataclasses import replace

import numpy as np
from tools import options

from mho.hw.config import load_chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.macro_models import Masks, load_device
from mho.macro_models.integer.pwm.programming import WriteParameters, write_rows
from mho.macro_models.pwm.model import PwmModel
from mho.macro_models.pwm.programming import ProgrammedRows, target_counts

DEVICE = "pcm-hermes-1dev"
SPREAD = 0.25
"""Standard deviation of weights, of the largest."""


def products(chips: int, vectors: int) -> None:
    """Error of products of programmed cores, of the range of codes."""
    rng = np.random.default_rng(0)
    x = np.clip(rng.normal(size=(vectors, 256)) * 40, -127, 127).astype(int)
    for phases in (1, 4):
        chip = PwmChip.of(load_chip("hermes-core", {"read.phases": phases}))
        cfg, cell_map = chip.macro_config(), chip.macro_config().cell_map
        top, targets = cell_map.top(0.0, chip.cells.g_max_uS), np.zeros(cell_map.shape)
        weights = np.clip(rng.normal(size=(256, 256)) * SPREAD, -1, 1) * top
        cell_map.put(targets, np.arange(256), np.arange(256), cell_map.split(weights, 0.0, chip.cells.g_max_uS))
        masks, ideal = Masks.reset(*cell_map.shape), PwmModel(cfg, targets, device=load_device("ideal"), seed=0, core=0)
        op = chip.operation(in_bits=8, in_signed=True)
        op = replace(op, step_code=max(1, round(ideal.full_scale(op, masks, x))))
        expected = x @ (weights / cfg.lsb_uS) * 2 / cfg.step(op.step_code)
        errors = []
        for seed in range(chips):
            core = PwmModel(cfg, targets, device=load_device(DEVICE), seed=seed, core=0)
            codes = core.mvm(op, masks, x, np.arange(vectors, dtype=np.uint64)).codes
            errors.append(100 * float((codes - expected).std()) / 510)
        print(f"error of a product, {phases} window(s): {np.mean(errors):.2f} % of the range of codes "
              f"({', '.join(f'{error:.2f}' for error in errors)}; published 1.94 with one)")


def convergence(chips: int) -> None:
    """Write-verify."""
    chip = PwmChip.of(load_chip("hermes-core", {"core.lines": 64}))
    cfg, cell_map, parameters = chip.macro_config(), chip.macro_config().cell_map, WriteParameters()
    top = cell_map.top(0.0, chip.cells.g_max_uS)
    for seed in range(chips):
        targets = np.zeros(cell_map.shape)
        weights = np.clip(np.random.default_rng(seed).normal(size=(64, 64)) * SPREAD, -1, 1) * top
        cell_map.put(targets, np.arange(64), np.arange(64), cell_map.split(weights, 0.0, chip.cells.g_max_uS))
        core = PwmModel(cfg, np.zeros(cell_map.shape), device=load_device(DEVICE), seed=seed, core=0)
        rows = ProgrammedRows(core, parameters)
        counts = target_counts(cfg, targets, parameters)
        writes = write_rows(rows, counts, parameters)
        error = (rows.cells * cfg.lsb_uS - targets)[writes.done & (counts > 0)]
        print(f"write-verify, chip {seed}: {100 * writes.done.mean():.2f} % within the margin, "
              f"at most {writes.pulses.max()} pulses, {writes.pulses[counts > 0].mean():.1f} in the mean, "
              f"error {100 * error.std() / chip.cells.g_max_uS:.1f} % of SET "
              "(published: 99.9 and 100 %, 30 pulses, 4.8 and 5.3 %)")


def main() -> None:
    """Measure, and print."""
    parser = options(__doc__)
    parser.add_argument("--chips", type=int, default=3)
    parser.add_argument("--vectors", type=int, default=300)
    args = parser.parse_args()
    products(args.chips, args.vectors)
    convergence(args.chips)


if __name__ == "__main__":
    main()
