"""A macro as its body sees it behind the pins."""

from typing import Protocol

from mho.macro_models.types import Array, Flags, Reals


class PinLevelMacro(Protocol):
    """A programmed core behind its pins, strobe by strobe: the slow and plain truth."""

    @property
    def charge(self) -> Array:
        """Charges of all lines."""
        ...

    def precharge(self) -> None:
        """Discharge the integrators and forget the last conversion."""
        ...

    def sample(self, backward: bool, positive: Flags, negative: Flags, wl: Flags) -> None:
        """Sample the converted lines once and integrate."""
        ...

    def compare(self, latch: bool, op_id: int) -> Flags:
        """Lines whose charge is negative; ``latch`` keeps them as the direction of the decrements that follow."""
        ...

    def decrement(self, scale: int, step_code: int) -> None:
        """Take ``step_code << scale`` from the magnitude of the charge, in the latched direction."""
        ...

    def charge_in_steps(self, step_code: int) -> Reals:
        """Charge of each line in decrement steps of its own polarity; 0 before the first sample."""
        ...
