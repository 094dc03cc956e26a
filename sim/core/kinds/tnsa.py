"""The transposable core in verification."""

import numpy as np

from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MAX_BITS, Converter, Direction, MvmOperation
from mho.sim.core.kinds import SimulatedKind
from mho.sim.core.words import MaskImage

__all__ = ["KIND"]


def _random_operation(rng: np.random.Generator) -> MvmOperation:
    while True:
        try:
            return MvmOperation(
                direction=Direction(int(rng.integers(2))),
                in_bits=int(rng.integers(1, MAX_BITS + 1)),
                in_signed=bool(rng.integers(2)),
                out_bits=int(rng.integers(1, MAX_BITS + 1)),
                converter=Converter(int(rng.integers(2))),
                relu=bool(rng.integers(2)),
                early_stop=bool(rng.integers(4)),
                wl_select=int(rng.integers(8)),
                line_select=int(rng.integers(8)),
            )
        except InputError:
            continue  # ReLU of two segments


KIND = SimulatedKind(
    image=MaskImage, devices=("ideal", "rram-neurram"), random_operation=_random_operation, transposed=True,
    pin_level=True, grouped=True, measured=True,
)
