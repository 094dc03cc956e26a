"""What a simulated core of each kind is given and asked in verification: a module here for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mho.hw.config import Chip
from mho.macro_models.registry import module_of
from mho.sim.core.words import MaskImage

__all__ = ["SimulatedKind", "kind_of", "simulated"]


@dataclass(frozen=True, kw_only=True)
class SimulatedKind:
    """``KIND`` of a kind.

    Attributes
    ----------
    image
        What is written into the memory of masks of its cores.
    devices
        Devices whose macros a verification takes where nobody says.
    random_operation
        Makes a random operation from a generator.
    grouped
        Whether its signals are put into groups for GTKWave (:mod:`mho.sim.core.bench.waves`).
    transposed
        Whether products go both ways.
    pin_level
        Whether its macros are also evaluated at every strobe.
    measured
        Whether the cells of a user's own model are measured, and what it does predicted.
    """

    image: type[MaskImage]
    devices: Sequence[str]
    random_operation: Callable[[Any], Any]
    transposed: bool
    pin_level: bool
    measured: bool = False
    grouped: bool = False


def simulated(chip: Chip) -> SimulatedKind:
    """How cores of a chip are simulated.

    Raises
    ------
    InputError
        If cores of its kind are modelled, but not simulated.
    """
    return kind_of(chip.core.kind)


def kind_of(name: str) -> SimulatedKind:
    """How cores of a kind are simulated, by its name."""
    return module_of(__name__, name).KIND
