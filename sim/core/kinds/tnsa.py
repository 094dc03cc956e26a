"""The transposable core in verification."""

from mho.macro_models.integer.operation import MvmOperation
from mho.sim.core.kinds import SimulatedKind

__all__ = ["KIND"]

KIND = SimulatedKind(
    operation=MvmOperation, devices=("ideal", "rram-neurram"), fixed={"early_stop": (False, True, True, True)},
    pin_level=True, grouped=True, measured=True,
)
