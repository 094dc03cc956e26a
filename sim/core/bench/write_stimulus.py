"""Random runs of write-verify, and the check that the RTL does in them what the reference does, pulse for pulse."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.macro_models import load_device
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import ToolError
from mho.sim.core.bench.stimulus import Stimulus
from mho.sim.core.cosim_core import CoreRun, CosimCore
from mho.sim.programming.cosim import cell_fields, program_run, write_job
from mho.sim.programming.job import WriteJob, WriteOutcome
from mho.sim.programming.write_verify import ProgramRun, reference_run, target_codes

_MOST_BIASED = 512
"""Cells that a run writes of an array without transistors, about: each pulse reaches all cells of two lines."""

_LAST_CYCLE = 1500
"""A run begins at most so many cycles after the batch that it is part of: while operations are in progress."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WriteStimulus:
    """One run with random targets, cells and parameters."""

    chip: Chip
    seed: int
    number: int
    """What it was made from."""
    parameters: WriteVerifyParameters
    targets: NDArray[np.int64]
    skip: NDArray[np.bool_]
    """As :class:`mho.sim.programming.write_verify.Programmer` takes them."""
    fresh: bool
    """The cells have not been formed."""
    gap: int
    stall: int
    hold: int
    """Random pauses of the streams and of the macro, in 256ths of the cycles."""
    start_after: int
    """Cycles from the begin of the batch to the start."""

    def __str__(self) -> str:
        pauses = f"gap {self.gap}, stall {self.stall}, hold {self.hold}, start after {self.start_after}"
        return f"seed {self.seed}, run {self.number} of write-verify: {self.parameters}, {pauses}"

    def array(self) -> PulseArray:
        """The cells as they are before the run, some of them weak and some dead."""
        device = load_device(self.chip.device if PulseChip.of(self.chip).bias else "rram-neurram")
        device = replace(
            device,
            stuck=replace(device.stuck, fraction=0.03, values_uS=(0.0, 45.0)),
            pulse=replace(device.pulse, weak_fraction=0.05),
        )
        config = PulseChip.of(self.chip).pulse_config()
        return PulseArray(config, device=device, seed=self.seed, core=self.number, fresh=self.fresh)

    def expected(self) -> ProgramRun:
        """What the reference does."""
        return reference_run(self.chip, self.array(), self.targets, self.skip, self.parameters)

    def job(self, **more: int) -> WriteJob:
        """The same for the simulator, in full where it is short enough."""
        job = write_job(
            self.chip, self.array(), self.targets, self.skip, self.parameters,
            full_time=self.number % 2 == 1,
        )
        return replace(job, start_after=self.start_after, **more)


def make_write_stimulus(chip: Chip, seed: int, number: int, *, pauses: bool = True) -> WriteStimulus:
    """Run ``number`` of ``seed``. Run 0 has the parameters of the chip, the others have limits that are reached."""
    rng = np.random.default_rng([seed, number, 0x3B17E])
    shape = PulseChip.of(chip).pulse_config().shape
    parameters = WriteVerifyParameters.from_chip(chip) if number == 0 else _random_parameters(rng)
    written = min(1.0, _MOST_BIASED / (shape[0] * shape[1])) if PulseChip.of(chip).bias else 1.0
    idle = [int(rng.choice([0, 0, 64, 200])) if pauses else 0 for _ in range(3)]
    return WriteStimulus(
        chip=chip, seed=seed, number=number, parameters=parameters,
        targets=target_codes(chip, rng.uniform(chip.cells.g_min_uS, chip.cells.g_max_uS, shape)),
        skip=rng.random(shape) < max(rng.choice([0.0, 0.1]), 1.0 - written),
        fresh=parameters.form and bool(rng.integers(4)),
        gap=idle[0], stall=idle[1], hold=min(idle[2], 64) if _holds(chip) else 0,
        start_after=int(rng.integers(_LAST_CYCLE)),
    )


def _holds(chip: Chip) -> bool:
    """Whether the macro can hold the core; a pulse of one that cannot goes on, or is told of it too late."""
    if "hold" in PulseChip.of(chip).core.synchronise:
        return False
    return chip.macro is None or any(pin.constant is None for pin in chip.macro.connections.get("hold", ()))


