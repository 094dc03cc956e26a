"""What is generated around the macro of each kind: a module here for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mho.hw.config import Chip
from mho.macro_models.registry import module_of

__all__ = ["MacroTexts", "macro_texts_of"]


@dataclass(frozen=True, kw_only=True)
class MacroTexts:
    """``TEXTS`` of a kind.

    Attributes
    ----------
    model
        Verilog of an ideal macro of a module name and a chip, for simulation.
    contract
        SystemVerilog of the contract of the pins: (chip, module of the core, its Verilog, module of the adapter, name).
    bench
        Template of the first test of a core (``rtl_gen/templates``).
    inputs
        Input codes that a forward product takes, of so many lines.
    step_code
        Step code with which codes of the ideal macro spread, of so many lines.
    products
        Template of what is expected of a product.
    values
        What stands in these templates for a chip.
    product
        What is expected of a product with this step code, in Python: codes of as many lines as there are input codes.
    body
        Template of the macro's body in a simulator without DPI; empty: it has none.
    defines
        What the body is told of a chip beside its lines.
    commanded
        The ideal macro of a chip in Python, as commands of its core see it; None: cores take no commands.
    driver
        What the driver in C has for these commands, a template of :func:`mho.rtl_gen.c_driver.c_driver`.
    """

    model: Callable[[str, Chip], str]
    contract: Callable[[Chip, str, str, str, str], str]
    bench: str
    inputs: Callable[[int], int]
    step_code: Callable[[int], int]
    products: str
    values: Callable[[Chip], Mapping[str, object]]
    product: Callable[[Chip, Sequence[int]], list[int]]
    body: str = ""
    defines: Callable[[Chip], Mapping[str, object]] = lambda chip: {}
    commanded: Callable[[Chip], Any] | None = None
    driver: Callable[[Chip], str] = lambda chip: ""


def macro_texts_of(chip: Chip) -> MacroTexts:
    """What is generated around the macro of a chip.

    Raises
    ------
    InputError
        If macros of its kind are modelled, but not generated.
    """
    return module_of(__name__, chip.core.kind).TEXTS
