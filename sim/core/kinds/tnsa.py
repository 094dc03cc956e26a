"""The transposable core in verification."""

from mho.hw.config import Chip
from mho.hw.core.shape import duration_bits
from mho.hw.kinds.tnsa.config import OPERATIONS, TnsaCoreConfig
from mho.hw.kinds.tnsa.results import COUNT_BITS
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.sim.core.kinds import SimulatedKind


def _groups(chip: Chip, path: str) -> dict[str, list[tuple[str, int]]]:
    sequencer = {"fsm_state": 3, "timer": _timer_bits(chip), "repeats": 3, "count": 7}
    sequencer |= dict.fromkeys(("running", "analog", "take", "finish"), 1)
    vectors = ["counting", "negative", "live", *(f"removed_{k}" for k in range(COUNT_BITS))]
    return {
        "sequencer": [(f"{path}.sequencer.{name}", width) for name, width in sequencer.items()],
        "line counters": [(f"{path}.counters.{name}", chip.lines) for name in vectors],
    }


def _timer_bits(chip: Chip) -> int:
    """Width of the timer of the operations at the pins: it reaches what can be written where they are registers."""
    cfg = TnsaCoreConfig.from_chip(chip)
    longest = max(getattr(cfg, name) for name in OPERATIONS)
    return duration_bits(longest) if cfg.trim else max(longest - 1, 1).bit_length()


def _carried_out(chip: Chip | None, op: TnsaOperation) -> bool:
    """Binary search needs the weights of decrements."""
    macro = None if chip is None else chip.macro
    return not op.binary or macro is None or bool(macro.commands) or macro.pins.get("dec_scale", 0) != 0


KIND = SimulatedKind(
    operation=TnsaOperation, devices=("ideal", "rram-neurram"), fixed={"early_stop": (False, True, True, True)},
    pin_level=True, carried_out=_carried_out, groups=_groups, measured=True,
)
