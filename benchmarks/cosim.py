"""Speed of the co-simulation of one core, beside the bare RTL and pin by pin.

    python benchmarks/cosim.py [--chip neurram-core] [--mvms 4000] [--repeats 5] [--json FILE]

4-bit signed inputs. A transposable core gives 8-bit outputs with all 127 decrements, and operations at its pins have
the fewest cycles: about 395 a matrix-vector product of 256 lines. CPU time of the simulator process, median of the
repeats, which take turns; random operations are those of ``mho verify core``, three products each. The generated
Verilog and the installed cocotb are unmodified. Every row with a model is checked against it.
"""

import statistics
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from tools import Figures, options, tell

from mho.hw.config import Chip, load_chip
from mho.macro_models import Masks
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.sim.build.simulators import verilator_build
from mho.sim.build.toolchain import tool_version
from mho.sim.core.batch import Mode
from mho.sim.core.bench.stimulus import make_models, make_stimulus
from mho.sim.core.cosim_core import CosimCore
from mho.sim.core.process import Simulation

FASTEST = {f"timing.t_{name}_ns": 0 for name in ("reset", "plane", "sample", "compare", "decrement")}
OPERATION = TnsaOperation(in_bits=4, out_bits=8, step_code=40, early_stop=False)
BARE, IDEAL, PINS = "bare RTL", "co-simulation, ideal cells", "the same, Python at every strobe"
RANDOM_BARE, RANDOM = "random operations, bare RTL", "random operations, co-simulation"
OPERATIONS = 120


class Work:
    """What every row runs: inputs, and the codes that must come out."""

    def __init__(self, chip: Chip, mvms: int) -> None:
        self.chip = chip
        self.devices = tuple(dict.fromkeys(("ideal", chip.device)))
        self.models = make_models(chip, self.devices, 0)
        config = self.models[0].config
        self.masks = Masks.reset(*config.cell_map.shape)
        self.op = OPERATION if chip.operation_type is TnsaOperation else chip.operation(in_bits=4, in_signed=True)
        self.x = np.random.default_rng(1).integers(-7, 8, (mvms, config.inputs(self.op.direction)))
        if chip.operation_type is not TnsaOperation:
            full = int(self.models[0].full_scale(self.op, self.masks, self.x[:100]))
            self.op = replace(self.op, step_code=min(max(full, chip.step_codes[0]), chip.step_codes[1]))
        self.op_id = np.arange(mvms, dtype=np.uint64) << np.uint64(32)
        self.codes = [model.mvm(self.op, self.masks, self.x, self.op_id).codes for model in self.models]

    def check(self, row: str, codes: NDArray[np.int16], model: int = 0) -> None:
        """Stop if a row did not give the model's codes."""
        if not np.array_equal(codes, self.codes[model][: len(codes)]):
            raise SystemExit(f"{row} differs from the model")


def rows_of(work: Work, repeats: int) -> dict[str, dict[str, float]]:
    """All rows of a chip, in one simulator process: the same executable, streams and clock."""
    rows = {BARE: (Mode.CONST, 0, len(work.x)), IDEAL: (Mode.LAZY, 0, len(work.x))}
    rows |= {f"co-simulation, {name}": (Mode.LAZY, k, len(work.x)) for k, name in enumerate(work.devices) if k}
    rows[PINS] = Mode.PIN_LEVEL, 0, min(50, len(work.x))
    simulation = Simulation(verilator_build(work.chip))
    times: dict[str, list[float]] = {name: [] for name in rows}
    cycles = 0.0
    try:
        for index, model in enumerate(work.models):
            simulation.put_core(index, model)
        core = CosimCore.of(simulation, work.chip)
        for _ in range(repeats):
            for name, (mode, index, count) in rows.items():
                run = core.run(work.op, work.masks, work.x[:count], work.op_id[:count], core=index, mode=mode)
                times[name].append(run.cpu_s / count)
                cycles = float(run.cycles[:, 0].mean())
                if mode is not Mode.CONST:
                    work.check(name, run.codes, index)
        result = {name: {"us": 1e6 * statistics.median(samples), "cycles": cycles} for name, samples in times.items()}
        return result | random_rows(work, simulation, core)
    finally:
        simulation.close()


def random_rows(work: Work, simulation: Simulation, core: CosimCore) -> dict[str, dict[str, float]]:
    """Operations of ``mho verify core``, and the same without answers: other masks, step codes and pauses each time."""
    seconds, products = {Mode.LAZY: 0.0, Mode.CONST: 0.0}, 0
    for number in range(OPERATIONS):
        stimulus = make_stimulus(work.models, 0, number, chip=work.chip)
        batch = core.batch(
            stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id, core=stimulus.core, gap=stimulus.gap,
            stall=stimulus.stall, hold=stimulus.hold, seed=number + 1,
        )
        for mode in list(seconds)[:: (1, -1)[number % 2]]:  # what runs first finds its code nowhere near
            result = simulation.run(replace(batch, mode=mode))
            seconds[mode] += result.cpu_s
            if mode is Mode.LAZY:
                model = work.models[stimulus.core]
                expected = model.mvm(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id).codes
                if not np.array_equal(core.finish(batch, result).codes, expected):
                    raise SystemExit(f"{stimulus} differs from the model")
        products += len(stimulus.x)
    names = {Mode.CONST: RANDOM_BARE, Mode.LAZY: RANDOM}
    return {names[mode]: {"us": 1e6 * seconds[mode] / products, "cycles": 0.0} for mode in names}


def measure(chip_name: str, mvms: int, repeats: int) -> Figures:
    """All rows, in one run."""
    chip = load_chip(chip_name)
    if chip.operation_type is TnsaOperation:
        chip = load_chip(chip_name, FASTEST)
    rows = rows_of(Work(chip, mvms), repeats)
    return {
        "chip": chip.name,
        "lines": chip.lines,
        "cycles_per_mvm": rows[BARE]["cycles"],
        "verilator": tool_version("verilator"),
        "numpy": np.__version__,
        "rows": [{"name": name, "us": row["us"], "mvm_per_cpu_s": 1e6 / row["us"]} for name, row in rows.items()],
        "lazy_over_bare": rows[IDEAL]["us"] / rows[BARE]["us"],
    }


def table(result: Figures) -> Iterator[str]:
    """The result in words and columns."""
    rows = {row["name"]: row["us"] for row in result["rows"]}
    yield f"{result['chip']}: {result['lines']} lines, {result['cycles_per_mvm']:.0f} cycles an MVM"
    yield f"{result['verilator']}, numpy {result['numpy']}"
    yield f"{'':<48}{'us / MVM':>12}{'MVM / CPU-s':>14}{'x bare RTL':>12}"
    for name, us in rows.items():
        bare = rows[RANDOM_BARE if name in (RANDOM_BARE, RANDOM) else BARE]
        yield f"{name:<48}{us:>12,.1f}{1e6 / us:>14,.0f}{us / bare:>12,.2f}"


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
