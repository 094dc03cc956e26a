"""What a simulated core of a kind is given and asked in verification where that differs: a module here for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any

import numpy as np

from mho.hw.config import Chip
from mho.hw.config.kinds import chip_class
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MAX_BITS, MvmOperation
from mho.macro_models.registry import discovered, module_of
from mho.sim.core.words import MaskImage
from mho.sim.kinds import has_rows

__all__ = ["SimulatedKind", "kind_of", "simulated"]

_LIMITS = {"in_bits": (1, MAX_BITS), "wl_select": (0, 7), "line_select": (0, 7)}
"""Least and largest value of numbers that random operations have."""


@dataclass(frozen=True, kw_only=True)
class SimulatedKind:
    """``KIND`` of a kind; a kind that needs nothing else has no module."""

    operation: type[MvmOperation]
    """Class of its operations."""
    image: type[MaskImage] = MaskImage
    """What is written into the memory of masks of its cores."""
    devices: Sequence[str] = ()
    """Devices whose macros a verification takes where nobody says, beside that of the chip."""
    fixed: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Fields of operations that are not drawn, and those that are drawn from values of their own."""
    pin_level: bool = False
    """Whether its macros are evaluated lazily, and in verification at every strobe as well."""
    measured: bool = False
    """Whether the cells of a user's own model are measured, and what it does predicted."""
    carried_out: Callable[[Chip | None, Any], bool] = lambda chip, op: True
    """Whether the macro of a chip, which may be its user's own, has the pins that an operation needs."""
    groups: Callable[[Chip, str], Mapping[str, list[tuple[str, int]]]] = lambda chip, path: {}
    """Groups of (path of a signal, width) inside of a core that a waveform shows beside its ports and pins, for a chip
    and the path of the core's digital part."""

    def random_operation(self, rng: np.random.Generator, chip: Chip | None = None) -> MvmOperation:
        """A random legal operation, but for its step code; with as many output bits at most as a chip gives, if any."""
        output = self.operation.most_out_bits if chip is None else chip.operation(in_bits=1, in_signed=True).out_bits
        while True:
            try:
                return self.operation(**{
                    entry.name: self._random(rng, entry.name, entry.default, output) for entry in fields(self.operation)
                    if entry.init and entry.name != "step_code"
                })
            except InputError:
                continue  # fields that exclude each other

    def _random(self, rng: np.random.Generator, name: str, default: Any, out_bits: int) -> Any:
        if name in self.fixed:
            return self.fixed[name][int(rng.integers(len(self.fixed[name])))]
        if isinstance(default, bool):
            return bool(rng.integers(2))
        if isinstance(default, IntEnum):
            return list(type(default))[int(rng.integers(len(type(default))))]
        low, high = (1, out_bits) if name == "out_bits" else _LIMITS[name]
        return int(rng.integers(low, high + 1))

    def devices_of(self, chip: Chip) -> Sequence[str]:
        """Devices of the macros of a verification."""
        return self.devices or tuple(dict.fromkeys(("ideal", chip.device)))


def simulated(chip: Chip) -> SimulatedKind:
    """How cores of a chip are simulated."""
    return kind_of(chip.core.kind)


def kind_of(name: str) -> SimulatedKind:
    """How cores of a kind are simulated, by its name."""
    if name in discovered(__name__):
        return module_of(__name__, name).KIND
    return SimulatedKind(operation=chip_class(name).operation_type, pin_level=has_rows(name))
