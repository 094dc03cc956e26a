"""What a verification of a core ran and found equal."""

from collections import Counter
from dataclasses import Field, dataclass, field, fields
from enum import Enum
from typing import Any

import numpy as np

from mho.macro_models.integer.operation import MvmOperation
from mho.sim.core.bench.stimulus import Stimulus
from mho.sim.core.cosim_core import CoreRun


@dataclass(kw_only=True)
class VerifyReport:
    """What was run and found equal."""

    chip: str
    simulator: str
    source: str
    """What was verified: RTL or the name of the netlist."""
    operations: int = 0
    vectors: int = 0
    conversions: int = 0
    cycles: int = 0
    """Random operations, vectors that they ran on, conversions of the macro, clock cycles of the core."""
    pin_level: int = 0
    """Operations that also ran with the macro evaluated at every strobe."""
    transposed: int = 0
    """Pairs of products forward and backward whose accumulators satisfied ``<W x, y> == <x, W^T y>``."""
    runs: int = 0
    pulses: int = 0
    """Runs of write-verify, and their pulses."""
    macro: str = ""
    """What of the user's own macro was between the core and its model, in words; empty if the chip has none."""
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """How often each property of an operation was met, by property and value."""

    def add(self, stimulus: Stimulus, run: CoreRun, device: str) -> None:
        """Count a stimulus that was found equal."""
        op = stimulus.op
        self.operations += 1
        self.vectors += len(stimulus.x)
        self.conversions += len(stimulus.x) * op.segments
        self.cycles += int(run.cycles[:, 0].sum())
        top = 2 * op.max_steps + 1
        for name, value in {
            "device": device,
            "direction": op.direction.name.lower(),
            "input": f"{op.in_bits} bit {'signed' if op.in_signed else 'unsigned'}",
            "output": f"{op.out_bits} bit",
            "relu": _shown(op.relu),
            **{entry.name.replace("_", " "): _shown(getattr(op, entry.name)) for entry in _own_fields(op)},
            "pauses": " and ".join(n for n in ("gap", "stall", "hold") if getattr(stimulus, n)) or "none",
            "masks": "some lines off" if _masked(stimulus) else "all lines on",
        }.items():
            self.counts.setdefault(name, Counter())[value] += 1
        codes = self.counts.setdefault("codes", Counter())
        size = np.abs(run.codes[:, :]) if op.segments == 1 else np.abs(run.codes) // 17
        codes["0"] += int((run.codes == 0).sum())
        codes["within the range"] += int(((size > 0) & (size < top)).sum())
        codes["at its ends"] += int((size >= top).sum())

    def __str__(self) -> str:
        more = (
            f"{self.pin_level} operations also strobe by strobe; "
            f"{self.transposed} pairs of products exactly transposed"
        )
        rows = [
            f"{self.chip}, {self.source}, in {self.simulator}: equal to the model bit for bit",
            f"  {self.operations} operations, {self.vectors} vectors, {self.conversions} conversions, "
            f"{self.cycles} cycles",
            f"  {f'{more}; ' if self.pin_level or self.transposed else ''}an illegal operation dropped",
        ]
        if self.macro:
            rows.insert(1, f"  {self.macro}")
        if self.runs:
            rows.append(f"  {self.runs} runs of write-verify, {self.pulses} pulses, equal pulse for pulse")
        for name, counter in self.counts.items():
            values = ", ".join(f"{value} {count}" for value, count in sorted(counter.items()))
            rows.append(f"  {name + ':':<12} {values}")
        return "\n".join(rows)


def _own_fields(op: MvmOperation) -> list[Field[Any]]:
    """Fields that the operations of its kind alone have."""
    common = {entry.name for entry in fields(MvmOperation)}
    return [entry for entry in fields(op) if entry.name not in common]


def _shown(value: Any) -> str:
    return value.name.lower() if isinstance(value, Enum) else {True: "on", False: "off"}.get(value, str(value))


def _masked(stimulus: Stimulus) -> bool:
    op = stimulus.op
    return not (stimulus.masks.word_lines(op).all() and stimulus.masks.enabled(op).all())