def _random_parameters(rng: np.random.Generator) -> WriteVerifyParameters:
    values: dict[str, Any] = {
        "tolerance": int(rng.integers(5, 60)), "confirmations": int(rng.integers(4)), "form": bool(rng.random() < 0.2),
        "passes": int(rng.integers(1, 4)), "wait_cycles": int(rng.integers(0, 4)),
        "max_reversals": int(rng.integers(0, 8)), "max_at_ceiling": int(rng.integers(0, 4)),
        "max_pulses": int(rng.integers(0, 20)),
    }
    for kind, low in (("set", 50), ("reset", 60), ("form", 190)):
        start = int(rng.integers(low, low + 40))
        values |= {
            f"{kind}_start": start, f"{kind}_ceiling": min(255, start + int(rng.integers(0, 120))),
            f"{kind}_step": int(rng.integers(0, 12)), f"{kind}_cycles": int(rng.integers(1, 150)),
        }
    return WriteVerifyParameters(**values)


def check_run(
    core: CosimCore, stimulus: WriteStimulus, beside: Stimulus | None = None
) -> tuple[ProgramRun, CoreRun | None]:
    """Program through the RTL, with the operation ``beside`` in the same batch, and compare with the reference.

    Raises ToolError if anything differs.

    Returns
    -------
    tuple
        What the RTL did: the run, and the operation.
    """
    job = stimulus.job()
    pauses: dict[str, Any] = {
        "gap": stimulus.gap, "stall": stimulus.stall, "hold": stimulus.hold, "seed": stimulus.number + 1,
    }
    operation = None
    if beside is None:
        outcome = core.program(job, **pauses)
    else:
        operation = core.run(beside.op, beside.masks, beside.x, beside.op_id, core=beside.core, write=job, **pauses)
        assert operation.write is not None
        outcome = operation.write
    run = program_run(stimulus.chip, stimulus.parameters, job, outcome)
    require_same(stimulus, run, cycles=not (stimulus.gap or stimulus.stall or stimulus.hold))
    return run, operation


def require_same(stimulus: WriteStimulus, run: ProgramRun, *, cycles: bool = True) -> None:
    """Compare a run with the reference: pulses, codes, faults, counters, cells to the last bit, and ``cycles``.

    Raises ToolError if anything differs.
    """
    expected = stimulus.expected()
    for name in ("pulses", "codes", "faults", "counts", "counters", *(["cycles"] if cycles else [])):
        _equal(stimulus, name, getattr(run, name), getattr(expected, name))
    cells = run.array.changes()
    for name, values in expected.array.changes().items():
        _equal(stimulus, name, cells[name], values)


def check_stop(core: CosimCore, stimulus: WriteStimulus, stop_after: int) -> WriteOutcome:
    """Stop a run after some results, and compare all until then with the reference.

    Raises ToolError if anything differs.
    """
    expected = stimulus.expected()
    outcome = core.program(stimulus.job(stop_after=stop_after), gap=stimulus.gap, stall=stimulus.stall)
    cfg, count = WriteVerifyConfig.from_chip(stimulus.chip), len(outcome.cells)
    fields = cell_fields(cfg, outcome.cells)
    for name, whole in (("code", expected.codes), ("fault", expected.faults), ("pulses", expected.counts)):
        _equal(stimulus, f"{name} until the stop", fields[name], whole.reshape(-1)[:count])
    pulses = expected.pulses
    place = (pulses["write_pass"].astype(np.int64) * cfg.lines + pulses["row"]) * cfg.shape[1] + pulses["col"]
    _equal(stimulus, "pulses until the stop", outcome.pulses, pulses[place < count])
    return outcome


def _equal(stimulus: WriteStimulus, what: str, observed: Any, expected: Any) -> None:
    if isinstance(observed, dict):
        same = observed == expected
    else:
        same = np.array_equal(observed, expected)
    if not same:
        raise ToolError(f"{what} of the core of {stimulus.chip.name} must be as in the reference; {stimulus}")
