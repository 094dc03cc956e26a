"""Speed of the macro models of all kinds side by side: products of a core of 256 lines per CPU-second of one thread.

    python benchmarks/kinds.py [--batch 512] [--seconds 2] [--cosim] [--json FILE]

Forward products with the widest signed inputs and outputs of a chip, on ideal cells and on its device after a day
with everything that it has. CPU time of the process; the rows take turns, so that all see the same machine. With
``--cosim`` the same products in co-simulation too (CPU time of the simulator), whose codes must be those of the model.
"""

import numpy as np
from functional import Case, case
from tools import options, rates, tell

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
