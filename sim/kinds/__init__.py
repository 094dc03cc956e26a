"""How a simulation answers for the macro of each kind: a module here for each.

It has ``PINS``, a subclass of :class:`mho.sim.pins.PinBody` that is asked at the pins, in any simulator. In Verilator
C++ answers for one of :class:`mho.sim.rows.RowBody`; a kind of other steps whose co-simulation has to be fast brings
``BODY`` as well, with SystemVerilog and C++ of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mho.macro_models.errors import InputError
from mho.macro_models.registry import discovered, module_of
from mho.sim.macros import SimulatedMacro
from mho.sim.pins import PinBody
from mho.sim.rows import RowBody

if TYPE_CHECKING:
    from mho.hw.config import Chip

__all__ = ["Body", "body", "has_rows", "kinds_with_bodies", "macros_of_kinds", "pin_body"]


@dataclass(frozen=True, kw_only=True)
class Body:
    """``BODY`` of a kind: what stands behind the pins of its macros in Verilator."""

    hdl: str = ""
    """SystemVerilog in ``sim/hdl``; the module is `MHO_MACRO. Empty: it is generated from the contract of the pins."""
    sources: tuple[str, ...] = ("pins.cpp",)
    """C++ in ``sim/hdl`` behind it, beside what all simulators have."""
    defines: "Callable[[Chip], Mapping[str, object]]" = lambda chip: {}
    """Macros of the preprocessor that it takes beside MHO_LINES, for a chip."""
    macro: type[SimulatedMacro] | None = None
    """Class of its macros in the simulation; None where the body is generated."""

    def text(self, chip: "Chip", module: str) -> str:
        """Its SystemVerilog, of the module ``module``."""
        if not self.hdl:
            from mho.rtl_gen.macro.body import dpi_body

            return dpi_body(chip, module)
        text = (Path(__file__).parents[1] / "hdl" / self.hdl).read_text(encoding="utf-8")
        return f"`define MHO_MACRO {module}\n{text}`undef MHO_MACRO\n"


def body(chip: "Chip") -> Body:
    """What stands behind the pins of the macros of a chip.

    Raises InputError if cores of its kind are modelled, but not simulated.
    """
    if chip.core.kind not in discovered(__name__):
        raise InputError(f"{chip.name}: cores of kind {chip.core.kind} have a model, but no body in a simulation")
    return getattr(module_of(__name__, chip.core.kind), "BODY", Body())


def macros_of_kinds(library: Any) -> list[SimulatedMacro]:
    """The macros of a simulation whose kinds bring a body; ``library`` are the functions of its process."""
    bodies = [getattr(module_of(__name__, kind), "BODY", Body()) for kind in discovered(__name__)]
    return [macro for body in bodies if body.macro is not None for macro in body.macro.all_of(library)]


def kinds_with_bodies() -> tuple[str, ...]:
    """Kinds with a model that answers at the pins."""
    return discovered(__name__)


def has_rows(kind: str) -> bool:
    """Whether strobes at the pins of a kind make conversions of rows that are driven."""
    return kind in discovered(__name__) and issubclass(module_of(__name__, kind).PINS, RowBody)


def pin_body(model: Any, kind: str = "") -> PinBody:
    """What answers at the pins for a programmed macro; ``kind`` where the model does not say it."""
    return module_of(__name__, kind or model.config.kind).PINS(model)
