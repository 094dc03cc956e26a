"""Speed of the co-simulation of one core, beside the bare RTL and pin by pin.

    python benchmarks/cosim.py [--chip neurram-core] [--mvms 4000] [--repeats 5] [--json FILE]

Forward, 4-bit signed inputs, 8-bit outputs, all 127 decrements, and operations at the pins of the fewest cycles: about
395 cycles a matrix-vector product of a 256-line core. CPU time of the simulator process, median of the repeats, which
take turns. The generated Verilog and the installed cocotb are unmodified. Every row with a model is checked against it.
"""

import statistics
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from tools import Figures, options, tell

from mho.hw.config import Chip, load_chip
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models import Masks
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.sim.build.simulators import verilator_build
from mho.sim.build.toolchain import tool_version
from mho.sim.core.batch import Mode
from mho.sim.core.bench.stimulus import make_models
from mho.sim.core.cosim_core import CosimCore
from mho.sim.core.process import Simulation

FASTEST = {f"timing.t_{name}_ns": 0 for name in ("reset", "plane", "sample", "compare", "decrement")}
OPERATION = TnsaOperation(in_bits=4, out_bits=8, step_code=40, early_stop=False)


class Work:
    """What every row runs: inputs, and the codes that must come out."""

    def __init__(self, chip: Chip, mvms: int) -> None:
        self.chip = chip
        self.models = make_models(chip, ("ideal", "rram-neurram"), 0)
        self.masks = Masks.reset(chip.lines)
        self.x = np.random.default_rng(1).integers(-7, 8, (mvms, chip.lines // 2))
        self.op_id = np.arange(mvms, dtype=np.uint64) << np.uint64(32)
        self.codes = [model.mvm(OPERATION, self.masks, self.x, self.op_id).codes for model in self.models]

    def check(self, row: str, codes: NDArray[np.int16], model: int = 0) -> None:
        """Stop if a row did not give the model's codes."""
        if not np.array_equal(codes, self.codes[model][: len(codes)]):
            raise SystemExit(f"{row} differs from the model")


def shim_rows(work: Work, repeats: int) -> dict[str, dict[str, float]]:
    """The shim in its modes, in one simulator process: the same executable, streams and clock."""
    pin_level = min(50, len(work.x))
    rows = {
        "comparator constant (bare RTL)": (Mode.CONST, 0, len(work.x)),
        "lazy shim, ideal cells": (Mode.LAZY, 0, len(work.x)),
        "lazy shim, rram-neurram with read noise": (Mode.LAZY, 1, len(work.x)),
        "the same shim, at pin level (Python at every strobe)": (Mode.PIN_LEVEL, 0, pin_level),
    }
    simulation = Simulation(verilator_build(work.chip))
    times: dict[str, list[float]] = {name: [] for name in rows}
    cycles = 0.0
    try:
        for index, model in enumerate(work.models):
            simulation.put_core(index, model)
        core = CosimCore(simulation, TnsaCoreConfig.from_chip(work.chip))
        for _ in range(repeats):
            for name, (mode, index, count) in rows.items():
                run = core.run(OPERATION, work.masks, work.x[:count], work.op_id[:count], core=index, mode=mode)
                times[name].append(run.cpu_s / count)
                cycles = float(run.cycles[:, 0].mean())
                if mode is not Mode.CONST:
                    work.check(name, run.codes, index)
    finally:
        simulation.close()
    return {name: {"us": 1e6 * statistics.median(samples), "cycles": cycles} for name, samples in times.items()}


def measure(chip_name: str, mvms: int, repeats: int) -> Figures:
    """All rows, in one run."""
    chip = load_chip(chip_name, FASTEST)
    work = Work(chip, mvms)
    rows = shim_rows(work, repeats)
    cycles = rows["comparator constant (bare RTL)"]["cycles"]
    bare, lazy = (rows[name]["us"] for name in ("comparator constant (bare RTL)", "lazy shim, ideal cells"))
    return {
        "chip": chip.name,
        "lines": chip.lines,
        "cycles_per_mvm": cycles,
        "verilator": tool_version("verilator"),
        "numpy": np.__version__,
        "rows": [{"name": name, "us": row["us"], "mvm_per_cpu_s": 1e6 / row["us"]} for name, row in rows.items()],
        "lazy_over_bare": lazy / bare,
    }


def table(result: Figures) -> Iterator[str]:
    """The result in words and columns."""
    bare = result["rows"][0]["us"]
    cycles = f"{result['cycles_per_mvm']:.0f} cycles an MVM"
    yield f"{result['chip']} at the fewest cycles: {result['lines']} lines, {cycles}"
    yield f"{result['verilator']}, numpy {result['numpy']}"
    yield f"{'':<48}{'us / MVM':>12}{'MVM / CPU-s':>14}{'x bare RTL':>12}"
    for row in result["rows"]:
        yield f"{row['name']:<48}{row['us']:>12,.1f}{row['mvm_per_cpu_s']:>14,.0f}{row['us'] / bare:>12,.2f}"


def main() -> None:
    """Measure, and print a table."""
    parser = options(__doc__)
    parser.add_argument("--chip", default="neurram-core")
    parser.add_argument("--mvms", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    result = measure(args.chip, args.mvms, args.repeats)
    tell(args, result, table(result))


if __name__ == "__main__":
    main()
