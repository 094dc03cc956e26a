"""Speed of the macro models of all kinds side by side: products of a core of 256 lines per CPU-second of one thread.

    python benchmarks/kinds.py [--batch 512] [--seconds 2] [--cosim] [--json FILE]

Forward products with the widest signed inputs and outputs of a chip, on ideal cells and on its device after a day
with everything that it has. CPU time of the process; the rows take turns, so that all see the same machine. With
``--cosim`` the same products in co-simulation too (CPU time of the simulator), whose codes must be those of the model.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tools import options, rates, tell

from mho.hw.config import Chip, load_chip
from mho.macro_models import Masks, family, load_device
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.build.simulators import verilator_build
from mho.sim.core.cosim_core import CosimCore
from mho.sim.core.process import Simulation

CHIPS: dict[str, tuple[str, dict[str, object]]] = {
    "neurram-core": ("neurram-core", {}),
    "array-256": ("array-256", {}),
    "hermes-core, one window": ("hermes-core", {"read.phases": 1}),
    "hermes-core, four windows": ("hermes-core", {"read.phases": 4}),
}
ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Case:
    """A batch of products on one programmed core."""

    chip: Chip
    model: Any
    op: MvmOperation
    masks: Masks
    x: NDArray[np.int64]
    ids: NDArray[np.uint64]

    def run(self) -> NDArray[np.int16]:
        """The codes."""
        return self.model.mvm(self.op, self.masks, self.x, self.ids).codes


def case(
    chip: str, overrides: dict[str, object], device: str | None, batch: int, *, in_bits: int | None = None,
    step_code: int | None = None, device_keys: dict[str, object] | None = None, causes: frozenset[str] | None = None,
) -> Case:
    """Normal weights on a device after a day (None: that of the chip), uniform inputs: the widest, or of ``in_bits``.

    The step is the one with which no code is at the end of the range, or ``step_code``.
    """
    described, rng = load_chip(chip, overrides), np.random.default_rng(1)
    cfg, cells = described.macro_config(), described.cells
    cell_map, target = cfg.cell_map, np.zeros(cfg.cell_map.shape)
    top = cell_map.top(cells.g_min_uS, cells.g_max_uS)
    weights = np.clip(rng.standard_normal((cell_map.rows, cell_map.columns)) / 4.0, -1.0, 1.0) * top
    values = cell_map.split(weights, cells.g_min_uS, cells.g_max_uS)
    cell_map.put(target, np.arange(cell_map.rows), np.arange(cell_map.columns), values)
    model = family(described.core.kind).model(
        cfg, target, device=load_device(device or described.device, device_keys), seed=0, core=0,
        time_s=0.0 if device == "ideal" else 86400.0, causes=causes,
    )
    op = described.operation(in_bits=in_bits or described.input_bits, in_signed=True)
    masks = Masks.reset(*cell_map.shape)
    low, high = op.input_range
    x, ids = rng.integers(low, high + 1, (batch, cell_map.rows)), np.arange(batch, dtype=np.uint64) << np.uint64(32)
    op = replace(op, step_code=step_code or max(1, round(model.full_scale(op, masks, x))))
    return Case(chip=described, model=model, op=op, masks=masks, x=x, ids=ids)


def cosimulated(job: Case, rounds: int = ROUNDS) -> float:
    """Products per CPU-second of the simulator, the best of the rounds."""
    expected, simulation = job.run(), Simulation(verilator_build(job.chip))
    try:
        simulation.put_core(0, job.model)
        core, best = CosimCore.of(simulation, job.chip), 0.0
        for _ in range(rounds):
            run = core.run(job.op, job.masks, job.x, job.ids, core=0)
            if not np.array_equal(run.codes, expected):
                raise SystemExit(f"{job.chip.name}: codes of the co-simulation must be those of the model")
            best = max(best, len(job.x) / run.cpu_s)
        return best
    finally:
        simulation.close()


def main() -> None:
    """Measure, and print a table."""
    parser = options(__doc__)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--cosim", action="store_true", help="co-simulation too")
    args = parser.parse_args()
    rows = {
        f"{name}, {device or 'a day'}": case(chip, overrides, device, args.batch).run
        for name, (chip, overrides) in CHIPS.items() for device in ("ideal", None)
    }
    best = {name: max(measured) for name, measured in rates(rows, args.batch, args.seconds, ROUNDS).items()}
    if args.cosim:
        for name, (chip, overrides) in CHIPS.items():
            best[f"{name}, a day, cosim"] = cosimulated(case(chip, overrides, None, args.batch))
    result = {"batch": args.batch, "numpy": np.__version__, "mvm_per_cpu_s": best}
    tell(args, result, (f"{name:<42}{rate:>10,.0f} MVM / CPU-s" for name, rate in best.items()))


if __name__ == "__main__":
    main()
