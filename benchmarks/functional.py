"""Speed of the macro model: matrix-vector products per CPU-second of one thread.

    python benchmarks/functional.py [--lines 256] [--batch 1024] [--seconds 2] [--json FILE]

Forward, 4-bit signed inputs (one segment), 8-bit counting converter: inputs in, codes and decrements out. CPU time of
the process over at least the given seconds for each row; the rows take turns, so that all see the same machine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from tools import Figures, options, rates, tell

from mho.hw.config import Chip, load_chip
from mho.macro_models import MacroModel, Masks, family, load_device
from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.tnsa.converter.walk import compiled

EXACT = {"adc.sigma_offset_mV": 0.0, "adc.sigma_gain": 0.0}
SPREAD = {"adc.sigma_offset_mV": 1.0, "adc.sigma_gain": 0.01}
WIRES = SPREAD | {"wires.r_row_ohm": 1.0, "wires.r_column_ohm": 1.0}
AMPLIFIER = WIRES | {
    "neuron.amplifier_gain": 1000.0, "neuron.c_parasitic_fF": 10.0, "neuron.sigma_amplifier_offset_mV": 0.2,
}
NOISY = AMPLIFIER | {"neuron.sampling_noise": True, "neuron.comparator_noise_mV": 0.3}
OUTPUT = {"converter.sigma_output_mV": 0.5}

ROWS: dict[str, tuple[Figures, Figures, tuple[str, ...]]] = {
    "programming error": (EXACT, {}, ("programming",)),
    "everything, wires of 1 ohm too": (WIRES, OUTPUT, ()),
    "everything, amplifiers of 60 dB too": (AMPLIFIER, OUTPUT, ()),
    "everything, noise in every cycle too": (NOISY, OUTPUT, ()),
}
"""Keys of the chip, keys of the device, and causes (all, if there are none) of the macros that are measured."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A batch of products on one programmed core."""

    chip: Chip
    model: MacroModel
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


def cases(lines: int, batch: int) -> dict[str, Case]:
    """Programmed cores by the name of their row."""
    def core(keys: Figures, device: Figures, causes: tuple[str, ...]) -> Case:
        return case("neurram-core", {**keys, "core.lines": lines}, "rram-neurram", batch, in_bits=4, step_code=100,
                    device_keys=device, causes=frozenset(causes) or None)

    return {name: core(*row) for name, row in ROWS.items()}


def without_numba(work: Callable[[], object]) -> None:
    """Work as it is done where numba is not installed."""
    with mock.patch("mho.macro_models.tnsa.converter.walk.compiled", return_value=None):
        work()


def main() -> None:
    """Measure, and print a table."""
    parser = options(__doc__)
    parser.add_argument("--lines", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=2.0)
    args = parser.parse_args()
    rows: dict[str, Callable[[], object]] = {name: job.run for name, job in cases(args.lines, args.batch).items()}
    rows["the same, without numba"] = lambda: without_numba(rows["everything, noise in every cycle too"])
    best = {name: max(by_round) for name, by_round in rates(rows, args.batch, args.seconds, rounds=10).items()}
    result: Figures = {
        "lines": args.lines, "batch": args.batch, "numpy": np.__version__, "numba": compiled() is not None,
        "rows": [{"name": name, "mvm_per_cpu_s": rate} for name, rate in best.items()],
    }
    tell(args, result, table(result))


def table(result: Figures) -> Iterator[str]:
    """The result in words and columns."""
    yield (
        f"{result['lines']} x {result['lines']}, batches of {result['batch']}, one thread, numpy {result['numpy']}"
        f", numba {'on' if result['numba'] else 'not installed'}"
    )
    for row in result["rows"]:
        yield f"{row['name']:<40}{row['mvm_per_cpu_s']:>12,.0f} MVM / CPU-s"


if __name__ == "__main__":
    main()
