"""What is generated around the macro of each kind: a module here for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.macro_models.integer.operation import MAX_BITS, Direction, MvmOperation
from mho.macro_models.registry import module_of
from mho.rtl_gen.macro.contract import write_pins_contract
from mho.rtl_gen.templates import fill

__all__ = ["MacroTexts", "macro_texts_of"]


def _operation(chip: Chip, in_bits: int, out_bits: int) -> MvmOperation:
    return chip.operation(in_bits=min(in_bits, chip.input_bits), in_signed=True, out_bits=out_bits)


@dataclass(frozen=True, kw_only=True)
class MacroTexts:
    """``TEXTS`` of a kind. What expects a product is written once: the benches have it, and it is run here."""

    model: Callable[[str, Chip], str]
    """Verilog of an ideal macro of a module name and a chip, for simulation."""
    products: str
    """What is expected of a product, with ``@NAMES@`` of ``values``: Python with a function ``product(codes, outputs)``
    for ``LINES`` lines, ``INPUTS`` input codes, the step code ``STEP`` and outputs of ``OUT_BITS`` bits."""
    step_code: Callable[[Chip], int]
    """Step code with which codes of the ideal macro of a chip spread."""
    operation: Callable[[Chip, int, int], MvmOperation] = _operation
    """The product that a chip is asked for, as near as there is one to so many bits of signed inputs and of outputs."""
    values: Callable[[Chip], Mapping[str, object]] = lambda chip: {}
    """What stands in the templates for a chip."""
    contract: Callable[[Chip, str, str, str, str], str] = write_pins_contract
    """SystemVerilog of the contract of the pins: (chip, module of the core, its Verilog, module of the adapter,
    name)."""
    bench: str = "bench_core"
    """Template of the first test of a core."""
    written: str = ""
    """Template of one that programs cells, where the core does; none if empty."""
    commanded: Callable[[Chip], Any] | None = None
    """The ideal macro of a chip in Python, as commands of its core see it; None: cores take no commands."""
    driver: Callable[[Chip], str] = lambda chip: ""
    """What the driver in C has for these commands, a template of :func:`mho.rtl_gen.registers.c_driver`."""

    def inputs(self, chip: Chip) -> int:
        """Input codes that a forward product takes."""
        return chip.macro_config().inputs(Direction.FORWARD)

    def between(self, chip: Chip) -> int:
        """Output codes of a product that may be the input codes of the next."""
        return min(self.inputs(chip), core_blocks(chip).cfg.outputs)

    def products_text(self, chip: Chip) -> str:
        """Python of what is expected of a product."""
        return fill(self.products, self.values(chip)).rstrip("\n")

    def product(self, chip: Chip, codes: Sequence[int]) -> list[int]:
        """What is expected of a product with the step code, in half steps: :meth:`between` of them."""
        names: dict[str, Any] = {
            "LINES": chip.lines, "INPUTS": self.inputs(chip), "STEP": self.step_code(chip),
            "OUT_BITS": self.operation(chip, 4, MAX_BITS).out_bits,
        }
        exec(compile(self.products_text(chip), "product", "exec"), names)
        return names["product"](codes, self.between(chip))


def macro_texts_of(chip: Chip) -> MacroTexts:
    """What is generated around the macro of a chip.

    Raises InputError if macros of its kind are modelled, but not generated.
    """
    return module_of(__name__, chip.core.kind).TEXTS
