"""Speed of the macro models of all kinds side by side: products of a core of 256 lines per CPU-second of one thread.

    python benchmarks/kinds.py [--batch 512] [--seconds 2] [--json]

Forward products with the widest signed inputs and outputs of a chip, on ideal cells and on its device after a day
with everything that it has. CPU time of the process; the rows take turns, so that all see the same machine.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hw.config import load_chip
from macro_models import Masks, family, load_device

CHIPS: dict[str, tuple[str, dict[str, object]]] = {
    "neurram-core": ("neurram-core", {}),
    "hermes-core, one window": ("hermes-core", {"read.phases": 1}),
    "hermes-core, four windows": ("hermes-core", {"read.phases": 4}),
}
ROUNDS = 5


def products(
    chip: str, overrides: dict[str, object], noisy: bool, batch: int, in_bits: int | None = None
) -> Callable[[], object]:
    """A batch of products on one programmed core; with the widest inputs of the chip, or of ``in_bits``."""
    described, rng = load_chip(chip, overrides), np.random.default_rng(1)
    cfg, cells = described.macro_config(), described.cells
    held, target = cfg.cell_map, np.zeros(cfg.cell_map.shape)
    top = held.top(cells.g_min_uS, cells.g_max_uS)
    weights = np.clip(rng.standard_normal((held.rows, held.columns)) / 4.0, -1.0, 1.0) * top
    held.put(target, np.arange(held.rows), np.arange(held.columns), held.split(weights, cells.g_min_uS, cells.g_max_uS))
    device = load_device(described.device if noisy else "ideal")
    model = family(described.core.kind).model(cfg, target, device=device, seed=0, core=0, time_s=86400.0 * noisy)
    op, masks = described.operation(in_bits=in_bits or described.input_bits, in_signed=True), Masks.reset(*held.shape)
    low, high = op.input_range
    x, ids = rng.integers(low, high + 1, (batch, held.rows)), np.arange(batch, dtype=np.uint64) << np.uint64(32)
    op = replace(op, step_code=max(1, round(model.full_scale(op, masks, x))))
    return lambda: model.mvm(op, masks, x, ids)


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    rows = {
        f"{name}, {'a day' if noisy else 'ideal'}": products(chip, overrides, noisy, args.batch)
        for name, (chip, overrides) in CHIPS.items() for noisy in (False, True)
    }
    best = dict.fromkeys(rows, 0.0)
    for _ in range(ROUNDS):
        for name, work in rows.items():
            start, done = time.process_time(), 0
            while (spent := time.process_time() - start) < args.seconds / ROUNDS or not done:
                work()
                done += args.batch
            best[name] = max(best[name], done / spent)
    if args.json:
        print(json.dumps({"batch": args.batch, "numpy": np.__version__, "mvm_per_cpu_s": best}, indent=2))
        return
    for name, rate in best.items():
        print(f"{name:<36}{rate:>10,.0f} MVM / CPU-s")


if __name__ == "__main__":
    main()
