"""One matrix-vector product of a network at the pins of its core, cycle by cycle.

Which operation is when, and how lines are driven, say the references that the Verilog is tested against; the macro is
the model at pin level.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.inputs import line_levels
from mho.hw.kinds.tnsa.sequencer import pin_operations
from mho.macro_models import MacroModel, Masks
from mho.macro_models.integer.operation import Direction, MvmOperation
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.kinds import pin_level_macro
from mho.sim.backend import BackendResult, HostScheduled
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend

if TYPE_CHECKING:
    from mho.compiler import Network

STROBES = ("precharge", "sample", "compare", "decrement")
_LEAD, _TAIL = 4, 6
"""Cycles that are shown before the first and after the last strobe."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One product, in every clock cycle."""

    period_ns: float
    """Clock period, in ns."""
    strobes: dict[str, NDArray[np.bool_]]
    """For each of :data:`STROBES` whether it is high, (cycles,)."""
    plane: NDArray[np.int64]
    """Binary weight of the plane on the line registers, (cycles,)."""
    charge: NDArray[np.float64]
    """Charge of each integrator in decrement steps, (lines, cycles)."""
    codes: NDArray[np.int16]
    """What the core gave, in half steps, (lines,)."""
    enabled: NDArray[np.bool_]
    """Whether a line is converted, (lines,)."""


class _FirstProduct(FunctionalBackend):
    """The functional backend product by product, which remembers the first that it was asked for."""

    run = HostScheduled.run

    def __init__(self) -> None:
        super().__init__()
        self.asked: tuple[MacroModel, MvmOperation, Masks, NDArray[np.integer], int, BackendResult] | None = None

    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        result = super().mvm(core, op, masks, x, op_id)
        if self.asked is None:
            self.asked = (self._cores[core], op, masks, x[0], int(np.ravel(op_id)[0]), result)
        return result


def record(
    network: "Network", x: NDArray[np.floating], *, seed: int = 0, time_s: float = 86400.0, temp_C: float = 25.0
) -> Trace:
    """The first product of a network for one input ``x`` of the model's shape, on its device after ``time_s``."""
    backend = _FirstProduct()
    execute(network, backend, np.asarray(x)[None], seed=seed, time_s=time_s, temp_C=temp_C)
    assert backend.asked is not None
    model, op, masks, vector, op_id, result = backend.asked
    assert isinstance(op, TnsaOperation)
    cfg = TnsaCoreConfig.from_chip(network.chip)
    operations = pin_operations(cfg, op, result.steps[0].tolist())
    macro, levels = pin_level_macro(model), iter(line_levels(op, masks, vector))
    cycles = _LEAD + operations[-1].cycle + _TAIL
    strobes = {name: np.zeros(cycles, dtype=bool) for name in STROBES}
    plane, charge = np.zeros(cycles, dtype=np.int64), np.zeros((cfg.lines, cycles))
    level = np.zeros(cfg.lines)
    for item in operations:
        at = _LEAD + item.cycle
        if item.name == "plane":
            plane[at:] = item.plane
            level = next(levels)
            continue
        if item.name == "precharge":
            macro.precharge()
        elif item.name == "sample":
            backward = op.direction is Direction.BACKWARD
            macro.sample(backward, level > 0, level < 0, masks.word_lines(op))
        elif item.name == "compare":
            macro.compare(item.latch, op_id + item.segment)
        else:
            macro.decrement(item.dec_scale, op.step_code)
        strobes[item.name][at] = True
        charge[:, at:] = macro.charge_in_steps(op.step_code)[:, None]
    return Trace(
        period_ns=1000 / network.chip.clock.f_clk_MHz, strobes=strobes, plane=plane, charge=charge,
        codes=result.codes[0], enabled=masks.enabled(op),
    )
