"""Kinds of core on an FPGA: a module here for each that has an emulator, with it as ``EMULATOR``."""

from mho.hw.config import Chip
from mho.hw.emulator.kind import EmulatorKind
from mho.macro_models.errors import InputError
from mho.macro_models.registry import discovered, module_of

__all__ = ["emulator_of"]


def emulator_of(chip: Chip) -> EmulatorKind:
    """The emulator of the cores of a chip.

    Raises InputError if there is none of their kind.
    """
    names, kind = discovered(__name__), chip.core.kind
    if kind not in names:
        raise InputError(f"{chip.name}: core.kind must be {' or '.join(names)} on a board, not {kind}")
    return module_of(__name__, kind).EMULATOR
