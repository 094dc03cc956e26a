"""What everybody but a kind itself needs of a macro: its configuration, the model of a programmed core, its body."""

from mho.macro_models.macro.config import MacroConfig
from mho.macro_models.macro.model import MacroModel
from mho.macro_models.macro.pin_level import PinLevelMacro
from mho.macro_models.macro.product import BoundProduct, MvmResult, constant_input

__all__ = ["BoundProduct", "MacroConfig", "MacroModel", "MvmResult", "PinLevelMacro", "constant_input"]
